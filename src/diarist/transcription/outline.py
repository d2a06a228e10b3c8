"""What is known of a recording before its words are: where there is voice, and the windows it will be heard in.

An outline is all that must be known of the whole recording to recognise any part of it, so that parts may be recognised
elsewhere. Times are the recording's everywhere: a part gives the same words, to the last digit, wherever it is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.model.timeline import Span
from diarist.transcription.vad import FRAME_SECONDS
from diarist.transcription.windows import Window

_BESIDE: Final = 32.0
"""Seconds of voice that a part knows on either side of its windows: Whisper fills a window up to 30 s with silence, and
may say of a passage that it ends in there."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A recording's voice and windows, or those of a part of it.

    Attributes:
        num_samples: length of the whole recording.
        probability: ``(num_frames,)`` float32 of voice, in frames of `diarist.transcription.vad.FRAME_SECONDS`.
        regions: stretches with voice, in order and disjoint.
        windows: what will be recognised, in order.
        first_frame: the recording's frame at which ``probability`` begins.
        language: what is spoken, if it was given or told by its sound; None where the words will tell, or nothing does.
    """

    num_samples: int
    probability: NDArray[np.float32]
    regions: Sequence[Span]
    windows: Sequence[Window]
    first_frame: int = 0
    language: str | None = None

    @property
    def duration(self) -> float:
        """Length of the whole recording in seconds."""
        return self.num_samples / SAMPLE_RATE

    def part(self, first: int, last: int) -> Outline:
        """What is needed to recognise windows ``[first, last)``; one at least."""
        windows = self.windows[first:last]
        start, end = windows[0].heard.start - _BESIDE, max(window.heard.end for window in windows) + _BESIDE
        near = slice(max(0, int(start / FRAME_SECONDS)), int(end / FRAME_SECONDS) + 1)
        return replace(
            self,
            windows=tuple(windows),
            probability=self.probability[near].copy(),
            regions=tuple(region for region in self.regions if region.end > start and region.start < end),
            first_frame=near.start,
        )

    def from_start(self) -> NDArray[np.float32]:
        """The probability from the recording's first frame on; 0 for what a part does not know."""
        if not self.first_frame:
            return self.probability
        found = np.zeros(self.first_frame + len(self.probability), np.float32)
        found[self.first_frame :] = self.probability
        return found
