"""Which words of a range stand in the text that replaces it.

Words are compared piece by piece: a piece is what stands between spaces, or one character of a script without spaces
with its marks. So Chinese is corrected as English is. difflib of the standard library does the comparing; edit-distance
libraries (rapidfuzz) do it faster, and for texts of this length nobody waits.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from diarist.model.writing import continues, sounds

_EXACT: Final = 300
"""Pieces that differ, more than which are compared by those that are rare: others can take difflib minutes."""

Piece = tuple[str, bool]
"""A text, and whether a space stands before it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of the old words, and what becomes of them.

    Attributes:
        first: the first old word.
        stop: behind the last one.
        kept: whether they stay.
        tokens: where not, the words in their place; else the old ones' first, for its space.
        leads: whether it stands at the start of the text, which then says nothing of a space before it.
    """

    first: int
    stop: int
    kept: bool
    tokens: tuple[Piece, ...]
    leads: bool


@dataclass(frozen=True, slots=True)
class _Knot:
    """Words whose edges are edges of pieces: mostly one word."""

    first: int
    stop: int
    pieces: range


def align(words: Sequence[Piece], text: str) -> list[Stretch]:
    """Compare words with a text; what comes back covers both, in order.

    Args:
        words: the texts of the old words, with the spaces that are shown before them.
        text: the new text.
    """
    old, new = pieces("".join(" " * spaced + word for word, spaced in words)), pieces(text)
    places = _places([piece for piece, _ in old], [piece for piece, _ in new])
    kept = [knot for knot in _knots(words, old) if _stands(knot, old, new, places)]
    taken = {places[n] for knot in kept for n in knot.pieces}
    # A mark that was written to a word makes it another word: it is never one alone, and a line never begins with it.
    kept = [
        knot
        for knot in kept
        if not _closes(new, places[knot.pieces[-1]] + 1, taken) and not _opens(new, places[knot.pieces[0]] - 1, taken)
    ]
    stretches: list[Stretch] = []
    at, place = 0, 0

    def change(stop: int, until: int) -> None:
        if at < stop or place < until:
            tokens = _one(words[at:stop], new[place:until]) or _tokens(new[place:until])
            stretches.append(Stretch(at, stop, kept=False, tokens=tokens, leads=place == 0))

    for knot in kept:
        first = places[knot.pieces[0]]
        change(knot.first, first)
        stretches.append(Stretch(knot.first, knot.stop, kept=True, tokens=(new[first],), leads=first == 0))
        at, place = knot.stop, first + len(knot.pieces)
    change(len(words), len(new))
    return stretches


def pieces(text: str) -> list[Piece]:
    """Cut a text at spaces and between characters that need none; see the module."""
    found: list[Piece] = []
    for chunk in text.split():
        current, spaced = "", bool(found)
        for mark in chunk:
            if current and not continues(current, mark):
                found.append((current, spaced))
                current, spaced = "", False
            current += mark
        found.append((current, spaced))
    return found


def _places(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Where each piece of the old text that stands in the new one stands there, both in order."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    middle, other = old[head : len(old) - tail], new[head : len(new) - tail]
    matcher = SequenceMatcher(None, middle, other, autojunk=max(len(middle), len(other)) > _EXACT)
    blocks = ((head + a, head + b, size) for a, b, size in matcher.get_matching_blocks())
    ends = (0, 0, head), *blocks, (len(old) - tail, len(new) - tail, tail)
    return {a + n: b + n for a, b, size in ends for n in range(size)}


def _knots(words: Sequence[Piece], old: Sequence[Piece]) -> Iterator[_Knot]:
    """Group words and pieces where their edges meet; letters are counted, as spaces are in neither."""
    word = piece = 0
    while word < len(words):
        first, low, ahead = word, piece, 0
        while True:
            if ahead <= 0 and word < len(words):
                ahead += len("".join(words[word][0].split()))
                word += 1
            elif ahead > 0:
                ahead -= len(old[piece][0])
                piece += 1
            if ahead == 0 and (piece > low or word == len(words)):
                break
        yield _Knot(first, word, range(low, piece))


def _stands(knot: _Knot, old: Sequence[Piece], new: Sequence[Piece], places: dict[int, int]) -> bool:
    """Whether all pieces stand together in the new text, with the same spaces between them."""
    if not knot.pieces or knot.pieces[0] not in places:
        return False
    shift = places[knot.pieces[0]] - knot.pieces[0]
    return all(
        places.get(n) == n + shift and (n == knot.pieces[0] or old[n][1] == new[n + shift][1]) for n in knot.pieces
    )


def _closes(new: Sequence[Piece], place: int, taken: set[int]) -> bool:
    return place < len(new) and place not in taken and not sounds(new[place][0]) and not _is_opening(new[place][0])


def _opens(new: Sequence[Piece], place: int, taken: set[int]) -> bool:
    return place >= 0 and place not in taken and _is_opening(new[place][0])


def _tokens(parts: Sequence[Piece]) -> tuple[Piece, ...]:
    """Make words of pieces: punctuation alone goes to the word before it, opening punctuation to the one after it."""
    found: list[Piece] = []
    for text, spaced in parts:
        if found and (not sounds(found[-1][0]) or (not sounds(text) and not _is_opening(text))):
            found[-1] = (found[-1][0] + " " * spaced + text, found[-1][1])
        else:
            found.append((text, spaced))
    return tuple(found)


def _one(words: Sequence[Piece], parts: Sequence[Piece]) -> tuple[Piece, ...]:
    """One word for one, where no spaces tell words apart and there are no more letters; else nothing."""
    if len(words) != 1 or not parts or any(spaced for _, spaced in parts[1:]):
        return ()
    is_as_short = sum(sounds(text) for text, _ in parts) <= len(pieces(words[0][0]))
    return (("".join(text for text, _ in parts), parts[0][1]),) if is_as_short else ()


def _is_opening(text: str) -> bool:
    return not sounds(text) and (unicodedata.category(text[0]) in ("Ps", "Pi") or text[0] in "¿¡")
