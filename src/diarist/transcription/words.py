"""What every engine's words must hold to: whole, and in order."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from diarist.model.transcript import Word
from diarist.model.writing import continues, sounds

MIN_SECONDS: Final = 0.02
"""No word is shorter: the time resolution of Whisper, and a quarter of a Parakeet frame."""


def in_order(
    words: Sequence[Word], duration: float, shortest: float = MIN_SECONDS, start: float = 0.0
) -> tuple[Word, ...]:
    """Give words times that lie in the recording, follow each other, do not overlap and are never zero.

    A word that begins before the one ahead of it ends begins there instead, and a word shorter than ``shortest`` is
    lengthened at its end, which pushes the next one on. At the end of the recording the same is done backwards. Where
    more words than fit claim a stretch, each gets an equal share of the recording. Times that already hold are kept.

    Words can be put in order as they come: with a ``duration`` of infinity, and the rest from the ``start`` that is the
    end of those before.

    Args:
        words: in the order they were spoken.
        duration: length of the recording in seconds.
        shortest: least length of a word in seconds.
        start: where the first of them may begin at the earliest, less than ``duration``.
    """
    if not words:
        return ()
    shortest = min(shortest, (duration - start) / len(words))
    times = []
    reached = start
    for word in words:
        begin = max(word.start, reached)
        reached = max(word.end, begin + shortest)
        times.append((begin, reached))
    limit = duration
    for index in reversed(range(len(times))):
        begin, end = times[index]
        if end <= limit:
            break
        begin = min(begin, limit - shortest)
        times[index] = (begin, limit)
        limit = begin
    return tuple(
        word if (word.start, word.end) == (begin, end) else replace(word, start=max(0.0, begin), end=max(0.0, end))
        for word, (begin, end) in zip(words, times, strict=True)
    )


class Piece(Protocol):
    """What faster-whisper calls a word: text as it was written, with the space before it; seconds; a probability."""

    @property
    def word(self) -> str: ...  # noqa: D102
    @property
    def start(self) -> float: ...  # noqa: D102
    @property
    def end(self) -> float: ...  # noqa: D102
    @property
    def probability(self) -> float: ...  # noqa: D102


def whole_words(pieces: Iterable[Piece], offset: float = 0.0) -> list[Word]:
    """Make words of the pieces of one segment: ``" $10"`` and ``",000"`` are one word, ``" quoi"`` and ``" ?"`` too.

    A piece without a space before it continues the word before, unless a script without spaces, such as Chinese, stands
    on either side: there, words stay as the recogniser cut them. Punctuation alone goes to the word before it, opening
    punctuation to the word after it, with the space between them as it was written.

    A word is as long as its pieces that are more than punctuation, and as sure as the least sure of these: half a word
    that is wrong makes a wrong word. (A product would make long words look doubtful; Parakeet's words follow the same
    rule.)

    Args:
        pieces: in order.
        offset: added to their times, in seconds.
    """
    groups: list[list[Piece]] = []
    for piece in pieces:
        if not piece.word.strip():
            continue
        if groups and _belongs("".join(each.word for each in groups[-1]), piece.word):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    if len(groups) > 1 and not any(sounds(piece.word) for piece in groups[-1]):
        last = groups.pop()
        groups[-1] += last
    words = []
    for number, group in enumerate(groups):
        body = [piece for piece in group if sounds(piece.word)] or group
        start = max(0.0, offset + body[0].start)
        written = "".join(piece.word for piece in group)
        # What stands before the first word of a segment, nobody wrote.
        spaced = True if written[0].isspace() else None if number == 0 else False
        end = max(start, offset + body[-1].end)
        words.append(Word(start, end, written.strip(), min(piece.probability for piece in body), spaced=spaced))
    return words


def _belongs(before: str, piece: str) -> bool:
    """Whether a piece is part of the word before it in its segment."""
    if not sounds(before):
        return True
    if not sounds(piece):
        return unicodedata.category(piece.strip()[0]) not in ("Ps", "Pi") and piece.strip()[0] not in "¿¡"
    return not piece[0].isspace() and continues(before, piece)
