"""One recording on its way through an engine: the frame of all our own transcribers.

Where there is voice, the windows it is cut into, their words recognised, joined, put in order and handed over as they
come. An engine brings what recognises the words of some windows, and its languages.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.progress import Progress, ignore
from diarist.model.timeline import Span
from diarist.model.transcript import Word
from diarist.transcription.base import Heard, unheard
from diarist.transcription.vad import voice_probability, voice_regions
from diarist.transcription.windows import MAX_SECONDS, Recognise, Window, plan, recognise_windows
from diarist.transcription.words import in_order

STAGE: Final = "transcription"


class Hearing:
    """A recording whose voice is found, when this is made, and whose words are then recognised.

    Args:
        audio: the recording.
        progress: told of all the work as `diarist.transcription.base.Transcriber` says.
        heard: told the words as they are final.
        voice_share: finding the voice, as a share of all the work.
        context: seconds that every window hears beyond its core on each side.

    Attributes:
        probability: ``(num_frames,)`` of voice, in frames of `diarist.transcription.vad.FRAME_SECONDS`.
        regions: stretches with voice.
        windows: what will be recognised.
    """

    def __init__(
        self,
        audio: Audio,
        progress: Progress = ignore,
        heard: Heard = unheard,
        *,
        voice_share: float = 0.1,
        context: float = 0.0,
    ) -> None:
        self._audio, self._progress, self._heard, self._voice_share = audio, progress, heard, voice_share
        self._began = time.perf_counter()
        progress(STAGE, 0.0)
        self.probability = voice_probability(audio.samples, lambda done: progress(STAGE, voice_share * done))
        self.regions = voice_regions(self.probability)
        self.windows: Sequence[Window] = plan(self.probability, audio.duration, MAX_SECONDS, context)
        self._found_voice = time.perf_counter()

    def cut(self, span: Span) -> NDArray[np.float32]:
        """The samples of a stretch."""
        return self._audio.samples[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]

    def recognise(self, recognise: Recognise, batch: int = 1) -> tuple[Word, ...]:
        """Recognise the words of all windows; each is handed over when no later window can change it.

        Args:
            recognise: the engine.
            batch: how many windows it likes at a time.

        Returns:
            What was handed over: words in order that lie in the recording and do not overlap.
        """
        words: list[Word] = []
        waiting: list[Word] = []

        def final(more: Sequence[Word], before: float) -> None:
            waiting.extend(more)
            reached = words[-1].end if words else 0.0
            if before < math.inf:
                # Those that reach beyond what is final may be pushed together at the recording's end.
                placed = in_order(waiting, math.inf, start=reached)
                placed = tuple(takewhile(lambda word: word.end <= before, placed))
            else:
                placed = in_order(waiting, self._audio.duration, start=reached)
            del waiting[: len(placed)]
            words.extend(placed)
            if placed:
                self._heard(placed)

        share = self._voice_share
        recognise_windows(
            self.windows,
            recognise,
            batch=batch,
            probability=self.probability,
            report=lambda done: self._progress(STAGE, share + (1 - share) * done),
            final=final,
        )
        self._progress(STAGE, 1.0)
        return tuple(words)

    def timings(self) -> dict[str, float]:
        """Seconds for finding the voice, and from there until now."""
        return {
            "voice_detection": round(self._found_voice - self._began, 3),
            "recognition": round(time.perf_counter() - self._found_voice, 3),
        }
