"""Who speaks, found in stretches of at most two seconds.

A slot of a chunk is not always one voice: where several people take short turns, segmentation gives two of them one
slot, and what is embedded of it lies between both. A stretch in which one slot speaks, and nobody else comes in, is
nearly always one voice. It is too short to be embedded well, so stretches are clustered by the mean of all distances
between two clusters (average linkage), in which that noise is the same for large clusters and small ones.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.linkage import largest_first
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS

Float = NDArray[np.floating]

ENOUGH = 20
"""Stretches; in fewer, slots of whole chunks may hold a voice that stretches lack."""

_FRAMES_PER_SECOND = NUM_FRAMES / 10
_SHORTEST, _LONGEST = 1.0, 2.0  # seconds
# A stretch is taken from the chunk in whose middle second it lies: there segmentation knows what came before and after.
_MIDDLE = 4.5, 5.5

# Root mean square distance between the stretches of two clusters above which they stay apart: between two halves of one
# reader it is at most 1.0.
_APART = 1.04
# A cluster of n stretches is a voice if its mean is at least this far, squared, from those of all larger ones: so far
# are voices on the telephone, and the second term over n is what chance adds to the mean of so few.
_VOICE, _CHANCE = 0.27, 1.2
# The smallest cluster that may be a voice: this share of all stretches, within limits.
_SHARE, _LEAST, _MOST = 0.02, 2, 5
_TOO_FEW = 10  # stretches: in less speech, only slots of whole chunks say anything
# More stretches, about a quarter of an hour of conversation, and slots do as well: enough of them are one voice, and
# four of 22 voices of an hour that slots found were not found in stretches.
_MANY = 500


def stretches(classes: NDArray[np.uint8], first_chunk: int, num_chunks: int) -> NDArray[np.intp]:
    """Where one slot speaks for one to two seconds and no other does; longer speech is cut evenly.

    Each moment of the recording belongs to one chunk, that in the middle of which it lies.

    Args:
        classes: ``(n, NUM_FRAMES)`` powerset classes of consecutive chunks.
        first_chunk: number of the first of them.
        num_chunks: of the whole recording.

    Returns:
        ``(num_stretches, 3)``: chunk, counted from the first of these; first frame; frame after the last.
    """
    found = []
    for chunk, frames in enumerate(classes):
        low = 0.0 if first_chunk + chunk == 0 else _MIDDLE[0]
        high = np.inf if first_chunk + chunk == num_chunks - 1 else _MIDDLE[1]
        edges = [0, *(np.flatnonzero(np.diff(frames)) + 1).tolist(), NUM_FRAMES]
        for start, end in pairwise(edges):
            length = (end - start) / _FRAMES_PER_SECOND
            if not 1 <= frames[start] <= NUM_SLOTS or length < _SHORTEST:
                continue
            pieces = int(np.ceil(length / _LONGEST))
            cuts = [start + (end - start) * piece // pieces for piece in range(pieces + 1)]
            for a, b in pairwise(cuts):
                if low <= (a + b) / 2 / _FRAMES_PER_SECOND < high:
                    found.append((chunk, a, b))
    return np.array(found, np.intp).reshape(-1, 3)


def stretch_masks(classes: NDArray[np.uint8], first_chunk: int, num_chunks: int) -> NDArray[np.bool_]:
    """Stretches as frames to embed: ``(n, most in one chunk, NUM_FRAMES)``, in the order of `stretches`."""
    found = stretches(classes, first_chunk, num_chunks)
    each = np.bincount(found[:, 0], minlength=len(classes))
    masks = np.zeros((len(classes), int(each.max(initial=0)), NUM_FRAMES), np.bool_)
    place = np.arange(len(found)) - (np.cumsum(each) - each)[found[:, 0]]
    for (chunk, start, end), number in zip(found, place, strict=True):
        masks[chunk, number, start:end] = True
    return masks


def directions(embeddings: Float) -> NDArray[np.int8]:
    """Rows, each scaled to fill 8 bits: they are compared by direction, and lose 1 % by that at most."""
    largest = np.abs(embeddings).max(axis=1, keepdims=True)
    return np.asarray(np.rint(embeddings / np.maximum(largest, 1e-12) * 127), np.int8)


def voices(embeddings: NDArray[np.number], scale: float = 1.0) -> Float | None:
    """The voices among stretches.

    Args:
        embeddings: ``(n, dimension)`` of any length, such as `directions` gives; in any order.
        scale: find those that there would be if all distances were so many times as large.

    Returns:
        ``(num_voices, dimension)`` mean unit embeddings, the most heard first; None where there are too few or too
        many stretches: slots say more then.
    """
    from scipy.cluster import hierarchy

    if not _TOO_FEW <= len(embeddings) <= _MANY:
        return None
    rows = embeddings.astype(np.float64)
    units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    tree = hierarchy.linkage(units, method="average", metric="sqeuclidean")
    labels = hierarchy.fcluster(tree, (_APART / scale) ** 2, criterion="distance") - 1
    sizes = np.bincount(labels)
    means = np.stack([units[labels == label].mean(axis=0) for label in range(len(sizes))])
    order = largest_first(sizes, means)
    least = min(max(_LEAST, int(np.ceil(_SHARE * len(units)))), _MOST)
    kept = [order[0]]
    for label in order[1:]:
        gap = np.square(scale * (means[kept] - means[label])).sum(axis=1).min()
        if sizes[label] >= least and gap > _VOICE + _CHANCE / sizes[label]:
            kept.append(label)
    # What is no voice by itself belongs to the one that it is nearest to.
    home = np.square(means[:, None] - means[kept]).sum(axis=2).argmin(axis=1)[labels]
    return np.stack([units[home == voice].mean(axis=0) for voice in range(len(kept))])
