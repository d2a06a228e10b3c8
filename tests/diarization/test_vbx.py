"""VBx keeps true voices and drops superfluous ones."""

from __future__ import annotations

import numpy as np
import pytest

from diarist.diarization.clustering import Bounds
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS
from diarist.diarization.vbx import Plda, VariationalBayes, vbx

DIMENSION = 16


@pytest.fixture
def plda() -> Plda:
    """A space whose axes are those of the embeddings, and in which speakers vary much more than a speaker does."""
    eye = np.eye(DIMENSION)
    transform = {"mean1": np.zeros(DIMENSION), "mean2": np.zeros(DIMENSION), "lda": eye}
    return Plda(transform, {"mu": np.zeros(DIMENSION), "tr": eye, "psi": np.linspace(30, 10, DIMENSION)})


def recording(voices: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    embeddings = np.full((len(voices), NUM_SLOTS, DIMENSION), np.nan, np.float32)
    embeddings[:, 0] = np.eye(DIMENSION)[voices] + 0.05 * rng.standard_normal((len(voices), DIMENSION))
    return embeddings, np.ones((len(voices), NUM_FRAMES), np.uint8)


def test_the_space_orders_its_axes_by_how_far_they_tell_speakers_apart(plda):
    assert (np.diff(plda.between) <= 0).all()
    projected = plda(np.eye(DIMENSION))
    assert projected.shape == (DIMENSION, DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), np.sqrt(DIMENSION), rtol=0.2)


def test_a_cluster_too_many_loses_its_prior(plda):
    embeddings, _ = recording([0] * 40 + [1] * 40)
    labels = np.array([0] * 20 + [2] * 20 + [1] * 40)
    responsibilities, priors = vbx(plda(embeddings[:, 0].astype(float)), plda.between, labels)
    np.testing.assert_allclose(responsibilities.sum(axis=1), 1)
    assert priors.sum() == pytest.approx(1)
    assert np.sort(priors)[-2:].sum() > 0.99


@pytest.mark.parametrize("true", [1, 2, 4])
def test_voices_are_found_and_hints_are_followed(plda, true):
    embeddings, classes = recording([k for k in range(true) for _ in range(25)])
    cluster = VariationalBayes(plda)
    assert len(cluster(embeddings, classes, Bounds()).centroids) == true
    for wanted in (1, 2, 3):
        found = cluster(embeddings, classes, Bounds(wanted, wanted)).speakers
        assert len(np.unique(found[found >= 0])) == wanted


def test_asked_for_more_a_voice_never_alone_comes_before_half_of_another(plda):
    embeddings, classes = recording([0] * 40)
    embeddings[:5, 1] = np.eye(DIMENSION)[5]
    classes[:5, :100] = 4  # both at once
    found = VariationalBayes(plda, rare_above=0.7)(embeddings, classes, Bounds(2, 2)).speakers
    assert len(np.unique(found[:, 0])) == 1
    assert found[:5, 1].tolist() == [1 - found[0, 0]] * 5
    halves = VariationalBayes(plda)(embeddings, classes, Bounds(2, 2)).speakers  # what pyannote.audio does
    assert len(np.unique(halves[:, 0])) == 2


def test_slots_of_one_chunk_are_different_speakers(plda):
    embeddings, classes = recording([0] * 30 + [1] * 30)
    embeddings[5, 1] = embeddings[5, 0] + 0.01
    classes[5, 200:400] = 2
    found = VariationalBayes(plda)(embeddings, classes, Bounds()).speakers
    assert found[5, 0] != found[5, 1]


def test_one_embedding_is_one_speaker(plda):
    embeddings, classes = recording([0])
    assert VariationalBayes(plda)(embeddings, classes, Bounds()).speakers.tolist() == [[0, -2, -2]]
