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


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(1, 6),
    st.integers(0, 5),
    st.integers(0, 100),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_hints_are_honoured_as_far_as_there_are_embeddings(voices, low, more, seed, rare_first):
    bounds = Bounds(low, low + more)
    clusters = Agglomerative(0.75, min_cluster_size=1, rare_first=rare_first)(*recording(voices, seed), bounds)
    assert min(low, len(voices)) <= count(clusters.speakers) <= low + more


def test_asked_for_more_a_voice_heard_twice_comes_before_half_of_the_one_who_talks_most():
    voices = np.array([0] * 40 + [1, 1])
    spoken = recording(voices.tolist(), spread=0.5)
    assert count(Agglomerative(0.75, rare_first=True)(*spoken, Bounds()).speakers) == 1  # it is too rare to be found
    clusters = Agglomerative(0.75, rare_first=True)(*spoken, Bounds(2, 2))
    assert len(np.unique(clusters.speakers[voices == 0, 0])) == 1
    assert clusters.speakers[40, 0] == clusters.speakers[41, 0] != clusters.speakers[0, 0]


def test_so_does_a_voice_that_is_never_alone():
    embeddings, classes = recording([0] * 40, spread=0.5)
    embeddings[:5, 1] = np.eye(32)[5]
    classes[:5, :100] = 4  # both at once
    clusters = Agglomerative(0.75, rare_first=True)(embeddings, classes, Bounds(2, 2))
    assert len(np.unique(clusters.speakers[:, 0])) == 1
    assert len(np.unique(clusters.speakers[:5, 1])) == 1
    assert clusters.speakers[0, 1] != clusters.speakers[0, 0]


def test_with_no_other_voice_the_one_there_is_is_cut():
    clusters = Agglomerative(0.75, min_cluster_size=1, rare_first=True)(*recording([0] * 40), Bounds(2, 2))
    assert count(clusters.speakers) == 2


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
