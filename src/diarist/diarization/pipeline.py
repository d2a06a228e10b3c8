"""The diarization engine: from samples to speaker turns with ONNX Runtime, numpy and scipy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import Audio
from diarist.diarization import reconstruct as rebuild
from diarist.diarization.clustering import Bounds, Clustering
from diarist.diarization.embedding import Embedder, EmbeddingModel, OnePass, PerChunk, Session, reach
from diarist.diarization.segmentation import (
    CHUNK_SAMPLES,
    Grid,
    chunk_samples,
    slot_probabilities,
    usable_masks,
)
from diarist.model.errors import DiaristError, EngineError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo

_BATCH = 8  # chunks in one run of the segmentation model
_GROUP = 32  # chunks whose embeddings are computed together


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the networks found in consecutive chunks: all that clustering needs.

    Attributes:
        first_chunk: number of the first chunk.
        classes: ``(num_chunks, 589)`` uint8, powerset class of each frame.
        activity: ``(num_chunks, 589, 3)`` uint8, probability of each slot in 255ths.
        embeddings: ``(num_chunks, 3, dimension)`` float32, NaN for slots that are not active.
    """

    first_chunk: int
    classes: NDArray[np.uint8]
    activity: NDArray[np.uint8]
    embeddings: NDArray[np.float32]


class WindowedDiarizer:
    """Segments overlapping chunks, embeds their speakers, clusters the embeddings, and puts the chunks together.

    Args:
        model: what to name in the result.
        segmenter: the segmentation model.
        embedding: the embedding model.
        clustering: how voices are told apart.
        exact: embed each chunk on its own, as pyannote.audio does, rather than run the trunk once.
        threads: how many chunks or blocks are computed side by side. The result does not depend on it.
    """

    def __init__(
        self,
        model: ModelInfo,
        segmenter: Session,
        embedding: EmbeddingModel,
        clustering: Clustering,
        *,
        exact: bool = False,
        threads: int = 1,
    ) -> None:
        self._model = model
        self._segmenter = segmenter
        self._embedding = embedding
        self._clustering = clustering
        self._exact = exact
        self._threads = threads

    @property
    def model(self) -> ModelInfo:
        """What will be named in the transcript."""
        return self._model

    def diarize(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Diarization:
        """See `diarist.diarization.base.Diarizer`."""
        grid = Grid(len(audio.samples))
        started = time.perf_counter()
        progress("diarization", 0.0)
        evidence = self.segment_and_embed(audio.samples, 0, grid, 0, grid.num_chunks, progress)
        embedded = time.perf_counter()
        result = self.cluster([evidence], len(audio.samples), options)
        timings = {
            "diarization.networks": embedded - started,
            "diarization.clustering": time.perf_counter() - embedded,
        }
        progress("diarization", 1.0)
        return Diarization(
            turns=result.turns,
            exclusive=result.exclusive,
            duration=audio.duration,
            model=self._model,
            embeddings=result.embeddings,
            scores=result.scores,
            timings=timings,
            warnings=result.warnings,
        )
