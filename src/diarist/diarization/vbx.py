"""The clustering of community-1: agglomerative clustering refined by variational Bayes in a PLDA space.

F. Landini, J. Profant, M. Diez, L. Burget: "Bayesian HMM clustering of x-vector sequences (VBx) in speaker
diarization", Computer Speech & Language 71, 2022. As in pyannote.audio 4.0.7 the hidden Markov model is left out: each
embedding is drawn from the mixture on its own. Numbers in brackets are the paper's equations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.clustering import (
    NOBODY,
    Bounds,
    Clusters,
    active_slots,
    cosine,
    one_to_one,
    sure_slots,
    unit,
    with_rare_voices,
)  # fmt: skip
from diarist.diarization.linkage import grow

Double = NDArray[np.float64]

# config.yaml of pyannote/speaker-diarization-community-1.
_THRESHOLD = 0.6
_FA = 0.07
_FB = 0.8
# VBxClustering of pyannote.audio 4.0.7.
_MAX_ITERATIONS = 20
_INITIAL_SMOOTHING = 7.0
_SMALLEST_GAIN = 1e-4
_SMALLEST_PRIOR = 1e-7


class Plda:
    """A space in which voices have unit variance within a speaker, and known variances between speakers.

    Args:
        transform: ``mean1 (256,)``, ``mean2 (128,)`` and ``lda (256, 128)``, of ``xvec_transform.npz``.
        plda: ``mu (128,)``, ``tr (128, 128)`` and ``psi (128,)``, of ``plda.npz``.

    Attributes:
        between: ``(128,)`` variances between speakers, largest first.
    """

    def __init__(self, transform: Mapping[str, NDArray[Any]], plda: Mapping[str, NDArray[Any]]) -> None:
        from scipy.linalg import eigh

        self._first, self._second, self._lda = (np.asarray(transform[k]) for k in ("mean1", "mean2", "lda"))
        self._mean = np.asarray(plda["mu"])
        rotation = np.asarray(plda["tr"])
        within = np.linalg.inv(rotation.T @ rotation)
        between = np.linalg.inv((rotation.T / np.asarray(plda["psi"])) @ rotation)
        variances, vectors = eigh(between, within)
        self.between: Double = variances[::-1]
        self._rotation = vectors[:, ::-1]

    def __call__(self, embeddings: NDArray[np.floating]) -> Double:
        """Project ``(n, 256)`` embeddings to ``(n, 128)``."""
        wide, narrow = self._lda.shape
        projected = np.sqrt(wide) * unit(embeddings - self._first) @ self._lda
        return np.asarray((np.sqrt(narrow) * unit(projected - self._second) - self._mean) @ self._rotation)


@dataclass(frozen=True, slots=True)
class VariationalBayes:
    """Finds the speakers by agglomerative clustering, VBx, and one-to-one assignment within each chunk.

    Attributes:
        plda: the space to compare embeddings in.
        rare_above: where more speakers are asked for than were found, look `with_rare_voices` at this distance before
            making clusters of equal rank by k-means, as pyannote.audio does. None: do as it does.
    """

    plda: Plda
    rare_above: float | None = None

    def __call__(
        self,
        embeddings: NDArray[np.float32],
        classes: NDArray[np.uint8],
        bounds: Bounds,
        stretches: NDArray[np.number] | None = None,  # noqa: ARG002
    ) -> Clusters:
        """See `diarist.diarization.clustering.Clustering`."""
        active = active_slots(classes)
        sure = sure_slots(classes)
        speakers = np.full(active.shape, NOBODY, np.intp)
        if sure.sum() < 2:
            speakers[active] = 0
            return Clusters(speakers, embeddings[sure if sure.any() else active].mean(axis=0, keepdims=True))
        train = embeddings[sure].astype(np.float64)
        centroids: NDArray[np.floating] = self._centroids(train)
        wanted = bounds.clip(len(centroids), len(train))
        if self.rare_above is not None and bounds.low > len(centroids):
            more = bounds.clip(len(centroids), int(active.sum()))
            found = with_rare_voices(centroids, embeddings[active], more, self.rare_above)
            if found is not None:
                centroids, wanted = found, more
        if wanted == len(centroids):
            speakers = one_to_one(embeddings, active, centroids)
        else:
            labels = _k_means(unit(train), wanted)
            centroids = np.stack([train[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
            speakers[active] = cosine(embeddings[active], centroids).argmax(axis=1)
        return Clusters(speakers, centroids)

    def _centroids(self, train: Double) -> Double:
        responsibilities, priors = vbx(self.plda(train), self.plda.between, grow(unit(train)).cut(_THRESHOLD))
        kept = responsibilities[:, priors > _SMALLEST_PRIOR]
        return np.asarray((kept.T @ train) / kept.sum(axis=0)[:, None])


def vbx(features: Double, between: Double, labels: NDArray[np.intp]) -> tuple[Double, Double]:
    """Refine a clustering.

    Args:
        features: ``(n, dimension)`` in the PLDA space.
        between: ``(dimension,)`` variances between speakers.
        labels: ``(n,)`` initial clusters, from 0.

    Returns:
        Responsibilities ``(n, num_clusters)`` and priors ``(num_clusters,)``; superfluous clusters get prior 0.
    """
    from scipy.special import logsumexp, softmax

    num_clusters = int(labels.max()) + 1
    gamma = softmax(_INITIAL_SMOOTHING * np.eye(num_clusters)[labels], axis=1)
    priors = np.full(num_clusters, 1 / num_clusters)
    constant = -0.5 * (np.square(features).sum(axis=1, keepdims=True) + features.shape[1] * np.log(2 * np.pi))
    rho = features * np.sqrt(between)  # (18)
    bound = -np.inf
    for _ in range(_MAX_ITERATIONS):
        precision = 1 / (1 + _FA / _FB * gamma.sum(axis=0)[:, None] * between)  # (17)
        alpha = _FA / _FB * precision * (gamma.T @ rho)  # (16)
        log_p = _FA * (rho @ alpha.T - 0.5 * (precision + alpha**2) @ between + constant)  # (23)
        log_p += np.log(priors + 1e-8)
        evidence = logsumexp(log_p, axis=1)
        gamma = np.exp(log_p - evidence[:, None])
        priors = gamma.sum(axis=0)
        priors /= priors.sum()
        last, bound = bound, evidence.sum() + _FB * 0.5 * np.sum(np.log(precision) - precision - alpha**2 + 1)  # (25)
        if bound - last < _SMALLEST_GAIN:
            break
    return gamma, priors


def _k_means(units: NDArray[np.floating], wanted: int) -> NDArray[np.intp]:
    """Exactly ``wanted`` clusters: the best of three runs, as pyannote.audio 4.0.7 asks of scikit-learn."""
    from scipy.cluster.vq import ClusterError, kmeans2

    tree = grow(units)
    best, best_error = tree.cut_after(len(tree.merges) - wanted), np.inf
    for seed in range(3):
        try:
            centroids, labels = kmeans2(units, wanted, iter=100, minit="++", missing="raise", rng=seed)
        except ClusterError:
            continue
        error = float(np.square(units - centroids[labels]).sum())
        if error < best_error:
            best, best_error = labels.astype(np.intp), error
    return best
