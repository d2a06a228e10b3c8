"""What the networks found in a recording, and how it is kept: as bytes, without loss and without pickle."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.clustering import active_slots
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS, POWERSET, Grid
from diarist.model.errors import InputError
from diarist.weights.arrays import Arrays

_MOST_CHUNKS: Final = 100_000
"""28 hours, at one a second. What is packed may be tiny and claim to be long."""

_LEAST_STEP: Final = 1600  # samples
_MOST_DIMENSIONS: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the networks found in consecutive chunks of ten seconds: all that clustering needs.

    Attributes:
        model: the name of the diarization model that made it.
        num_samples: length of the recording.
        step_samples: from the start of one chunk to that of the next.
        first_chunk: number of the first chunk.
        classes: ``(num_chunks, 589)`` uint8, powerset class of each frame.
        activity: ``(num_chunks, 589, 3)`` uint8, probability of each slot in 255ths; 0 for slots that are not active.
        embeddings: ``(num_chunks, 3, dimension)`` float16 (float32 in exact mode), NaN for slots that are not active.
        stretches: ``(num_stretches, dimension)`` int8, the direction of each embedding of
            `diarist.diarization.stretches.stretches`; none where clustering does without.
    """

    model: str
    num_samples: int
    step_samples: int
    first_chunk: int
    classes: NDArray[np.uint8]
    activity: NDArray[np.uint8]
    embeddings: NDArray[np.floating]
    stretches: NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 0), np.int8))

    @property
    def grid(self) -> Grid:
        """The recording's chunks."""
        return Grid(self.num_samples, self.step_samples)

    @property
    def whole(self) -> bool:
        """Whether it is of all chunks of the recording."""
        return self.first_chunk == 0 and len(self.classes) == self.grid.num_chunks

    @classmethod
    def joined(cls, parts: Iterable[Evidence]) -> Evidence:
        """Put together what was found in the windows of one recording.

        Args:
            parts: in any order.

        Raises:
            InputError: they are not of one recording and model, do not follow each other, or there is none.
        """
        ordered = sorted(parts, key=lambda part: part.first_chunk)
        ends = [part.first_chunk + len(part.classes) for part in ordered]
        sources = {(part.model, part.num_samples, part.step_samples) for part in ordered}
        if len(sources) != 1 or ends[:-1] != [part.first_chunk for part in ordered[1:]]:
            raise InputError("bad_evidence", "These are not the windows of one recording.", "Take all of one.")
        return replace(
            ordered[0],
            classes=np.concatenate([part.classes for part in ordered]),
            activity=np.concatenate([part.activity for part in ordered]),
            embeddings=np.concatenate([part.embeddings for part in ordered]),
            stretches=np.concatenate([part.stretches for part in ordered]),
        )

    def to_bytes(self) -> bytes:
        """Pack, without loss, into about 55 kB for each minute of conversation."""
        file = io.BytesIO()
        active = active_slots(self.classes)
        spoken = self.activity.transpose(0, 2, 1)[active]
        np.savez_compressed(
            file,
            model=self.model,
            num_samples=self.num_samples,
            step_samples=self.step_samples,
            first_chunk=self.first_chunk,
            classes=self.classes,
            changes=np.diff(spoken, axis=1, prepend=np.uint8(0)),  # modulo 256; half the size of the values
            embeddings=self.embeddings[active],
            stretches=self.stretches,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Evidence:
        """Unpack what `to_bytes` gave. It may have been damaged since: no more memory is taken than it can need.

        Raises:
            InputError: it is something else.
        """
        try:
            return _unpacked(Arrays(memoryview(data), 2 * len(data) + (1 << 20)))
        except (ValueError, TypeError) as error:
            why = " ".join(str(error).split())[:200]  # it may repeat what the file says
            raise InputError("bad_evidence", f"This is no evidence of a diarizer: {why}.") from error


def _unpacked(arrays: Arrays) -> Evidence:
    """Read evidence within the bounds that its own numbers set.

    Raises:
        ValueError: an array is damaged, missing, or does not fit the others.
    """
    num_samples, step_samples, first_chunk = (
        int(arrays.read(name, (), "i")) for name in ("num_samples", "step_samples", "first_chunk")
    )
    if num_samples < 0 or step_samples < _LEAST_STEP:
        raise ValueError("its chunks cannot be")
    num_chunks = Grid(num_samples, step_samples).num_chunks
    if not 0 <= first_chunk <= num_chunks <= _MOST_CHUNKS:
        raise ValueError("its chunks cannot be")
    most = num_chunks - first_chunk
    classes = arrays.read("classes", (range(most + 1), NUM_FRAMES), "u").astype(np.uint8, casting="no")
    if classes.size and classes.max() >= len(POWERSET):
        raise ValueError("a class is unknown")
    active = active_slots(classes)
    num_active = int(active.sum())
    changes = arrays.read("changes", (num_active, NUM_FRAMES), "u")
    found = arrays.read("embeddings", (num_active, range(1, _MOST_DIMENSIONS + 1)), "f")
    activity = np.zeros((len(classes), NUM_SLOTS, NUM_FRAMES), np.uint8)
    activity[active] = np.cumsum(changes, axis=1, dtype=np.uint8)
    embeddings = np.full((*active.shape, found.shape[1]), np.nan, found.dtype)
    embeddings[active] = found
    stretches = np.zeros((0, found.shape[1]), np.int8)
    if "stretches" in arrays:  # packed by an earlier version, it has none
        dimensions = range(found.shape[1] + 1)
        stretches = arrays.read("stretches", (range(10 * len(classes) + 1), dimensions), "i")
        if len(stretches) and stretches.shape[1] != found.shape[1]:
            raise ValueError("stretches do not fit the embeddings")
    return Evidence(
        model=str(arrays.read("model", (), "U")),
        num_samples=num_samples,
        step_samples=step_samples,
        first_chunk=first_chunk,
        classes=classes,
        activity=activity.transpose(0, 2, 1),
        embeddings=embeddings,
        stretches=stretches.astype(np.int8, casting="no"),
    )
