"""Voices are found in short stretches of speech; what is neither long nor far enough from the others is none."""

from __future__ import annotations

import numpy as np
import pytest

from diarist.diarization.clustering import Agglomerative, Bounds
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS
from diarist.diarization.stretches import directions, stretch_masks, stretches, voices

SECOND = NUM_FRAMES / 10
DIMENSION = 64
SPREAD = 0.5  # of a stretch around the mean of its voice, as CAM++ gives it for two seconds


def spoken(*heard: tuple[float, int], seed: int = 0) -> np.ndarray:
    """For each (distance from the first voice, number): so many stretches of one voice; in random order."""
    chance = np.random.default_rng(seed)
    rows = []
    for number, (distance, count) in enumerate(heard):
        mean = np.zeros(DIMENSION)
        mean[0] = np.sqrt(1 - SPREAD**2)
        if distance:
            angle = 2 * np.arcsin(distance / 2 / mean[0])
            mean[0], mean[number] = mean[0] * np.cos(angle), mean[0] * np.sin(angle)
        rows.append(mean + SPREAD * chance.standard_normal((count, DIMENSION)) / np.sqrt(DIMENSION))
    return np.concatenate(rows)[chance.permutation(sum(count for _, count in heard))]


def found(*heard: tuple[float, int], seed: int = 0) -> int:
    means = voices(spoken(*heard, seed=seed))
    assert means is not None
    return len(means)


@pytest.mark.parametrize("seed", range(5))
def test_each_voice_is_found_once(seed):
    assert found((0, 60), seed=seed) == 1
    assert found((0, 20), (0.9, 20), (0.9, 20), seed=seed) == 3
    assert found(*[(0, 30), *[(0.9, 30)] * 9], seed=seed) == 10


@pytest.mark.parametrize("seed", range(5))
def test_a_voice_that_speaks_little_is_found_if_it_is_far_from_the_others(seed):
    assert found((0, 40), (1.2, 3), seed=seed) == 2
    assert found((0, 40), (0.6, 3), seed=seed) == 1


@pytest.mark.parametrize("seed", range(5))
def test_one_odd_stretch_is_no_voice_and_in_a_long_conversation_three_are_none(seed):
    assert found((0, 40), (1.2, 1), seed=seed) == 1
    assert found((0, 400), (1.2, 3), seed=seed) == 1
    assert found((0, 400), (1.2, 12), seed=seed) == 2


def exactly(gap: float, many: int, few: int) -> np.ndarray:
    """Two voices, without chance: each stretch is off its voice in a direction of its own, by 0.4 squared.

    The squared distance of the voices is ``gap``; of the means of stretches it is 0.4 (1 / many + 1 / few).
    """
    rows = np.zeros((many + few, 2 + many + few))
    half = np.arcsin(np.sqrt(gap / 0.6) / 2)
    rows[:, 0] = np.cos(half)
    rows[:many, 1], rows[many:, 1] = np.sin(half), -np.sin(half)
    rows *= np.sqrt(0.6)
    rows[:, 2:] = np.sqrt(0.4) * np.eye(many + few)
    return rows


@pytest.mark.parametrize(
    ("few", "one", "two"), [(20, 0.26, 0.32), (10, 0.29, 0.37), (5, 0.38, 0.46), (3, 0.48, 0.57), (2, 0.61, 0.71)]
)
def test_the_fewer_its_stretches_the_farther_a_voice_must_be(few, one, two):
    assert [len(voices(exactly(gap, 40, few))) for gap in (one, two)] == [1, 2]


def test_in_longer_conversations_a_voice_needs_more_stretches():
    for many, least in ((40, 2), (120, 3), (170, 4), (400, 5)):
        assert [len(voices(exactly(1.5, many, few))) for few in (least - 1, least)] == [1, 2]


def test_ten_stretches_are_enough_and_more_than_five_hundred_too_many():
    enough = [voices(exactly(1.5, total - 3, 3)) is not None for total in (9, 10, 500, 501)]
    assert enough == [False, True, True, False]


def test_little_speech_and_an_hour_are_left_to_slots():
    assert voices(spoken((0, 800), (1.2, 700))) is None
    assert voices(spoken((0, 4), (1.2, 4))) is None
    assert voices(np.zeros((0, DIMENSION))) is None


def test_eight_bits_keep_a_direction():
    rows = spoken((0, 50)) * np.geomspace(0.01, 100, 50)[:, None]
    kept = directions(rows).astype(float)
    cosines = (rows * kept).sum(axis=1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(kept, axis=1)
    assert cosines.min() > 0.999


def chunks(count: int) -> np.ndarray:
    return np.zeros((count, NUM_FRAMES), np.uint8)


def test_a_stretch_is_one_to_two_seconds_in_which_one_slot_speaks_alone():
    classes = chunks(1)
    for start, end, spoken_class in ((0, 0.9, 1), (1, 2.5, 2), (2.5, 3.5, 4), (4, 9, 1)):
        classes[0, round(start * SECOND) : round(end * SECOND)] = spoken_class
    lengths = [(end - start) / SECOND for _, start, end in stretches(classes, 0, 1)]
    assert lengths == pytest.approx([1.5, 5 / 3, 5 / 3, 5 / 3], abs=0.05)


def test_each_moment_is_taken_from_one_chunk_however_the_recording_is_cut():
    total = 30
    classes = chunks(total)
    for chunk in range(total):  # somebody speaks from 2 to 3.5 s and so on, every three seconds
        times = chunk + np.arange(NUM_FRAMES) / SECOND
        classes[chunk] = (times - 2) % 3 < 1.5
    whole = stretches(classes, 0, total)
    starts = np.sort(whole[:, 0] + whole[:, 1] / SECOND)
    assert np.diff(starts[1:-1]).tolist() == pytest.approx([3] * (len(starts) - 3), abs=0.05)
    assert len(starts) >= 10
    parts = [np.add(stretches(classes[a : a + 10], a, total), (a, 0, 0)) for a in range(0, total, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_masks_hold_the_same_frames_in_the_same_order():
    classes = chunks(3)
    classes[:, 10:500] = 1
    masks = stretch_masks(classes, 0, 3)
    rows = [[chunk, *np.flatnonzero(mask)[[0, -1]]] for chunk, each in enumerate(masks) for mask in each if mask.any()]
    np.testing.assert_array_equal(np.add(rows, (0, 0, 1)), stretches(classes, 0, 3))
    assert stretch_masks(chunks(2), 0, 2).shape == (2, 0, NUM_FRAMES)


def mixed_slots() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two voices that take turns, which segmentation hears as one slot, whose embedding lies between."""
    two = spoken((0, 30), (0.9, 30))
    middle = two.mean(axis=0)
    embeddings = np.full((60, NUM_SLOTS, DIMENSION), np.nan, np.float32)
    embeddings[:, 0] = middle + 0.02 * np.random.default_rng(1).standard_normal((60, DIMENSION))
    embeddings[::2, 0] = two[::2]
    return embeddings, np.ones((60, NUM_FRAMES), np.uint8), directions(two)


def test_stretches_tell_apart_whom_slots_mix_and_hints_are_met():
    embeddings, classes, heard = mixed_slots()
    rule = Agglomerative(0.75, rare_first=True, heard_apart=0.9)
    assert len(rule(embeddings, classes, Bounds(), heard).centroids) == 2
    for wanted in (1, 2, 3):
        told = rule(embeddings, classes, Bounds(wanted, wanted), heard)
        assert len(np.unique(told.speakers[told.speakers >= 0])) <= wanted
        assert len(told.centroids) == wanted


def alone(stretches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One chunk for each stretch, in which its voice alone speaks, in slot 0."""
    embeddings = np.full((len(stretches), NUM_SLOTS, stretches.shape[1]), np.nan, np.float32)
    embeddings[:, 0] = stretches
    return embeddings, np.ones((len(stretches), NUM_FRAMES), np.uint8)


@pytest.mark.parametrize("total", [19, 20])
def test_in_little_speech_what_finds_more_is_taken_and_in_more_speech_stretches_are(total):
    rule = Agglomerative(0.75, rare_first=True, heard_apart=0.9)
    one, two = exactly(0.0, total - 9, 9), exactly(1.5, total - 9, 9)
    # Slots of both voices, and stretches of the first alone; then slots that hold a mixture, and stretches of both.
    by_slots = rule(*alone(two * (np.arange(two.shape[1]) < 2)), Bounds(), directions(one))
    by_stretches = rule(*alone(np.tile(two.mean(axis=0), (total, 1))), Bounds(), directions(two))
    assert len(by_slots.centroids) == (2 if total < 20 else 1)
    assert len(by_stretches.centroids) == 2
    assert (by_slots.likely, by_stretches.likely) == (((1, 2), (1, 2)) if total < 20 else ((1, 1), (2, 2)))


def test_pyannotes_rule_does_not_ask_them():
    embeddings, classes, heard = mixed_slots()
    with_them = Agglomerative(0.75)(embeddings, classes, Bounds(), heard)
    without = Agglomerative(0.75)(embeddings, classes, Bounds())
    np.testing.assert_array_equal(with_them.speakers, without.speakers)
