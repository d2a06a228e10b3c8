"""Phrases that are likely to be said, and the script of a language: what is favoured while decoding.

Shallow fusion with a tree of phrases, as NeMo's phrase boosting does it: a token that begins a phrase gains 1 on the
scale of the logits, and each that carries one on gains 2 (``context_score`` and ``depth_scaling`` of NeMo's
``BoostingTreeModelConfig``). Where the network would rather say nothing, it is left to: a phrase is favoured over other
words, never over silence.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diarist.model.options import Options
from diarist.transcription.vocabulary import BOUNDARY, Vocabulary

BEGIN_BOOST = 1.0
CONTINUE_BOOST = 2.0


@dataclass(slots=True, eq=False)
class Node:
    """A point in a phrase.

    Attributes:
        follow: the nodes one character further on.
        edges: the nodes that a whole token leads to.
    """

    follow: dict[str, Node] = field(default_factory=dict)
    edges: dict[int, Node] = field(default_factory=dict)


class Biases:
    """Favours phrases and a script for one batch of utterances; a `diarist.transcription.tdt.Bias`.

    Args:
        blank: id of blank.
        batch: number of utterances.
        root: tree of phrases; None: no phrase is favoured.
        fixed: ``(blank + 1,)`` float32 added to all scores; None: nothing.
    """

    def __init__(self, blank: int, batch: int, root: Node | None, fixed: NDArray[np.float32] | None = None) -> None:
        self._blank = blank
        self._root = root
        self._fixed = fixed
        self._inside: list[list[Node]] = [[] for _ in range(batch)]

    @classmethod
    def of(cls, vocabulary: Vocabulary, options: Options, batch: int) -> Biases:
        """What ``options`` want: ``hotwords``, and where the model is multilingual, the script of ``language``."""
        fixed = vocabulary.scripts(options.language) if options.language and vocabulary.multilingual else None
        root = _tree(vocabulary, options.hotwords) if options.hotwords else None
        return cls(vocabulary.blank, batch, root, fixed)

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `diarist.transcription.tdt.Bias.apply`."""
        changed = scores.copy() if self._fixed is None else scores + self._fixed
        if self._root is None:
            return changed
        for row, inside in enumerate(self._inside):
            if changed[row].argmax() == self._blank:
                continue
            boost = dict.fromkeys(self._root.edges, BEGIN_BOOST)
            for node in inside:
                boost.update(dict.fromkeys(node.edges, CONTINUE_BOOST))
            changed[row, list(boost)] += np.fromiter(boost.values(), np.float32)
        return changed

    def emitted(self, tokens: NDArray[np.int64], rows: NDArray[np.bool_]) -> None:
        """See `diarist.transcription.tdt.Bias.emitted`."""
        if self._root is None:
            return
        for row in np.flatnonzero(rows).tolist():
            token = int(tokens[row])
            reached = (node.edges.get(token) for node in [self._root, *self._inside[row]])
            self._inside[row] = [node for node in reached if node is not None]


@functools.lru_cache(maxsize=8)
def _tree(vocabulary: Vocabulary, phrases: tuple[str, ...]) -> Node:
    """Build the tree: every way in which the model's pieces can spell each phrase, however it splits it."""
    root = Node()
    nodes = [root]
    for text in spellings(phrases):
        node = root
        for character in text:
            if character not in node.follow:
                node.follow[character] = Node()
                nodes.append(node.follow[character])
            node = node.follow[character]
    pieces = {piece: index for index, piece in enumerate(vocabulary.pieces) if vocabulary.text(index)}
    longest = max(map(len, pieces), default=0)
    for node in nodes:
        reach: list[tuple[str, Node]] = [("", node)]
        while reach:
            text, at = reach.pop()
            for character, further in at.follow.items():
                spelled = text + character
                if spelled in pieces:
                    node.edges[pieces[spelled]] = further
                if len(spelled) < longest:
                    reach.append((spelled, further))
    return root


def spellings(phrases: Sequence[str]) -> Iterable[str]:
    """Each phrase as pieces spell it: as given, and as it would begin a sentence."""
    for phrase in phrases:
        text = BOUNDARY + BOUNDARY.join(phrase.split())
        yield text
        yield text[:1] + text[1:2].upper() + text[2:]
