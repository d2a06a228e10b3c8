"""Where a transcript differs from its reference, word by word.

The words are paired as the measures pair them. difflib was looked at: it knows neither times nor substitutions, and
pairs words of one minute with those of another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from diarist.evaluation.alignment import align, best_matching, needing_eval
from diarist.evaluation.text import Token

CONTEXT: Final = 4
"""How many agreeing words are shown on each side of a difference."""


PAUSE: Final = 1.0
"""Seconds of silence that end a speaker's turn."""


class Kind(StrEnum):
    """How a place of the reference and of the transcript compare, whoever spoke."""

    SAME = "same"
    WRONG = "wrong"
    """Another word was heard."""
    MISSING = "missing"
    """Said, but not heard."""
    EXTRA = "extra"
    """Heard, but not said."""
    REORDERED = "reordered"
    """Said and heard, in another order: two talk at once. The word stands once on each side."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A spoken word and what was heard for it; one of the two may be missing.

    Attributes:
        kind: how the words compare.
        said: the word of the reference, with who said it.
        heard: the word of the transcript, with the transcript's label.
        wrong_speaker: whether the transcript gives the word to somebody else or to nobody.
        given_to: then, whom it gives it to, by the reference's name; None for nobody in the reference.
    """

    kind: Kind
    said: Token | None
    heard: Token | None
    wrong_speaker: bool = False
    given_to: str | None = None

    @property
    def differs(self) -> bool:
        """Whether the word or its speaker is wrong."""
        return self.kind != Kind.SAME or self.wrong_speaker

    @property
    def time(self) -> float:
        """When it was said, in seconds, or when it was heard if it was not said."""
        token = self.said or self.heard
        return token.start if token else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive words that compare alike, of one true speaker."""

    pairs: Sequence[Pair]

    @property
    def first(self) -> Pair:
        """A pair that tells what all have in common."""
        return self.pairs[0]

    @property
    def said(self) -> str:
        """The words of the reference; empty if there are none."""
        return " ".join(pair.said.text for pair in self.pairs if pair.said)

    @property
    def heard(self) -> str:
        """The words of the transcript; empty if there are none."""
        return " ".join(pair.heard.text for pair in self.pairs if pair.heard)

    @property
    def speaker(self) -> str | None:
        """Who really spoke; None where nobody did, or the reference does not know."""
        return self.first.said.speaker if self.first.said else None

    @property
    def label(self) -> str | None:
        """The transcript's label of the speaker."""
        return self.first.heard.speaker if self.first.heard else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a turn with differences close to each other, and a few agreeing words around them."""

    runs: Sequence[Run]

    @property
    def time(self) -> float:
        """Seconds at which it begins."""
        return self.runs[0].first.time

    @property
    def speaker(self) -> str | None:
        """Who really speaks; None if nobody does, or the reference does not know."""
        return next((run.speaker for run in self.runs if run.speaker), None)


def compare(said: Sequence[Token], heard: Sequence[Token]) -> list[Pair]:
    """Lay a transcript beside its reference.

    Args:
        said: spoken words in order of time.
        heard: recognised words in order of time.

    Returns:
        Pairs whose spoken words are ``said``, and whose recognised words are ``heard``, each complete and in its order.
        Speakers are compared where both sides know some.

    Raises:
        EngineError: the extra ``eval`` is not installed.
    """
    with needing_eval():
        paired = align(said, heard)
    speaks = any(token.speaker for token in said) and any(token.speaker for token in heard)
    names = best_matching((said[r].speaker, heard[h].speaker) for r, h in paired) if speaks else {}

    def pair(kind: Kind, spoken: Token, word: Token, *, both: bool) -> Pair:
        given_to = names.get(word.speaker) if word.speaker else None
        wrong = speaks and spoken.speaker is not None and given_to != spoken.speaker
        return Pair(kind, spoken if both else None, word, wrong, given_to if wrong else None)

    in_order = _longest_in_order(paired)
    # Equal words whose order differs; a substitution that is out of order is a missing and an extra word.
    apart = [(r, h) for r, h in set(paired) - set(in_order) if said[r].text == heard[h].text]
    twice, spoken_of = {r for r, _ in apart}, {h: r for r, h in apart}

    found: list[Pair] = []
    r, h = 0, 0
    for next_r, next_h in [*in_order, (len(said), len(heard))]:
        while r < next_r or h < next_h:
            if h == next_h or (r < next_r and said[r].start <= heard[h].start):
                found.append(Pair(Kind.REORDERED if r in twice else Kind.MISSING, said[r], None))
                r += 1
            else:
                if h in spoken_of:
                    found.append(pair(Kind.REORDERED, said[spoken_of[h]], heard[h], both=False))
                else:
                    found.append(Pair(Kind.EXTRA, None, heard[h]))
                h += 1
        if r < len(said) and h < len(heard):
            kind = Kind.SAME if said[r].text == heard[h].text else Kind.WRONG
            found.append(pair(kind, said[r], heard[h], both=True))
        r, h = r + 1, h + 1
    return found


def _longest_in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Choose most pairs so that both members rise; the pairs' second members rise already."""
    lowest: list[int] = []  # the lowest first member that ends a choice of 1, 2, … pairs
    ends: list[int] = []  # and its index
    before: list[int] = []
    for index, (r, _) in enumerate(pairs):
        length = bisect_left(lowest, r)
        lowest[length : length + 1], ends[length : length + 1] = [r], [index]
        before.append(ends[length - 1] if length else -1)
    chosen = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def counts(pairs: Iterable[Pair]) -> Counter[str]:
    """Count words by kind, and under ``"speaker"`` those with the wrong speaker; a reordered word counts once."""
    found: Counter[str] = Counter()
    for pair in pairs:
        found["speaker"] += pair.wrong_speaker
        found[pair.kind] += pair.kind != Kind.REORDERED or pair.said is not None
    return found


def turns(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Put together what each speaker says without a pause: in order of time, words of several at once cannot be read.

    Words that nobody said go with what was said just before them, or are a turn of their own.
    """
    found: list[list[Pair]] = []
    ends: list[float] = []
    current: dict[str | None, int] = {}  # the last turn of each speaker
    last = -1
    for pair in pairs:
        token = pair.said or pair.heard
        if token is None:
            continue
        nearest = [last] if pair.said is None else [current.get(token.speaker, -1)]
        if last >= 0 and not any(other.said for other in found[last]):
            nearest.append(last)
        number = next((n for n in nearest if n >= 0 and token.start <= ends[n] + PAUSE), len(found))
        if number == len(found):
            found.append([])
            ends.append(token.end)
        if pair.said is not None:
            current[token.speaker] = number
        found[number].append(pair)
        ends[number] = max(ends[number], token.end)
        last = number
    return found


def stretches(turn: Sequence[Pair], context: int = CONTEXT) -> list[Stretch]:
    """Return the stretches of a turn that differ, each with up to ``context`` agreeing words on either side."""
    bounds: list[tuple[int, int]] = []
    for index, pair in enumerate(turn):
        if pair.differs:
            start, end = max(0, index - context), min(len(turn), index + context + 1)
            if bounds and start <= bounds[-1][1]:
                start, _ = bounds.pop()
            bounds.append((start, end))
    return [Stretch(runs(turn[start:end])) for start, end in bounds]


def runs(pairs: Iterable[Pair]) -> list[Run]:
    """Put together neighbours that compare alike."""

    def alike(pair: Pair) -> tuple[object, ...]:
        label = pair.heard.speaker if pair.heard and pair.differs else None
        speaker = pair.said.speaker if pair.said else None
        return pair.kind, pair.said is None, pair.wrong_speaker, speaker, label

    return [Run(tuple(group)) for _, group in groupby(pairs, alike)]


def marked(stretch: Stretch) -> list[tuple[str, str]]:
    """Write a stretch in pieces, with marks that need no colour.

    Returns:
        Pieces of text with the name of an HTML element each, empty for plain text: ``del`` for what only the reference
        has, ``ins`` for what only the transcript has, ``b`` for who speaks, ``i`` for who got the words.
    """
    found = [("b", f"{stretch.speaker}:")] if stretch.speaker else []
    for run in stretch.runs:
        words = _words(run)
        if run.first.wrong_speaker:
            words = [("i", f"<as {_whose(run)}:"), ("", " "), *words, ("i", ">")]
        found += [("", " "), *words] if found else words
    return found


def _words(run: Run) -> list[tuple[str, str]]:
    match run.first.kind:
        case Kind.SAME:
            return [("", run.said)]
        case Kind.REORDERED:
            return [("del", f"[~{run.said}~]") if run.said else ("ins", f"{{~{run.heard}~}}")]
    both = [("del", f"[-{run.said}-]") if run.said else None, ("ins", f"{{+{run.heard}+}}") if run.heard else None]
    return [piece for piece in both if piece]


def _whose(run: Run) -> str:
    return run.first.given_to or (f"other {run.label}" if run.label else "nobody")


LEGEND: Final[Mapping[str, str]] = {
    "[-a-]{+b+}": "a was said, b was heard",
    "[-a-]": "a is missing",
    "{+b+}": "b is extra",
    "[~a~] {~a~}": "a was heard earlier or later",
    "<as x: a>": "a was given to x",
}
"""What the marks of `marked` mean."""
