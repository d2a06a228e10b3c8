"""`Audio`: a recording as every engine takes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A mono recording at 16 kHz with 16-bit sample values.

    Every value is a multiple of 1/32768, so a lossless trip over a wire (FLAC) gives the same samples, and hence the
    same transcript, wherever the engines run.

    Attributes:
        samples: ``(num_samples,)`` float32 in [-1, 1).
        warnings: one line for each thing that was wrong with the recording and was mended, e.g. that it is cut short.
    """

    samples: NDArray[np.float32]
    warnings: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def peak(self) -> float:
        """Largest magnitude of a sample; 1 is full scale."""
        return max(float(self.samples.max()), -float(self.samples.min())) if len(self.samples) else 0.0

    def part(self, start: float, stop: float | None) -> Audio:
        """Return what lies between two times in seconds; without ``stop``, all from ``start``."""
        last = None if stop is None else round(stop * SAMPLE_RATE)
        return replace(self, samples=self.samples[round(start * SAMPLE_RATE) : last])

    def __repr__(self) -> str:
        return f"<Audio: {self.duration:.1f} s>"
