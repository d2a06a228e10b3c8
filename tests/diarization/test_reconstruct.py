"""Overlapping chunks vote; turns come out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.diarization.reconstruct import reconstruct, soft_scores, turns
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS, POWERSET, Grid


def test_two_speakers_one_after_the_other_then_both():
    classes = np.zeros((1, NUM_FRAMES), np.uint8)
    classes[0, 100:200], classes[0, 200:300], classes[0, 300:400] = 1, 2, 4
    activity = POWERSET[classes] * np.uint8(255)
    found = reconstruct(Grid(160_000), classes, activity, np.array([[0, 1, -2]]))
    spans = [
        (t.speaker, round(t.start, 1), round(t.end, 1)) for t in turns(found.active, found.probability, ["A", "B"], 10)
    ]
    assert spans == [("A", 1.7, 3.4), ("B", 3.4, 6.8), ("A", 5.1, 6.8)]
    exclusive = turns(found.exclusive, found.probability, ["A", "B"], 10)
    assert [t.speaker for t in exclusive] == ["A", "B", "A"]
    assert all(t.confidence == 1 for t in exclusive)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([None, 1, 2]))
@settings(max_examples=40, deadline=None)
def test_what_always_holds(num_chunks, seed, most):
    rng = np.random.default_rng(seed)
    grid = Grid(160_000 + 16_000 * (num_chunks - 1) - int(rng.integers(0, 15_999)))
    classes = np.repeat(rng.integers(0, 7, (num_chunks, 19)), 31, axis=1)[:, :NUM_FRAMES].astype(np.uint8)
    speakers = np.stack([rng.permutation(3) for _ in range(num_chunks)])
    found = reconstruct(grid, classes, POWERSET[classes] * np.uint8(255), speakers, most)
    assert found.active.shape == found.exclusive.shape == (grid.num_frames, NUM_SLOTS)
    assert (found.exclusive.sum(axis=1) <= 1).all()
    assert (found.exclusive <= found.active).all()
    assert (found.active.any(axis=1) == found.exclusive.any(axis=1)).all()
    assert (found.active.sum(axis=1) <= (most or 2)).all()
    assert found.probability.min() >= 0
    assert found.probability.max() <= 1
    labels = ["A", "B", "C"]
    duration = grid.num_samples / 16_000
    spans = turns(found.exclusive, found.probability, labels, duration)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(0 <= t.start < t.end <= duration + 1e-3 for t in spans)


def test_scores_are_one_byte_a_frame_and_speaker():
    scores = soft_scores(np.float32([[0, 1], [0.5, 0.25]]), ["A", "B"])
    assert np.frombuffer(scores.values, np.uint8).reshape(2, 2).tolist() == [[0, 255], [128, 64]]


def test_a_voice_under_another_becomes_a_speaker_only_if_it_lasts():
    classes = np.ones((1, NUM_FRAMES), np.uint8)  # slot 0 throughout,
    classes[0, 100:150] = 4  # and slot 1 under it for 0.84 s
    activity = POWERSET[classes] * np.uint8(255)
    alone = np.array([[0, -2, -2]])  # clustering found one speaker
    assert reconstruct(Grid(160_000), classes, activity, alone).active.any(axis=0).sum() == 2
    assert reconstruct(Grid(160_000), classes, activity, alone, unclustered_after=1.0).active.any(axis=0).sum() == 1
    longer = reconstruct(Grid(160_000), classes, activity, alone, unclustered_after=0.5)
    extra = [turn for turn in turns(longer.active, longer.probability, ["A", "B"], 10) if turn.speaker == "B"]
    assert [turn.confidence for turn in extra] == [None]


def test_equal_votes_go_to_the_more_probable_speaker():
    classes = np.full((2, NUM_FRAMES), 1, np.uint8)
    activity = POWERSET[classes] * np.array([[[140]], [[250]]], np.uint8)
    found = reconstruct(Grid(176_000), classes, activity, np.array([[0, -2, -2], [1, -2, -2]]))
    both = slice(60, 580)
    assert found.exclusive[both, 1].all()
    assert not found.exclusive[both, 0].any()
