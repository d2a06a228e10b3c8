"""Which recognised word stands for which spoken word, and which given speaker for which true one.

MeetEval aligns the words, SciPy matches the speakers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from diarist.evaluation.annotation import Annotation
from diarist.evaluation.text import Normaliser, Token, in_order, retimed, tokens
from diarist.extras import install
from diarist.model.errors import EngineError
from diarist.model.transcript import Segment

COLLAR: Final = 5.0
"""Seconds a word may be off in tcpWER and still be the same word: MeetEval's and the CHiME challenges' setting."""

REORDERED: Final = 1.0
"""Seconds between the same word in the reference and in the hypothesis where overlapped speech is in another order."""


@contextmanager
def needing_eval() -> Iterator[None]:
    """Say how to get the extra ``eval`` where it is not installed.

    Raises:
        EngineError: a package of it is missing.
    """
    try:
        yield
    except ImportError as error:
        raise EngineError(
            "eval_missing", f"Scoring needs {error.name}.", f"Install it with: {install('eval')}"
        ) from error


def by_utterance(annotation: Annotation, normalise: Normaliser) -> list[tuple[Segment, list[Token]]]:
    """Split utterances into tokens with the best times known: their own, or those of a CTM beside them."""
    found = [(segment, tokens(segment, normalise)) for segment in annotation.utterances or ()]
    if annotation.words is None or all(segment.words for segment, _ in found):
        return found
    known = in_order(timed(annotation, normalise))
    starts = [token.start for token in known]
    return [(segment, retimed(utterance, known, starts)) for segment, utterance in found]


def timed(annotation: Annotation, normalise: Normaliser) -> list[Token]:
    """Return the normalised words of those that have times of their own, whoever said them."""
    words = annotation.words or ()
    return [t for w in words for t in tokens(Segment(w.start, w.end, w.speaker, w.text, (w,)), normalise)]


def spoken(annotation: Annotation, normalise: Normaliser) -> list[Token] | None:
    """Return all words in order of time, those of the utterances where they are known; None where no words are."""
    if annotation.utterances is not None:
        return in_order(token for _, utterance in by_utterance(annotation, normalise) for token in utterance)
    return in_order(timed(annotation, normalise)) if annotation.words is not None else None


def align(said: Sequence[Token], heard: Sequence[Token]) -> list[tuple[int, int]]:
    """Pair recognised words (right or substituted) with spoken ones that lie within `COLLAR` seconds.

    Overlapped words have no one order, so equal words that an alignment in order leaves apart are paired too if they
    lie within `REORDERED` seconds.

    Args:
        said: spoken words in order of time.
        heard: recognised words in order of time.

    Returns:
        Index pairs (said, heard), in order of the heard word; each word is in one pair at most.
    """
    from meeteval.wer.matching.cy_levenshtein import time_constrained_levenshtein_distance_with_alignment as levenshtein

    if not (said and heard):
        return []
    sides = [[token.text for token in side] for side in (said, heard)]
    times = [[(t.start - COLLAR / 2, t.end + COLLAR / 2) for t in side] for side in (said, heard)]
    found = levenshtein(*sides, *times, 1, 1, 1, 0, prune=True)
    pairs = [(r, h) for r, h in found["alignment"] if r is not None and h is not None]

    equal = {h: r for r, h in pairs if said[r].text == heard[h].text}
    taken = set(equal.values())
    free: defaultdict[str, list[int]] = defaultdict(list)
    for r, token in enumerate(said):
        if r not in taken:
            free[token.text].append(r)
    for h, token in enumerate(heard):
        if h not in equal and (near := free[token.text]):
            r = min(near, key=lambda r: abs(said[r].start - token.start))
            if abs(said[r].start - token.start) <= REORDERED:
                near.remove(r)
                equal[h] = r
                taken.add(r)
    substituted = {h: r for r, h in pairs if h not in equal and r not in taken}
    return sorted(((r, h) for h, r in (equal | substituted).items()), key=lambda pair: pair[1])


def best_matching(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, str | None]:
    """Match given labels one-to-one to true labels so that most words agree (Hungarian algorithm)."""
    from scipy.optimize import linear_sum_assignment

    counts = Counter((true, given) for true, given in pairs if given is not None)
    rows = sorted({given for _, given in counts if given is not None})
    columns = sorted({true or "" for true, _ in counts})
    if not rows:
        return {}
    table = [[counts[column or None, row] for column in columns] for row in rows]
    chosen = linear_sum_assignment(table, maximize=True)
    return {rows[i]: columns[j] or None for i, j in zip(*chosen, strict=True) if table[i][j]}
