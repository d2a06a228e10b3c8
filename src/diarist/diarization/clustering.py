"""Which slots of which chunks are the same voice.

A `Clustering` takes the embeddings of all chunks and gives each active slot a speaker. `Agglomerative` is that of
speaker-diarization-3.1; that of community-1 is in `diarist.diarization.vbx`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.linkage import Tree, grow, largest_first
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS, POWERSET
from diarist.diarization.stretches import ENOUGH, voices

NOBODY = -2

# A slot takes part in finding the speakers if it speaks alone for this share of its chunk (pyannote.audio 4.0.7).
_ENOUGH = 0.2
# Of pairs of embeddings heard apart, as a share of the smaller cluster: more between two clusters, and they are two
# voices. Fewer come from slots that hold a bit of both. From 0.02 to 0.1, one count of 44 changed.
_WRONG_PAIRS = 0.05
# Embeddings of a voice that speaks little, and pairs that tell it from the one it resembles.
_FEWEST, _BESIDE = 3, 2
# No cut is exact. Whoever would be found if all distances were by this much smaller or larger may be there; larger by
# more, since voices are taken for one more often than one for several. docs/diarization.md says how often that is so.
_NEARLY = (0.98, 1.06)

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

    def extremes(self, found: Iterable[int], available: int) -> tuple[int, int]:
        """The fewest and the most of several numbers, each as `clip` gives it."""
        allowed = [self.clip(number, available) for number in found]
        return min(allowed), max(allowed)


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The result of clustering.

    Attributes:
        speakers: ``(num_chunks, NUM_SLOTS)`` int; the speaker of each slot, or `NOBODY`.
        centroids: ``(num_speakers, dimension)`` mean embeddings.
        likely: the fewest and the most speakers that there may well be, within what was asked for; None where that is
            not known.
    """

    speakers: NDArray[np.intp]
    centroids: Float
    likely: tuple[int, int] | None = None


class Clustering(Protocol):
    """Finds the speakers of a recording."""

    def __call__(
        self,
        embeddings: NDArray[np.float32],
        classes: NDArray[np.uint8],
        bounds: Bounds,
        stretches: NDArray[np.number] | None = None,
    ) -> Clusters:
        """Cluster.

        Args:
            embeddings: ``(num_chunks, NUM_SLOTS, dimension)``, NaN for inactive slots; at least one is active.
            classes: ``(num_chunks, NUM_FRAMES)`` powerset classes.
            bounds: how many speakers there may be, honoured as far as there are embeddings.
            stretches: ``(n, dimension)`` directions of `diarist.diarization.stretches.stretches`, where there are any.
        """


@dataclass(frozen=True, slots=True)
class Agglomerative:
    """Centroid linkage of unit embeddings, cut at a distance; small clusters join the nearest large one.

    Attributes:
        threshold: Euclidean distance between centroids above which voices differ.
        min_cluster_size: a cluster of fewer embeddings (or of fewer than a tenth of them all) is small.
        rare_first: where more speakers are asked for than there are large clusters, look `with_rare_voices` before
            cutting a large one.
        heard_apart: see `voices_apart`: sure slots of one chunk at least this far from each other are two voices.
            Clusters between which there are such pairs stay apart, a small one that is `_heard_beside` the cluster
            nearest to it is a speaker, and slots of one chunk are different speakers. Where there are enough
            stretches, the speakers are found in them instead; where there are few, in both, and what finds more is
            taken. None: do as pyannote.audio does.
    """

    threshold: float
    min_cluster_size: int = 12
    rare_first: bool = False
    heard_apart: float | None = None

    def __call__(
        self,
        embeddings: NDArray[np.float32],
        classes: NDArray[np.uint8],
        bounds: Bounds,
        stretches: NDArray[np.number] | None = None,
    ) -> Clusters:
        """See `Clustering`."""
        active = np.asarray(~np.isnan(embeddings).any(axis=2))
        told = None
        if stretches is not None and self.heard_apart is not None:
            told = self._in_stretches(embeddings, active, bounds, stretches)
            if told is not None and len(stretches) >= ENOUGH:
                return told
        found = self._in_slots(embeddings, active, sure_slots(classes) & active, bounds)
        if told is None:
            return found
        # In little speech either may lack a voice, and neither makes two of one.
        low, high = zip(*(each.likely for each in (told, found) if each.likely), strict=True)
        most = told if len(told.centroids) > len(found.centroids) else found
        return replace(most, likely=(min(low), max(high)))

    def _in_stretches(
        self, embeddings: NDArray[np.float32], active: NDArray[np.bool_], bounds: Bounds, stretches: NDArray[np.number]
    ) -> Clusters | None:
        """The speakers found in stretches; None where these say nothing, or not as many as were asked for."""
        heard = voices(stretches)
        if heard is None:
            return None
        num_active = int(active.sum())
        nearly = (heard, *(voices(stretches, scale) for scale in _NEARLY))
        likely = bounds.extremes((len(each) for each in nearly if each is not None), num_active)
        wanted = bounds.clip(len(heard), num_active)
        if wanted > len(heard):
            heard = with_rare_voices(heard, embeddings[active], wanted, self.threshold)
        if heard is None or len(heard) != wanted:
            return None
        return Clusters(_assigned(embeddings, active, heard, apart=True), heard, likely)

    def _in_slots(
        self, embeddings: NDArray[np.float32], active: NDArray[np.bool_], sure: NDArray[np.bool_], bounds: Bounds
    ) -> Clusters:
        """The speakers found in the slots that are sure."""
        if not sure.any():
            sure = active
        num_active = int(active.sum())
        train = embeddings[sure].astype(np.float64)
        units = unit(train)
        smallest = min(self.min_cluster_size, max(1, round(0.1 * len(units))))
        apart = None if self.heard_apart is None else voices_apart(units, sure, self.heard_apart)
        tree = grow(units, apart, _WRONG_PAIRS)

        def cut(scale: float = 1.0) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
            """The clusters, and which of them are speakers, if all distances were so many times as large."""
            labels = tree.cut(self.threshold / scale)
            large = np.bincount(labels) >= smallest
            return labels, large if apart is None else large | _heard_beside(units, labels, large, apart)

        labels, large = cut()
        found = int(large.sum())
        likely = None
        if apart is not None:
            likely = bounds.extremes((found, *(int(cut(scale)[1].sum()) for scale in _NEARLY)), num_active)
        wanted = bounds.clip(found, num_active if self.rare_first else int(sure.sum()))
        centroids = None
        if self.rare_first and found < wanted:
            known = means(train, _absorb_small(units, labels, large))
            centroids = with_rare_voices(known, embeddings[active], wanted, self.threshold)
        if centroids is None:
            if found != wanted:
                labels = self._nearest_cut(tree, smallest, wanted)
                large = np.bincount(labels) >= smallest
            centroids = means(train, _absorb_small(units, labels, large))
        return Clusters(_assigned(embeddings, active, centroids, apart=apart is not None), centroids, likely)

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


def voices_apart(units: Float, sure: NDArray[np.bool_], distance: float) -> NDArray[np.intp]:
    """Pairs of embeddings that are two voices, because the segmentation model heard two within one chunk.

    Pairs that sound alike do not count: in a reader's pauses, or in the telephone band, that model hears one person as
    two now and then.

    Args:
        units: ``(n, dimension)`` unit embeddings of the sure slots, in order.
        sure: ``(num_chunks, NUM_SLOTS)`` which slots these are.
        distance: Euclidean distance from which they count.

    Returns:
        ``(num_pairs, 2)`` rows of ``units``.
    """
    row = np.full(sure.shape, -1)
    row[sure] = np.arange(len(units))
    pairs = np.concatenate([row[:, [a, b]] for a in range(NUM_SLOTS) for b in range(a)])
    pairs = pairs[(pairs >= 0).all(axis=1)]
    far: NDArray[np.intp] = pairs[np.linalg.norm(units[pairs[:, 0]] - units[pairs[:, 1]], axis=1) > distance]
    return far


def _heard_beside(
    units: Float, labels: NDArray[np.intp], large: NDArray[np.bool_], apart: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Small clusters that are not the voice of the large one nearest to them, since both were heard in one chunk."""
    found = np.zeros(len(large), np.bool_)
    sizes = np.bincount(labels)
    centroids = means(units, labels)
    pairs = np.zeros((len(large), len(large)), np.intp)
    np.add.at(pairs, (labels[apart[:, 0]], labels[apart[:, 1]]), 1)
    pairs += pairs.T
    for small in largest_first(sizes, centroids):
        known = large | found
        if sizes[small] >= _FEWEST and known.any() and not known[small]:
            nearest = np.flatnonzero(known)[cosine(centroids[[small]], centroids[known]).argmax()]
            found[small] = pairs[small, nearest] >= _BESIDE
    return found


def one_to_one(embeddings: Float, active: NDArray[np.bool_], centroids: Float) -> NDArray[np.intp]:
    """Give each active slot of a chunk a speaker of its own, for the best sum of cosines; `NOBODY` where none is left.

    Args:
        embeddings: ``(num_chunks, NUM_SLOTS, dimension)``.
        active: ``(num_chunks, NUM_SLOTS)``.
        centroids: ``(num_speakers, dimension)``.
    """
    from scipy.optimize import linear_sum_assignment

    scores = np.full((*active.shape, len(centroids)), -np.inf)
    scores[active] = cosine(embeddings[active], centroids)
    speakers = np.full(active.shape, NOBODY, np.intp)
    several = active.sum(axis=1) > 1
    single = active & ~several[:, None]
    speakers[single] = scores[single].argmax(axis=1)
    for chunk in np.flatnonzero(several):
        slots = np.flatnonzero(active[chunk])
        rows, columns = linear_sum_assignment(scores[chunk, slots], maximize=True)
        speakers[chunk, slots[rows]] = columns
    return speakers


def sure_slots(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Slots that speak alone for long enough to say who they are: ``(num_chunks, NUM_SLOTS)``."""
    alone = np.stack([(classes == 1 + slot).sum(axis=1) for slot in range(NUM_SLOTS)], axis=1)
    return np.asarray(alone >= _ENOUGH * NUM_FRAMES)


def active_slots(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Slots that speak at all: ``(num_chunks, NUM_SLOTS)``."""
    return np.asarray(POWERSET[classes].any(axis=1))


def with_rare_voices(known: Float, embeddings: Float, wanted: int, threshold: float) -> Float | None:
    """Add to the known speakers those voices that are heard most among what is none of theirs.

    Where more speakers are asked for than were found, pyannote.audio cuts clusters, which makes two speakers of the one
    who talks most. More often somebody says a few words, or is never alone; docs/diarization.md has the figures.

    Args:
        known: ``(num_known, dimension)`` centroids.
        embeddings: ``(n, dimension)`` of all that was said, however briefly.
        wanted: how many speakers there shall be, more than are known.
        threshold: Euclidean distance of unit embeddings above which voices differ.

    Returns:
        ``(wanted, dimension)`` centroids, or None if there are not as many other voices.
    """
    others = embeddings[2 - 2 * cosine(embeddings, known).max(axis=1) > threshold**2].astype(np.float64)
    if not len(others):
        return None
    labels = grow(unit(others)).cut(threshold)
    most = np.argsort(-np.bincount(labels), kind="stable")[: wanted - len(known)]
    if len(most) < wanted - len(known):
        return None
    return np.concatenate([known, means(others, labels)[most]])


def means(rows: Float, labels: NDArray[np.intp]) -> Float:
    """The mean of the rows of each label, from 0: ``(num_labels, dimension)``."""
    return np.stack([rows[labels == k].mean(axis=0) for k in range(labels.max() + 1)])


def cosine(a: Float, b: Float) -> Float:
    """Cosine similarity of all rows of ``a`` to all rows of ``b``."""
    return np.asarray(unit(np.asarray(a, np.float64)) @ unit(np.asarray(b, np.float64)).T)


def unit(rows: Float) -> Float:
    """Scale rows to length 1."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12))


def _assigned(embeddings: Float, active: NDArray[np.bool_], centroids: Float, *, apart: bool) -> NDArray[np.intp]:
    """The most similar speaker of each active slot; ``apart`` gives slots of one chunk different ones."""
    speakers = one_to_one(embeddings, active, centroids) if apart else np.full(active.shape, NOBODY, np.intp)
    rest = active & (speakers == NOBODY)
    speakers[rest] = cosine(embeddings[rest], centroids).argmax(axis=1)
    return speakers


def _num_large(labels: NDArray[np.intp], smallest: int) -> int:
    return int((np.bincount(labels) >= smallest).sum())


def _absorb_small(units: Float, labels: NDArray[np.intp], large: NDArray[np.bool_]) -> NDArray[np.intp]:
    if not large.any():
        return np.zeros(len(labels), np.intp)
    centroids = means(units, labels)
    home = np.arange(len(large))
    if not large.all():
        home[~large] = np.flatnonzero(large)[cosine(centroids[~large], centroids[large]).argmax(axis=1)]
    return np.unique(home[labels], return_inverse=True)[1]
