"""Which slots of which chunks are the same voice.

A `Clustering` takes the embeddings of all chunks and gives each active slot a speaker. `Agglomerative` is that of
speaker-diarization-3.1; that of community-1 is in `diarist.diarization.vbx`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.linkage import Tree, grow
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS, POWERSET

NOBODY = -2

# A slot takes part in finding the speakers if it speaks alone for this share of its chunk (pyannote.audio 4.0.7).
_ENOUGH = 0.2

Float = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many speakers there may be."""

    low: int = 1
    high: int | None = None

    def __str__(self) -> str:
        if self.low == self.high:
            return str(self.low)
        return f"at least {self.low}" if self.high is None else f"{self.low} to {self.high}"

    def allows(self, found: int) -> bool:
        """Whether that many speakers are within the bounds."""
        return self.low <= found and (self.high is None or found <= self.high)

    def clip(self, found: int, available: int) -> int:
        """The allowed number nearest to what was found, given how many embeddings there are to tell apart."""
        high = available if self.high is None else min(self.high, available)
        return max(1, min(max(found, min(self.low, available)), high))


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The result of clustering.

    Attributes:
        speakers: ``(num_chunks, NUM_SLOTS)`` int; the speaker of each slot, or `NOBODY`.
        centroids: ``(num_speakers, dimension)`` mean embeddings.
    """

    speakers: NDArray[np.intp]
    centroids: Float


class Clustering(Protocol):
    """Finds the speakers of a recording."""

    def __call__(self, embeddings: NDArray[np.float32], classes: NDArray[np.uint8], bounds: Bounds) -> Clusters:
        """Cluster.

        Args:
            embeddings: ``(num_chunks, NUM_SLOTS, dimension)``, NaN for inactive slots; at least one is active.
            classes: ``(num_chunks, NUM_FRAMES)`` powerset classes.
            bounds: how many speakers there may be, honoured as far as there are embeddings.
        """


@dataclass(frozen=True, slots=True)
class Agglomerative:
    """Centroid linkage of unit embeddings, cut at a distance; small clusters join the nearest large one.

    Attributes:
        threshold: Euclidean distance between centroids above which voices differ.
        min_cluster_size: a cluster of fewer embeddings (or of fewer than a tenth of them all) is small.
        rare_first: where more speakers are asked for than clusters are large, take small clusters and voices that are
            never alone for long, and cut a large cluster only if these are too few. pyannote.audio always cuts, which
            makes two speakers of the one who talks most (docs/diarization.md has the figures).
    """

    threshold: float
    min_cluster_size: int = 12
    rare_first: bool = False

    def __call__(self, embeddings: NDArray[np.float32], classes: NDArray[np.uint8], bounds: Bounds) -> Clusters:
        """See `Clustering`."""
        active = np.asarray(~np.isnan(embeddings).any(axis=2))
        sure = sure_slots(classes) & active
        if not sure.any():
            sure = active
        brief = embeddings[active & ~sure].astype(np.float64) if self.rare_first else embeddings[:0, 0]
        train, labels = self._cut(embeddings[sure].astype(np.float64), brief, bounds)
        centroids = np.stack([train[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        speakers = np.full(active.shape, NOBODY, np.intp)
        speakers[active] = cosine(embeddings[active], centroids).argmax(axis=1)
        return Clusters(speakers, centroids)

    def _cut(self, sure: Float, brief: Float, bounds: Bounds) -> tuple[Float, NDArray[np.intp]]:
        """The embeddings that make up the speakers, ``(n, dimension)``, and their labels from 0."""
        units = unit(sure)
        smallest = min(self.min_cluster_size, max(1, round(0.1 * len(units))))
        tree = grow(units)
        labels = tree.cut(self.threshold)
        found = _num_large(labels, smallest)
        wanted = bounds.clip(found, len(sure) + len(brief))
        if found < wanted and self.rare_first:
            train, told_apart = self._with_brief(sure, labels, brief)
            sizes = np.bincount(told_apart)
            if len(sizes) >= wanted:
                kept = np.isin(np.arange(len(sizes)), np.argsort(-sizes, kind="stable")[:wanted])
                return train, _absorb(unit(train), told_apart, kept)
        if found != wanted:
            labels = self._nearest_cut(tree, smallest, wanted)
        return sure, _absorb(units, labels, np.bincount(labels) >= smallest)

    def _with_brief(self, sure: Float, labels: NDArray[np.intp], brief: Float) -> tuple[Float, NDArray[np.intp]]:
        """Add the clusters of those brief voices that are none of the sure ones."""
        centroids = np.stack([sure[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        similarity = cosine(brief, centroids).max(axis=1)
        others = brief[2 - 2 * similarity > self.threshold**2]  # the squared distance of unit vectors
        if not len(others):
            return sure, labels
        more = grow(unit(others)).cut(self.threshold)
        return np.concatenate([sure, others]), np.concatenate([labels, labels.max() + 1 + more])

    def _nearest_cut(self, tree: Tree, smallest: int, wanted: int) -> NDArray[np.intp]:
        """Cut after the merge, closest to the threshold, that leaves as near as can be to ``wanted`` large clusters."""
        last = len(tree.merges) - 1
        best = tree.cut_after(-1 if wanted > last + 1 else last)
        best_gap = abs(_num_large(best, smallest) - wanted)
        for merge in np.argsort(np.abs(tree.merges[:, 2] - self.threshold), kind="stable"):
            if best_gap == 0:
                break
            if tree.sizes[merge] < smallest:
                continue
            labels = tree.cut_after(merge)
            gap = abs(_num_large(labels, smallest) - wanted)
            if gap < best_gap:
                best, best_gap = labels, gap
        return best


def sure_slots(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Slots that speak alone for long enough to say who they are: ``(num_chunks, NUM_SLOTS)``."""
    alone = np.stack([(classes == 1 + slot).sum(axis=1) for slot in range(NUM_SLOTS)], axis=1)
    return np.asarray(alone >= _ENOUGH * NUM_FRAMES)


def active_slots(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Slots that speak at all: ``(num_chunks, NUM_SLOTS)``."""
    return np.asarray(POWERSET[classes].any(axis=1))


def cosine(a: Float, b: Float) -> Float:
    """Cosine similarity of all rows of ``a`` to all rows of ``b``."""
    return np.asarray(unit(np.asarray(a, np.float64)) @ unit(np.asarray(b, np.float64)).T)


def unit(rows: Float) -> Float:
    """Scale rows to length 1."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12))


def _num_large(labels: NDArray[np.intp], smallest: int) -> int:
    return int((np.bincount(labels) >= smallest).sum())


def _absorb(units: Float, labels: NDArray[np.intp], kept: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give the members of clusters that are not kept to the nearest one that is; all are one if none is kept."""
    if not kept.any():
        return np.zeros(len(labels), np.intp)
    centroids = np.stack([units[labels == k].mean(axis=0) for k in range(len(kept))])
    home = np.arange(len(kept))
    if not kept.all():
        home[~kept] = np.flatnonzero(kept)[cosine(centroids[~kept], centroids[kept]).argmax(axis=1)]
    return np.unique(home[labels], return_inverse=True)[1]
