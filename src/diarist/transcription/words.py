"""What every engine's words must hold to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from diarist.model.transcript import Word

MIN_SECONDS: Final = 0.02
"""No word is shorter: the time resolution of Whisper, and a quarter of a Parakeet frame."""


def in_order(words: Sequence[Word], duration: float, shortest: float = MIN_SECONDS) -> tuple[Word, ...]:
    """Give words times that lie in the recording, follow each other, do not overlap and are never zero.

    A word that begins before the one ahead of it ends begins there instead, and a word shorter than ``shortest`` is
    lengthened at its end, which pushes the next one on. At the end of the recording the same is done backwards. Where
    more words than fit claim a stretch, each gets an equal share of the recording. Times that already hold are kept.

    Args:
        words: in the order they were spoken.
        duration: length of the recording in seconds.
        shortest: least length of a word in seconds.
    """
    if not words:
        return ()
    shortest = min(shortest, duration / len(words))
    times = []
    reached = 0.0
    for word in words:
        start = max(word.start, reached)
        reached = max(word.end, start + shortest)
        times.append((start, reached))
    limit = duration
    for index in reversed(range(len(times))):
        start, end = times[index]
        if end <= limit:
            break
        start = min(start, limit - shortest)
        times[index] = (start, limit)
        limit = start
    return tuple(
        word if (word.start, word.end) == (start, end) else replace(word, start=max(0.0, start), end=max(0.0, end))
        for word, (start, end) in zip(words, times, strict=True)
    )
