"""Who speaks when within ten seconds: the segmentation model's chunks, and what its outputs mean.

Constants of pyannote/segmentation-3.0: 10 s chunks, three speaker slots of which at most two are active at once
(model card), one frame each 270 samples with a receptive field of 991 samples (SincNet's strides 10·3·3·3 and kernels
251, 3, 5, 3, 5, 3). The chunks hop by one second (``segmentation_step`` 0.1 in pyannote.audio's pipeline).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.diarization.graphs import INSTANCE_NORM_EPSILON, SINC_POOL, SINC_STRIDE

CHUNK_SAMPLES = 10 * SAMPLE_RATE
NUM_FRAMES = 589
NUM_SLOTS = 3
FRAME_STEP_SAMPLES = 270
FRAME_STEP = FRAME_STEP_SAMPLES / SAMPLE_RATE
_POOLED = ((CHUNK_SAMPLES - 251) // SINC_STRIDE + 1) // SINC_POOL  # outputs of the first layer for one chunk
FRAME_CENTRE = 991 / SAMPLE_RATE / 2  # of frame 0, in seconds

# Powerset classes in the model's order: nobody, each slot alone, each pair (pyannote.audio, `Powerset`).
POWERSET = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8)


class Session(Protocol):
    """The part of `onnxruntime.InferenceSession` that is used here."""

    def run(self, output_names: list[str] | None, inputs: dict[str, Any]) -> list[Any]:
        """Run the model."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The chunks of ten seconds that cover a recording.

    Attributes:
        num_samples: length of the recording.
        step_samples: hop from one chunk to the next.
    """

    num_samples: int
    step_samples: int = SAMPLE_RATE

    @property
    def num_chunks(self) -> int:
        """Chunks needed; the last one may reach past the end, where silence is assumed."""
        return 1 + max(0, -(-(self.num_samples - CHUNK_SAMPLES) // self.step_samples))

    @property
    def padded_samples(self) -> int:
        """Length of the recording with the silence that fills the last chunk."""
        return (self.num_chunks - 1) * self.step_samples + CHUNK_SAMPLES

    @property
    def num_frames(self) -> int:
        """Frames of the whole recording, padding of the last chunk included."""
        return round(self.padded_samples / FRAME_STEP_SAMPLES) + 1

    def first_frame(self, chunk: int) -> int:
        """The recording's frame that is closest to the first frame of a chunk."""
        return round(chunk * self.step_samples / FRAME_STEP_SAMPLES)


def slot_probabilities(log_probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn powerset log-probabilities ``(…, 7)`` into the probability of each slot, ``(…, 3)``."""
    return np.exp(log_probs) @ POWERSET.astype(np.float32)


def usable_masks(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Frames from which to embed each slot: those where it speaks alone, or all of its frames where those are too few.

    "Too few" is what pyannote.audio 4.0.7 computes from the shortest input its embedding network takes (400 samples).

    Args:
        classes: ``(num_chunks, NUM_FRAMES)`` powerset classes.

    Returns:
        ``(num_chunks, NUM_SLOTS, NUM_FRAMES)``; a slot that never speaks has no frames.
    """
    active = POWERSET[classes].transpose(0, 2, 1).astype(np.bool_)
    alone = active & (active.sum(axis=1, keepdims=True) < 2)
    fewest = -(-NUM_FRAMES * 400 // CHUNK_SAMPLES)
    return np.where(alone.sum(axis=2, keepdims=True) > fewest, alone, active)


@dataclass(frozen=True, slots=True, eq=False)
class Segmenter:
    """Segmentation-3.0, ready to run.

    pyannote.audio runs all of it on each chunk. Its first layer, a third of the work, is linear up to the pooling that
    follows it, so that chunks which overlap share its output; the chunk's own normalisation is applied to that.

    Attributes:
        front: `graphs.sincnet` as a session.
        back: `graphs.pyannet` as a session.
        weight: of the normalisation of the samples.
        bias: likewise.
        filter_sums: ``(80,)`` sum of each filter's taps: how much of a constant it lets through.
    """

    front: Session
    back: Session
    weight: float
    bias: float
    filter_sums: NDArray[np.float64]

    def log_probs(
        self, samples: NDArray[np.float32], origin: int, grid: Grid, first: int, last: int
    ) -> NDArray[np.float32]:
        """Powerset log-probabilities of chunks ``[first, last)``: ``(last - first, NUM_FRAMES, 7)``.

        Args:
            samples: of the recording from sample ``origin`` on; silence follows its end.
            origin: see ``samples``.
            grid: the recording's chunks.
            first: number of the first chunk.
            last: number of the chunk after the last.
        """
        start, end = first * grid.step_samples, (last - 1) * grid.step_samples + CHUNK_SAMPLES
        part = samples[start - origin : end - origin]
        if len(part) < end - start:
            part = np.pad(part, (0, end - start - len(part)))
        extremes = self.front.run(None, {"samples": part[None, None]})
        mean, variance = _moments(part, grid, last - first)
        # The absolute value follows: it does not matter if the weight is negative.
        scale = abs(self.weight) / np.sqrt(variance + INSTANCE_NORM_EPSILON)
        shift = (np.sign(self.weight) * self.bias / scale - mean)[:, None] * self.filter_sums
        high, low = (np.empty((last - first, len(self.filter_sums), _POOLED), np.float32) for _ in range(2))
        for chunk in range(last - first):
            at, phase = divmod(chunk * grid.step_samples // SINC_STRIDE, SINC_POOL)
            high[chunk] = extremes[2 * phase][0, :, at : at + _POOLED]
            low[chunk] = extremes[2 * phase + 1][0, :, at : at + _POOLED]
        inputs = {
            "high": high,
            "low": low,
            "scale": scale.astype(np.float32)[:, None, None],
            "shift": shift.astype(np.float32)[:, :, None],
        }
        log_probs: NDArray[np.float32] = self.back.run(None, inputs)[0]
        return log_probs


def _moments(part: NDArray[np.float32], grid: Grid, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and biased variance (as torch's InstanceNorm1d takes it) of the first ``count`` chunks."""
    begin = np.arange(count) * grid.step_samples
    sums = []
    for power in (part, np.square(part)):
        total = np.concatenate([[0], np.cumsum(power, dtype=np.float64)])
        sums.append((total[begin + CHUNK_SAMPLES] - total[begin]) / CHUNK_SAMPLES)
    return sums[0], np.maximum(sums[1] - sums[0] ** 2, 0)
