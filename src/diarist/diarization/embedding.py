"""Which voice speaks in each slot of each chunk.

pyannote.audio runs the embedding network once for each slot of each chunk, so that every second of audio passes
through it thirty times. The network's trunk does not depend on the slot (the slot's mask enters where its output is
pooled), and neighbouring chunks share nine tenths of their audio. `OnePass` therefore runs the trunk once over the
recording; `PerChunk` runs it once per chunk, which gives exactly pyannote.audio's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diarist.diarization import graphs
from diarist.diarization.features import FRAME_LENGTH, FRAME_SHIFT, fbank
from diarist.diarization.segmentation import CHUNK_SAMPLES, NUM_FRAMES, Grid, Session

Float = NDArray[np.float32]

_CHUNK_FBANK_FRAMES = (CHUNK_SAMPLES - FRAME_LENGTH) // FRAME_SHIFT + 1  # 998
_PIECE = 1000  # FBANK frames computed at a time
_SHORTEST = 100  # FBANK frames that the trunk is given
_CENTRING = 1000  # FBANK frames, about a chunk, over which features are centred


@dataclass(frozen=True)
class EmbeddingModel:
    """A speaker embedding network, ready to run.

    Attributes:
        trunk: FBANK to frames, as `graphs.resnet34` or `graphs.campplus` make it.
        pool: masked statistics and last layer, as `graphs.pooling` makes it.
        dimension: length of an embedding.
        size: length of one of the trunk's frames.
        subsampling: FBANK frames for each of the trunk's frames.
        window: of the FBANK.
        needs_context: whether the trunk takes the inputs that `graphs.context_of` makes.
        block: FBANK frames that a trunk pass yields (a multiple of ``subsampling``).
        margin: FBANK frames that it sees on either side besides.
    """

    trunk: Session
    pool: Session
    dimension: int
    size: int
    subsampling: int
    window: Literal["hamming", "povey"]
    needs_context: bool
    block: int
    margin: int

    def frames(self, features: Float) -> Float:
        """Run the trunk on centred features ``(batch, num_frames, 80)``; gives ``(batch, size, num_pooled)``."""
        inputs: dict[str, Any] = {"fbank": features}
        if self.needs_context:
            inputs["context"], inputs["stretch"] = graphs.context_of(-(-features.shape[1] // self.subsampling))
        frames: Float = self.trunk.run(None, inputs)[0]
        return frames

    def embed(self, frames: Float, weights: Float) -> Float:
        """Pool ``frames (size, num_pooled)`` under ``weights (num_masks, num_pooled)`` into embeddings."""
        embeddings: Float = self.pool.run(None, {"frames": frames, "weights": weights})[0]
        return embeddings


class Embedder(Protocol):
    """Embeds the slots of consecutive groups of chunks of one recording."""

    def embed(self, first_chunk: int, masks: NDArray[np.bool_]) -> Float:
        """Embed a group of chunks; groups come in order.

        Args:
            first_chunk: number of the group's first chunk.
            masks: ``(num_chunks, NUM_SLOTS, NUM_FRAMES)`` frames to use.

        Returns:
            ``(num_chunks, NUM_SLOTS, dimension)`` float32, NaN for slots with an empty mask.
        """


class OnePass:
    """Runs the trunk once over the recording, in blocks, where somebody speaks.

    The one approximation: features are centred on the mean of the ten seconds around each frame, where pyannote.audio
    takes the mean of the chunk. Of the silence that fills the last chunk nothing is computed: with it, a voice heard
    for three seconds was hardly nearer to itself than to strangers.

    Args:
        model: the network.
        samples: ``(num_samples,)`` of the recording, or of a part of it with the margins that `reach` asks for.
        origin: the recording's sample at which ``samples`` begins.
        grid: the recording's chunks.
        executor: runs blocks side by side.
    """

    def __init__(self, model: EmbeddingModel, samples: Float, origin: int, grid: Grid, executor: Executor) -> None:
        self._model = model
        self._grid = grid
        self._fbank = _Fbank(model, samples, origin, grid)
        self._features = _Pieces(executor)
        self._blocks = _Pieces(executor)
        heard = max(grid.num_samples, _SHORTEST * FRAME_SHIFT)
        self._num_features = (min(heard, grid.padded_samples) - FRAME_LENGTH) // FRAME_SHIFT + 1

    def embed(self, first_chunk: int, masks: NDArray[np.bool_]) -> Float:
        """See `Embedder`."""
        model = self._model
        hop = self._grid.step_samples / FRAME_SHIFT / model.subsampling
        per_chunk = CHUNK_SAMPLES // FRAME_SHIFT // model.subsampling
        starts = np.rint((first_chunk + np.arange(len(masks))) * hop).astype(int)
        origin, end = starts[0], starts[-1] + per_chunk
        chunks, slots = np.nonzero(masks.any(axis=2))
        weights = np.zeros((len(chunks), end - origin), np.float32)
        for row, (chunk, slot) in enumerate(zip(chunks, slots, strict=True)):
            time = (np.arange(per_chunk) + starts[chunk]) * model.subsampling * FRAME_SHIFT
            time -= (first_chunk + chunk) * self._grid.step_samples
            frame = np.clip(time * NUM_FRAMES // CHUNK_SAMPLES, 0, NUM_FRAMES - 1)
            weights[row, starts[chunk] - origin :][:per_chunk] = masks[chunk, slot, frame]
        embeddings = np.full((*masks.shape[:2], model.dimension), np.nan, np.float32)
        if len(chunks):
            frames = self._frames(origin, end, np.asarray(weights.any(axis=0)))
            embeddings[chunks, slots] = model.embed(frames, weights)
        return embeddings

    def _frames(self, first: int, last: int, needed: NDArray[np.bool_]) -> Float:
        """The trunk's frames ``[first, last)``; those of blocks without any needed frame are left zero."""
        model = self._model
        size = model.block // model.subsampling
        blocks = [
            block
            for block in range(first // size, min(-(-last // size), -(-self._num_features // model.block)))
            if needed[max(0, block * size - first) : (block + 1) * size - first].any()
        ]
        frames = np.zeros((self._model.size, last - first), np.float32)
        self._fetch_features(blocks)
        for block, values in zip(blocks, self._blocks.fetch(blocks, self._block), strict=True):
            a, b = max(first, block * size), min(last, block * size + values.shape[1])
            frames[:, a - first : b - first] = values[:, a - block * size : b - block * size]
        self._blocks.forget(first // size)
        return frames

    def _fetch_features(self, blocks: Iterable[int]) -> None:
        """Compute in parallel what `_block` will read, and forget what it no longer needs."""
        spans = [self._feature_span(block) for block in blocks]
        if spans:
            self._features.forget(spans[0][0] // _PIECE)
            self._features.fetch(range(spans[0][0] // _PIECE, -(-spans[-1][1] // _PIECE)), self._fbank)

    def _feature_span(self, block: int) -> tuple[int, int]:
        reach = self._model.margin + _CENTRING
        return max(0, block * self._model.block - reach), min(
            self._num_features, (block + 1) * self._model.block + reach
        )

    def _block(self, block: int) -> Float:
        model, total = self._model, self._num_features
        a, b = block * model.block, min((block + 1) * model.block, total)
        low, high = max(0, a - model.margin), min(total, b + model.margin)
        left, right = self._feature_span(block)
        pieces = range(left // _PIECE, -(-right // _PIECE))
        features = np.concatenate(self._features.fetch(pieces, self._fbank))
        offset = pieces[0] * _PIECE
        sums = np.cumsum(features, axis=0, dtype=np.float64)
        sums = np.vstack([np.zeros_like(sums[:1]), sums])
        begin = np.clip(np.arange(low, high) - _CENTRING // 2, 0, max(0, total - _CENTRING))
        finish = np.minimum(begin + _CENTRING, total)
        means = (sums[finish - offset] - sums[begin - offset]) / (finish - begin)[:, None]
        centred = features[low - offset : high - offset] - means.astype(np.float32)
        skip = (a - low) // model.subsampling
        frames: Float = model.frames(centred[None])[0][:, skip : skip + -(-(b - a) // model.subsampling)]
        return frames


class PerChunk:
    """Runs the trunk once per chunk, as pyannote.audio's numbers require. Takes what `OnePass` takes."""

    def __init__(self, model: EmbeddingModel, samples: Float, origin: int, grid: Grid, executor: Executor) -> None:
        self._model = model
        self._grid = grid
        self._fbank = _Fbank(model, samples, origin, grid)
        self._features = _Pieces(executor)
        self._executor = executor

    def embed(self, first_chunk: int, masks: NDArray[np.bool_]) -> Float:
        """See `Embedder`."""
        embeddings = np.full((*masks.shape[:2], self._model.dimension), np.nan, np.float32)
        active = np.flatnonzero(masks.any(axis=(1, 2)))
        if not len(active):
            return embeddings
        hop = self._grid.step_samples // FRAME_SHIFT
        low = (first_chunk + active[0]) * hop
        high = (first_chunk + active[-1]) * hop + _CHUNK_FBANK_FRAMES
        self._features.forget(low // _PIECE)
        features = np.concatenate(self._features.fetch(range(low // _PIECE, -(-high // _PIECE)), self._fbank))

        def embed_chunk(chunk: int) -> Float:
            start = (first_chunk + chunk) * hop - low // _PIECE * _PIECE
            part = features[start : start + _CHUNK_FBANK_FRAMES]
            frames = self._model.frames((part - part.mean(axis=0))[None])[0]
            # torch's nearest interpolation of the mask to the trunk's frame rate
            nearest = np.arange(frames.shape[1]) * NUM_FRAMES // frames.shape[1]
            return self._model.embed(frames, masks[chunk][:, nearest].astype(np.float32))

        for chunk, values in zip(active, self._executor.map(embed_chunk, active), strict=True):
            speaks = masks[chunk].any(axis=1)
            embeddings[chunk, speaks] = values[speaks]
        return embeddings


def reach(model: EmbeddingModel, grid: Grid, first_chunk: int, last_chunk: int) -> tuple[int, int]:
    """The samples ``[start, end)`` that embedding chunks ``[first_chunk, last_chunk)`` reads, within the recording."""
    block = model.block * FRAME_SHIFT
    margin = (model.margin + _CENTRING + _PIECE) * FRAME_SHIFT
    first = first_chunk * grid.step_samples // block * block
    last = (last_chunk - 1) * grid.step_samples + CHUNK_SAMPLES
    return max(0, first - margin), min(grid.num_samples, -(-last // block) * block + margin + FRAME_LENGTH)


class _Fbank:
    """FBANK of the recording in pieces, counted from its beginning, with silence after its end."""

    def __init__(self, model: EmbeddingModel, samples: Float, origin: int, grid: Grid) -> None:
        self._window = model.window
        self._samples = samples
        self._origin = origin
        self._padded = grid.padded_samples

    def __call__(self, piece: int) -> Float:
        start = piece * _PIECE * FRAME_SHIFT
        end = min(start + (_PIECE - 1) * FRAME_SHIFT + FRAME_LENGTH, self._padded)
        part = self._samples[start - self._origin : end - self._origin]
        if len(part) < end - start:
            part = np.pad(part, (0, end - start - len(part)))
        return fbank(part, self._window)


class _Pieces:
    """Numbered pieces that are computed when first asked for, in parallel, and kept until forgotten."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._kept: dict[int, Float] = {}

    def fetch(self, numbers: Iterable[int], compute: Callable[[int], Float]) -> list[Float]:
        # The function is not kept: it may be a method of who keeps this, and a cycle would hold the pieces for long.
        wanted = list(numbers)
        missing = [number for number in wanted if number not in self._kept]
        computed: Iterator[Float] = map(compute, missing) if len(missing) < 2 else self._executor.map(compute, missing)
        self._kept.update(zip(missing, computed, strict=True))
        return [self._kept[number] for number in wanted]

    def forget(self, before: int) -> None:
        for number in [number for number in self._kept if number < before]:
            del self._kept[number]
