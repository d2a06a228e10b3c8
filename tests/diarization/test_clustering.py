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


@pytest.mark.parametrize(("share", "sure"), [(0.18, False), (0.22, True)])
def test_a_fifth_of_a_chunk_is_enough_to_be_sure(share, sure):
    classes = np.zeros((1, NUM_FRAMES), np.uint8)
    classes[0, : round(share * NUM_FRAMES)] = 1
    assert sure_slots(classes)[0, 0] == sure


@pytest.mark.parametrize(("often", "rarely", "speakers"), [(200, 11, 1), (200, 12, 2), (46, 4, 1), (45, 5, 2)])
def test_a_voice_is_a_speaker_from_twelve_embeddings_or_from_a_tenth_of_all(often, rarely, speakers):
    clusters = Agglomerative(0.75)(*recording([0] * often + [1] * rarely), Bounds())
    assert count(clusters.speakers) == speakers


def conversation(pairs: int, alone: int, angle: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two voices ``angle`` apart: ``pairs`` chunks in which both speak, and ``alone`` in which only the first does.

    Returns embeddings, classes, and who is in slot 0 and 1.
    """
    rng = np.random.default_rng(seed)
    # Two unit vectors whose distance is ``angle``.
    half = np.arcsin(angle / 2)
    centres = np.zeros((2, 32))
    centres[:, 0], centres[:, 1] = np.cos(half), [np.sin(half), -np.sin(half)]
    embeddings = np.full((pairs + alone, NUM_SLOTS, 32), np.nan, np.float32)
    noise = 0.05 * rng.standard_normal((pairs + alone, 2, 32)) / np.sqrt(32)
    embeddings[:, 0] = centres[0] + noise[:, 0]
    embeddings[:pairs, 1] = centres[1] + noise[:pairs, 1]
    classes = np.ones((pairs + alone, NUM_FRAMES), np.uint8)
    classes[:pairs, NUM_FRAMES // 2 :] = 2
    return embeddings, classes, np.array([[0, 1]] * pairs + [[0, NOBODY]] * alone)


def test_two_who_sound_alike_but_are_heard_within_one_chunk_are_two():
    embeddings, classes, _ = conversation(pairs=20, alone=0, angle=0.7)
    alike = Agglomerative(0.75, heard_apart=0.6)(embeddings, classes, Bounds())
    assert (alike.speakers[:, 0] != alike.speakers[:, 1]).all()
    assert count(alike.speakers) == 2
    assert count(Agglomerative(0.75)(embeddings, classes, Bounds()).speakers) == 1


def test_one_person_heard_as_two_stays_one():
    embeddings, classes, _ = conversation(pairs=20, alone=20, angle=0.4)
    assert count(Agglomerative(0.75, heard_apart=0.6)(embeddings, classes, Bounds()).speakers) == 1


def test_a_voice_that_speaks_little_is_a_speaker_if_it_is_heard_beside_the_one_it_is_most_like():
    embeddings, classes, _ = conversation(pairs=3, alone=60, angle=0.95)
    heard = Agglomerative(0.75, heard_apart=0.9)(embeddings, classes, Bounds())
    assert count(heard.speakers) == 2
    assert len(np.unique(heard.speakers[:3, 1])) == 1
    assert count(Agglomerative(0.75)(embeddings, classes, Bounds()).speakers) == 1


@pytest.mark.parametrize(("embeddings_of_it", "beside", "speakers"), [(3, 3, 2), (3, 2, 2), (3, 1, 1), (2, 2, 1)])
def test_it_takes_three_embeddings_of_it_two_of_them_beside_the_other(embeddings_of_it, beside, speakers):
    embeddings, classes, _ = conversation(pairs=embeddings_of_it, alone=60, angle=0.95)
    embeddings[beside:embeddings_of_it, 0] = np.nan
    classes[beside:embeddings_of_it] = 2
    found = Agglomerative(0.75, heard_apart=0.9)(embeddings, classes, Bounds())
    assert count(found.speakers) == speakers


@pytest.mark.parametrize(("pairs", "speakers"), [(5, 1), (6, 2)])
def test_two_clusters_are_one_voice_if_at_most_a_twentieth_of_it_was_heard_apart(pairs, speakers):
    embeddings, classes, _ = conversation(pairs=100, alone=0, angle=0.7)
    rest = len(embeddings) - pairs
    alone = np.full((rest, NUM_SLOTS, 32), np.nan, np.float32)
    alone[:, 1] = embeddings[pairs:, 1]
    embeddings[pairs:, 1] = np.nan
    classes[pairs:] = 1
    both = np.concatenate([embeddings, alone])
    found = Agglomerative(0.75, heard_apart=0.6)(
        both, np.concatenate([classes, np.full_like(classes[:rest], 2)]), Bounds()
    )
    assert count(found.speakers) == speakers


def test_slots_of_a_chunk_are_different_speakers_and_none_is_lost():
    embeddings, classes, who = conversation(pairs=20, alone=20, angle=1.2)
    embeddings[0, 0] = embeddings[0, 1]  # a slot that holds a bit of both
    found = Agglomerative(0.75, heard_apart=0.9)(embeddings, classes, Bounds()).speakers
    assert found[0, 0] != found[0, 1]
    assert ((found[:, :2] >= 0) == (who >= 0)).all()
    one = Agglomerative(0.75, heard_apart=0.9)(embeddings, classes, Bounds(1, 1)).speakers
    assert ((one >= 0) == (found >= 0)).all()
