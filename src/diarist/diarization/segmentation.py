"""Who speaks when within ten seconds: the segmentation model's chunks, and what its outputs mean.

Constants of pyannote/segmentation-3.0: 10 s chunks, three speaker slots of which at most two are active at once
(model card), one frame each 270 samples with a receptive field of 991 samples (SincNet's strides 10·3·3·3 and kernels
251, 3, 5, 3, 5, 3). The chunks hop by one second (``segmentation_step`` 0.1 in pyannote.audio's pipeline).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE

CHUNK_SAMPLES = 10 * SAMPLE_RATE
NUM_FRAMES = 589
NUM_SLOTS = 3
FRAME_STEP_SAMPLES = 270
FRAME_STEP = FRAME_STEP_SAMPLES / SAMPLE_RATE
FRAME_CENTRE = 991 / SAMPLE_RATE / 2  # of frame 0, in seconds

# Powerset classes in the model's order: nobody, each slot alone, each pair (pyannote.audio, `Powerset`).
POWERSET = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8)


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


def chunk_samples(samples: NDArray[np.float32], origin: int, grid: Grid, first: int, last: int) -> NDArray[np.float32]:
    """Cut chunks ``[first, last)`` as ``(last - first, 1, CHUNK_SAMPLES)``, with silence after the recording's end.

    Args:
        samples: of the recording from sample ``origin`` on.
        origin: see ``samples``.
        grid: the recording's chunks.
        first: number of the first chunk.
        last: number of the chunk after the last.
    """
    start, end = first * grid.step_samples, (last - 1) * grid.step_samples + CHUNK_SAMPLES
    part = samples[start - origin : end - origin]
    if len(part) < end - start:
        part = np.pad(part, (0, end - start - len(part)))
    return np.lib.stride_tricks.sliding_window_view(part, CHUNK_SAMPLES)[:: grid.step_samples, None]
