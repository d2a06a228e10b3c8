"""One recording on its way through an engine: the frame of all our own transcribers.

Where there is voice, the windows it is cut into, their words recognised, joined, put in order and handed over as they
come. An engine brings what recognises the words of some windows, and its languages.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.progress import Progress, ignore
from diarist.model.timeline import Span
from diarist.model.transcript import Word
from diarist.transcription.base import Heard, unheard
from diarist.transcription.outline import Outline
from diarist.transcription.vad import voice_probability, voice_regions
from diarist.transcription.windows import MAX_SECONDS, Recognise, Window, decoded, joined, plan
from diarist.transcription.words import in_order

STAGE: Final = "transcription"


class Hearing:
    """A recording whose voice is found, when this is made, and whose words are then recognised.

    Args:
        audio: the recording; or a part of it, whose outline is known.
        progress: told of all the work as `diarist.transcription.base.Transcriber` says.
        heard: told the words as they are final.
        voice_share: finding the voice, as a share of all the work.
        context: seconds that every window hears beyond its core on each side.
        outline: what is known already; the voice is found now if it is not given.
        origin: the recording's sample at which ``audio`` begins.

    Attributes:
        outline: voice and windows.
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
        outline: Outline | None = None,
        origin: int = 0,
    ) -> None:
        self._audio, self._progress, self._heard, self._origin = audio, progress, heard, origin
        self._voice_share = voice_share if outline is None else 0.0
        self._began = time.perf_counter()
        progress(STAGE, 0.0)
        if outline is None:
            found = voice_probability(audio.samples, lambda done: progress(STAGE, voice_share * done))
            windows = plan(found, audio.duration, MAX_SECONDS, context)
            outline = Outline(len(audio.samples), found, voice_regions(found), windows)
        self.outline = outline
        self.probability = outline.from_start()
        self.regions = outline.regions
        self.windows: Sequence[Window] = outline.windows
        self._found_voice = time.perf_counter()

    def cut(self, span: Span) -> NDArray[np.float32]:
        """The samples of a stretch."""
        start, end = (round(edge * SAMPLE_RATE) - self._origin for edge in (span.start, span.end))
        return self._audio.samples[start:end]

    def recognise(self, recognise: Recognise, batch: int = 1) -> tuple[Word, ...]:
        """Recognise the words of all windows; each is handed over when no later window can change it.

        Args:
            recognise: the engine.
            batch: how many windows it likes at a time.

        Returns:
            What was handed over: words in order that lie in the recording and do not overlap.
        """
        words = put_together(self.outline, self.decoded(recognise, batch), self._heard)
        self._progress(STAGE, 1.0)
        return words

    def decoded(self, recognise: Recognise, batch: int = 1) -> Iterator[list[Word]]:
        """Recognise the words of each window by itself, as `put_together` takes them; arguments as for `recognise`."""
        share = self._voice_share
        return decoded(
            self.windows,
            recognise,
            batch=batch,
            probability=self.probability,
            report=lambda done: self._progress(STAGE, share + (1 - share) * done),
        )

    def timings(self) -> dict[str, float]:
        """Seconds for finding the voice, and from there until now."""
        return {
            "voice_detection": round(self._found_voice - self._began, 3),
            "recognition": round(time.perf_counter() - self._found_voice, 3),
        }


def put_together(outline: Outline, found: Iterable[Sequence[Word]], heard: Heard = unheard) -> tuple[Word, ...]:
    """Make the words of a recording of those of its windows.

    Args:
        outline: of the whole recording.
        found: the words of each of its windows, in order.
        heard: told words as soon as they are final.

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
            placed = in_order(waiting, outline.duration, start=reached)
        del waiting[: len(placed)]
        words.extend(placed)
        if placed:
            heard(placed)

    joined(outline.windows, found, final)
    return tuple(words)
