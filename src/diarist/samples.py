"""Where in a recording a speaker is best heard alone: for ears (``diarist samples``) and for embeddings (voices)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from diarist.model.timeline import Span, gaps
from diarist.model.transcript import Segment, Transcript, Turn, Word

SHORTEST: Final = 1.0
"""Seconds below which a stretch tells nobody who is talking."""


def labels(transcript: Transcript) -> tuple[str, ...]:
    """All speakers of a transcript: those it lists, then others that its segments, words or turns name."""
    named: list[Segment | Word | Turn] = [*transcript.segments, *transcript.words, *transcript.turns]
    others = (item.speaker for item in sorted(named, key=lambda item: item.start))
    return tuple(dict.fromkeys((*transcript.speakers, *(label for label in others if label is not None))))


def best_stretches(
    transcript: Transcript, speaker: str, *, at_most: int, seconds: float, total: float = math.inf
) -> tuple[Span, ...]:
    """Choose the stretches in which a speaker talks alone, the longest and surest first.

    Args:
        transcript: whose turns, or segments if the speaker has no turns, say who talks.
        speaker: a label.
        at_most: how many stretches.
        seconds: the length of a stretch at most; a longer one is cut into several.
        total: how long all of them may be together.

    Returns:
        In order of time: disjoint, inside the recording, nobody else talking, each `SHORTEST` or longer. There may be
        fewer than asked for, or none.
    """
    ranked = sorted(_pieces(transcript, speaker, seconds), key=lambda piece: (-piece[0], piece[1].start))
    chosen: list[Span] = []
    left = total
    for _, span in ranked[:at_most]:
        length = min(span.duration, left)
        if length < SHORTEST:
            break
        chosen.append(Span(span.start, span.start + length))
        left -= length
    return tuple(sorted(chosen, key=lambda span: span.start))


def _pieces(transcript: Transcript, speaker: str, seconds: float) -> Iterator[tuple[float, Span]]:
    """Yield disjoint pieces with a score: seconds times the probability that this is the speaker."""
    own: list[tuple[Span, float | None]] = [(t, t.confidence) for t in transcript.turns if t.speaker == speaker]
    own = own or [(segment, None) for segment in transcript.segments if segment.speaker == speaker]
    # Words count as well: a hasty "yes" of someone else may have no turn.
    heard: list[Turn | Word] = [*transcript.turns, *transcript.words]
    taken: list[Span] = [other for other in heard if other.speaker not in (speaker, None)]
    last = math.floor(transcript.duration * 1000) / 1000
    for span, confidence in sorted(own, key=lambda item: item[0].start):
        within = Span(min(span.start, last), min(span.end, last))
        for alone in gaps(taken, within):
            start = alone.start
            while alone.end - start >= SHORTEST:
                piece = Span(start, min(start + seconds, alone.end))
                yield piece.duration * (1.0 if confidence is None else confidence), piece
                start = piece.end
        taken.append(within)  # turns of one speaker may overlap once two labels were made one


def file_names(speakers: Sequence[str]) -> tuple[str, ...]:
    """Give each speaker a name that every file system takes, no two of them alike even where case does not count."""
    names: list[str] = []
    for speaker in speakers:
        plain = re.sub(r"[^\w -]+", "_", speaker).strip(" _")[:40].strip() or "speaker"
        # Two people may differ only in what was taken out.
        tries = (plain if number == 1 else f"{plain}_{number}" for number in count(1))
        names.append(next(name for name in tries if name.casefold() not in {taken.casefold() for taken in names}))
    return tuple(names)
