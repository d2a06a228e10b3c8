"""How one recording is cut into units of work. Pure.

The caller finds the voice of the whole recording, as a single pass does, and each unit is sent the windows that begin
in it. So units of any length give the words of a single pass, and no cut is made for their sake. Anchors, at which
every worker would find its own voice, were rejected: they need other cuts in every recording, and units of one length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.diarization.engine import Portion
from diarist.model.errors import InputError
from diarist.transcription.outline import Outline

CHUNKS: Final = 640
"""Chunks of a unit, each a second after the one before: 10 min 40 s. What a unit hears beyond its own is 50 s."""
FEWEST_CHUNKS: Final = 128
WHOLE_CHUNKS: Final = 64
"""Units of a multiple of so many chunks give the evidence of a single pass, bit for bit."""


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A part of a recording that one worker computes by itself.

    Attributes:
        number: from 0, in order of time.
        start: the recording's first sample that it is given.
        end: sample after the last.
        words: the windows whose words it finds, and the voice around them; None where no window begins in it.
        portion: the chunks in which it finds voices to be told apart; None where speakers are not wanted.
    """

    number: int
    start: int
    end: int
    words: Outline | None
    portion: Portion | None

    @property
    def seconds(self) -> float:
        """Seconds of audio that are computed: what it costs, as far as that is known before."""
        chunks = 0.0
        if self.portion is not None:
            chunks = (self.portion.last_chunk - self.portion.first_chunk) * self.portion.grid.step_samples / SAMPLE_RATE
        windows = sum(window.heard.duration for window in self.words.windows) if self.words is not None else 0.0
        return chunks + 2 * windows  # on a CPU, words take more than twice what speakers take

    @property
    def num_bytes(self) -> int:
        """Bytes of the samples on their way to a worker."""
        return 2 * (self.end - self.start)

    def cut(self, audio: Audio) -> NDArray[np.int16]:
        """Its samples ``(end - start,)`` of the whole recording, without loss: those of `Audio` have 16 bits."""
        return np.rint(audio.samples[self.start : self.end] * 32768).astype(np.int16)


def units(outline: Outline, portions: Sequence[Portion], chunks: int = CHUNKS) -> tuple[Unit, ...]:
    """Cut a recording into units.

    Args:
        outline: of the whole recording.
        portions: its chunks as `diarist.diarization.engine.WindowedDiarizer.windows` cuts them, ``chunks`` in each;
            none where speakers are not wanted.
        chunks: how long a unit is; see `checked`.

    Returns:
        Units in order, one at least. Every window and every chunk is in one of them.
    """
    length = chunks * (portions[0].grid.step_samples if portions else SAMPLE_RATE)
    number = len(portions) or max(1, -(-outline.num_samples // length))
    starts = [window.core.start for window in outline.windows]
    edges = [bisect_left(starts, index * length / SAMPLE_RATE) for index in range(number)]
    found = []
    for index, (first, last) in enumerate(pairwise([*edges, len(starts)])):
        words = outline.part(first, last) if first < last else None
        portion = portions[index] if portions else None
        reaches = [(portion.start, portion.end)] if portion else []
        if words is not None:
            reaches += [
                (round(window.heard.start * SAMPLE_RATE), round(window.heard.end * SAMPLE_RATE))
                for window in words.windows
            ]
        start, end = (min(a for a, _ in reaches), max(b for _, b in reaches)) if reaches else (0, 0)
        found.append(Unit(index, start, min(end, outline.num_samples), words, portion))
    return tuple(found)


def checked(chunks: int) -> int:
    """Return a number of chunks that a unit may have.

    Raises:
        InputError: it is less than `FEWEST_CHUNKS`, or no multiple of `WHOLE_CHUNKS`.
    """
    if chunks < FEWEST_CHUNKS or chunks % WHOLE_CHUNKS:
        raise InputError(
            "bad_unit",
            f"A unit cannot have {chunks} chunks.",
            f"Choose a multiple of {WHOLE_CHUNKS}, {FEWEST_CHUNKS} at least.",
        )
    return chunks
