"""Voices that are alike get one speaker; hints are honoured as far as there is speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.diarization.clustering import NOBODY, Agglomerative, Bounds, active_slots, sure_slots
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS


def recording(voices: list[int], seed: int = 0, spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """One chunk per entry, in which that voice alone speaks, in slot 0."""
    rng = np.random.default_rng(seed)
    centres = np.eye(max(voices) + 1, 32)
    embeddings = np.full((len(voices), NUM_SLOTS, 32), np.nan, np.float32)
    embeddings[:, 0] = centres[voices] + spread * rng.standard_normal((len(voices), 32)) / np.sqrt(32)
    return embeddings, np.ones((len(voices), NUM_FRAMES), np.uint8)


def count(speakers: np.ndarray) -> int:
    return len(np.unique(speakers[speakers >= 0]))


@pytest.mark.parametrize("true", [1, 2, 3, 10])
def test_as_many_speakers_as_voices(true):
    voices = [k for k in range(true) for _ in range(20)]
    clusters = Agglomerative(0.75)(*recording(voices), Bounds())
    assert count(clusters.speakers) == true
    assert len(clusters.centroids) == true
    for voice in range(true):
        assert len(np.unique(clusters.speakers[np.array(voices) == voice, 0])) == 1
    assert (clusters.speakers[:, 1:] == NOBODY).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 6), st.integers(0, 5), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_hints_are_honoured_as_far_as_there_are_embeddings(voices, low, more, seed):
    bounds = Bounds(low, low + more)
    clusters = Agglomerative(0.75, min_cluster_size=1)(*recording(voices, seed), bounds)
    assert min(low, len(voices)) <= count(clusters.speakers) <= low + more


def test_speech_too_short_to_be_sure_still_gets_a_speaker():
    embeddings, classes = recording([0])
    classes[:, 20:] = 0
    assert not sure_slots(classes).any()
    assert count(Agglomerative(0.75)(embeddings, classes, Bounds()).speakers) == 1


def test_slots_are_sure_only_where_they_speak_alone():
    classes = np.zeros((2, NUM_FRAMES), np.uint8)
    classes[0, :200] = 1  # slot 0 alone
    classes[1] = 4  # slots 0 and 1 at once
    assert sure_slots(classes).tolist() == [[True, False, False], [False, False, False]]
    assert active_slots(classes).tolist() == [[True, False, False], [True, True, False]]
