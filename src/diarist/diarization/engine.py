"""The diarization engine: from samples to speaker turns.

Work comes in two steps: `WindowedDiarizer.evidence` runs the networks, `WindowedDiarizer.cluster` finds the speakers in
what they gave, and can do so again for another number of them. So that one recording can be spread over machines,
`WindowedDiarizer.segment_and_embed` runs the networks on a part of it, and `Evidence.joined` puts the parts together.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.diarization.clustering import NOBODY, Bounds, Clustering, Clusters, active_slots
from diarist.diarization.embedding import Embedder, EmbeddingModel, OnePass, PerChunk, reach
from diarist.diarization.evidence import Evidence
from diarist.diarization.reconstruct import Activity, reconstruct, soft_scores, turns
from diarist.diarization.segmentation import (
    NUM_FRAMES,
    NUM_SLOTS,
    Grid,
    Segmenter,
    slot_probabilities,
    usable_masks,
)
from diarist.diarization.stretches import directions, stretch_masks
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo

_BATCH = 8  # chunks in one run of the segmentation model
_GROUP = 64  # chunks between two reports of progress, embedded together


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of a recording as a unit of work: consecutive chunks, and the samples that they need.

    Attributes:
        grid: the recording's chunks.
        first_chunk: number of its first chunk.
        last_chunk: number of the chunk after its last.
        start: first sample of the recording to hand over.
        end: sample after the last to hand over.
    """

    grid: Grid
    first_chunk: int
    last_chunk: int
    start: int
    end: int


class WindowedDiarizer:
    """Segments overlapping chunks, embeds their speakers, clusters the embeddings, and puts the chunks together.

    Args:
        model: what to name in the result.
        segmenter: the segmentation model.
        embedding: the embedding model.
        clustering: how voices are told apart.
        exact: embed each chunk on its own, as pyannote.audio does, rather than run the trunk once.
        threads: how many chunks or blocks are computed side by side. The result does not depend on it.
        step: seconds from one chunk to the next.
        unclustered_after: see `diarist.diarization.reconstruct.reconstruct`.
        stretches: embed `diarist.diarization.stretches.stretches` besides, for clusterings that take them.
    """

    def __init__(
        self,
        model: ModelInfo,
        segmenter: Segmenter,
        embedding: EmbeddingModel,
        clustering: Clustering,
        *,
        exact: bool = False,
        threads: int = 1,
        step: float = 1.0,
        unclustered_after: float = 0.0,
        stretches: bool = False,
    ) -> None:
        self._model = model
        self._segmenter = segmenter
        self._embedding = embedding
        self.clustering = clustering
        self._exact = exact
        self._threads = threads
        self._unclustered_after = unclustered_after
        self._stretches = stretches
        self._step_samples = round(step * SAMPLE_RATE)

    @property
    def model(self) -> ModelInfo:
        """What will be named in the transcript."""
        return self._model

    def diarize(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Diarization:
        """See `diarist.diarization.base.Diarizer`."""
        started = time.perf_counter()
        evidence = self.evidence(audio, progress)
        networks = time.perf_counter() - started
        clustered = self.cluster(evidence, options)
        progress("diarization", 1.0)
        return replace(clustered, timings={"networks": networks, **clustered.timings})

    def evidence(self, audio: Audio, progress: Progress = ignore) -> Evidence:
        """See `diarist.diarization.base.ReclusteringDiarizer`."""
        (window,) = self.windows(len(audio.samples))
        return self.segment_and_embed(audio.samples, window, progress)

    def windows(self, num_samples: int, chunks_per_window: int | None = None) -> tuple[Portion, ...]:
        """Cut a recording into units of work.

        The evidence of all windows together does not depend on how the recording is cut, if each window (but the
        last) has a multiple of 64 chunks.

        Args:
            num_samples: length of the recording.
            chunks_per_window: seconds of audio in each window, at the default step; None makes one window.
        """
        grid = Grid(num_samples, self._step_samples)
        size = chunks_per_window or grid.num_chunks
        found = []
        for first in range(0, grid.num_chunks, size):
            last = min(first + size, grid.num_chunks)
            found.append(Portion(grid, first, last, *reach(self._embedding, grid, first, last)))
        return tuple(found)

    def segment_and_embed(self, samples: NDArray[np.float32], window: Portion, progress: Progress = ignore) -> Evidence:
        """Run the networks on one window.

        Args:
            samples: the recording's samples ``[window.start, window.end)``.
            window: from `windows`.
            progress: called after each group of chunks.
        """
        first, last = window.first_chunk, window.last_chunk
        classes = np.zeros((last - first, NUM_FRAMES), np.uint8)
        activity = np.zeros((last - first, NUM_FRAMES, NUM_SLOTS), np.uint8)
        precision = np.float32 if self._exact else np.float16
        embeddings = np.full((last - first, NUM_SLOTS, self._embedding.dimension), np.nan, precision)
        stretches = [np.zeros((0, self._embedding.dimension), np.int8)]
        with ThreadPoolExecutor(self._threads, "diarize") as executor:
            embed: type[OnePass | PerChunk] = PerChunk if self._exact else OnePass
            embedder: Embedder = embed(self._embedding, samples, window.start, window.grid, executor)
            for group in range(first, last, _GROUP):
                progress("diarization", (group - first) / (last - first))
                end = min(group + _GROUP, last)
                rows = slice(group - first, end - first)
                classes[rows], activity[rows] = self._segment(samples, window, group, end, executor)
                activity[rows] *= active_slots(classes[rows])[:, None]
                embeddings[rows] = embedder.embed(group, usable_masks(classes[rows]))
                if self._stretches:
                    masks = stretch_masks(classes[rows], group, window.grid.num_chunks)
                    stretches.append(directions(embedder.embed(group, masks)[masks.any(axis=2)]))
        return Evidence(
            model=self._model.name,
            num_samples=window.grid.num_samples,
            step_samples=window.grid.step_samples,
            first_chunk=first,
            classes=classes,
            activity=activity,
            embeddings=embeddings,
            stretches=np.concatenate(stretches),
        )

    def cluster(self, evidence: Evidence, options: Options = Options()) -> Diarization:
        """See `diarist.diarization.base.ReclusteringDiarizer`."""
        if evidence.model != self._model.name or not evidence.whole:
            raise InputError(
                "bad_evidence",
                f"This is evidence of {evidence.model!r}, not of {self._model.name!r}."
                if evidence.whole
                else "This is evidence of a part of a recording.",
                "Take what this model found in the whole recording.",
            )
        started = time.perf_counter()
        found = self._speakers(evidence, options)
        return replace(found, timings={"clustering": time.perf_counter() - started})

    def pack(self, evidence: Evidence) -> bytes:
        """See `diarist.diarization.base.ReclusteringDiarizer`."""
        return evidence.to_bytes()

    def unpack(self, data: bytes) -> Evidence:
        """See `diarist.diarization.base.ReclusteringDiarizer`."""
        return Evidence.from_bytes(data)

    def _speakers(self, evidence: Evidence, options: Options) -> Diarization:
        grid, classes, activity = evidence.grid, evidence.classes, evidence.activity
        embeddings = evidence.embeddings.astype(np.float32)
        duration = grid.num_samples / SAMPLE_RATE
        if not classes.any():
            return Diarization(turns=(), exclusive=(), duration=duration, model=self._model)
        exact = options.num_speakers
        bounds = Bounds(exact or options.min_speakers or 1, exact or options.max_speakers)
        clusters = self.clustering(embeddings, classes, bounds, evidence.stretches)
        speakers = np.where(active_slots(classes), clusters.speakers, NOBODY)
        activity_of = reconstruct(
            grid, classes, activity, speakers, bounds.high,
            exact=self._exact, unclustered_after=self._unclustered_after,
        )  # fmt: skip
        return self._diarization(activity_of, clusters, duration, bounds)

    def _segment(
        self, samples: NDArray[np.float32], window: Portion, first: int, last: int, executor: Executor
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Classes and activity, as in `Evidence`, of chunks ``[first, last)``."""

        def run(start: int) -> NDArray[np.float32]:
            end = min(start + _BATCH, last)
            return self._segmenter.log_probs(samples, window.start, window.grid, start, end)

        log_probs = np.concatenate(list(executor.map(run, range(first, last, _BATCH))))
        activity: NDArray[np.uint8] = np.rint(slot_probabilities(log_probs) * 255).clip(0, 255).astype(np.uint8)
        return np.asarray(log_probs.argmax(axis=2), np.uint8), activity

    def _diarization(self, activity: Activity, clusters: Clusters, duration: float, bounds: Bounds) -> Diarization:
        """Name the speakers in order of their first turn."""
        columns = [str(column) for column in range(activity.active.shape[1])]
        # Chunks reach past the end of the recording: who is heard only there has no turn.
        heard = {turn.speaker for turn in turns(activity.active, activity.probability, columns, duration)}
        present = np.array([column in heard for column in columns]).nonzero()[0]
        order = present[np.argsort(activity.active[:, present].argmax(axis=0), kind="stable")]
        labels = [f"SPEAKER_{number:02d}" for number in range(len(order))]
        probability = activity.probability[:, order]
        centroids = clusters.centroids
        embeddings = {
            label: tuple(float(x) for x in centroids[column] / np.linalg.norm(centroids[column]))
            for label, column in zip(labels, order, strict=True)
            if column < len(centroids)
        }
        warnings: tuple[str, ...] = ()
        if not bounds.allows(len(order)):
            warnings = (f"{len(order)} speakers were found where {bounds} were asked for: the speech holds no more.",)
        elif clusters.likely and clusters.likely[0] < clusters.likely[1]:
            fewest, most = min(clusters.likely[0], len(order)), max(clusters.likely[1], len(order))
            number = f"{fewest} {'or' if most == fewest + 1 else 'to'} {most}"
            warnings = (f"There may be {number} people: say how many with --speakers.",)
        return Diarization(
            turns=turns(activity.active[:, order], probability, labels, duration),
            exclusive=turns(activity.exclusive[:, order], probability, labels, duration),
            duration=duration,
            model=self._model,
            embeddings=embeddings,
            scores=soft_scores(probability, labels),
            warnings=warnings,
        )
