"""Clustering many embeddings gives what clustering them all at once would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from diarist.diarization import linkage as ours


def voices(count: int, speakers: int, seed: int, spread: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    who = np.repeat(rng.integers(0, speakers, count // 10 + 1), 10)[:count]
    points = np.eye(speakers, 64)[who] + spread * rng.standard_normal((count, 64)) / 8
    return points / np.linalg.norm(points, axis=1, keepdims=True), who


@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_with_equal_weights_it_is_scipy_s_linkage(count, seed):
    points = np.random.default_rng(seed).standard_normal((count, 5))
    merges = ours._weighted_linkage(points, np.ones(count, np.intp))
    np.testing.assert_allclose(merges, linkage(points, "centroid"), atol=1e-3)


def test_a_weight_stands_for_that_many_points():
    points, _ = voices(40, 3, seed=1)
    twice = np.concatenate([points, points])
    weighted = ours._weighted_linkage(points, np.full(40, 2, np.intp))
    np.testing.assert_allclose(weighted[:, 2], linkage(twice, "centroid")[40:, 2], atol=1e-3)


def test_many_embeddings_keep_their_speakers(monkeypatch):
    points, who = voices(1500, 5, seed=2)
    monkeypatch.setattr(ours, "LARGE", 100)
    monkeypatch.setattr(ours, "_GROUP", 200)
    labels = ours.grow(points).cut(0.7)
    assert len(np.unique(labels)) == 5
    assert len(np.unique(labels * 10 + who)) == 5


@pytest.mark.parametrize("spread", [0.3, 0.6, 1.0, 5.0])
def test_no_noise_leaves_more_leaves_than_memory_has_room_for(monkeypatch, spread):
    points, who = voices(3000, 5, seed=6, spread=spread)
    monkeypatch.setattr(ours, "LARGE", 120)
    monkeypatch.setattr(ours, "_GROUP", 200)
    tree = ours.grow(points)
    assert len(tree.merges) + 1 <= 120
    assert len(tree.leaf) == tree.sizes[-1] == 3000
    if spread <= 1:
        labels = tree.cut(0.9)
        main = sum(np.bincount(who[labels == label]).max() for label in np.unique(labels))
        assert main > 0.95 * len(who)


def test_cutting_by_merges_counts_down_from_all_apart_to_all_together():
    points, _ = voices(30, 3, seed=3)
    tree = ours.grow(points)
    assert [len(np.unique(tree.cut_after(merge))) for merge in range(-1, 29)] == list(range(30, 0, -1))
    assert tree.sizes[-1] == 30


def test_one_embedding_is_one_cluster():
    tree = ours.grow(np.ones((1, 4)) / 2)
    assert tree.cut(0.7).tolist() == tree.cut_after(-1).tolist() == [0]


@given(st.integers(3, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_what_is_known_to_be_two_merges_last(count, seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    apart = rng.permutation(count)[: count // 2 * 2].reshape(-1, 2)[:3]
    tree = ours.grow(points, apart)
    labels = tree.cut(1.999)
    assert all(labels[a] != labels[b] for a, b in apart)
    assert [len(np.unique(tree.cut_after(merge))) for merge in range(-1, count - 1)] == list(range(count, 0, -1))


def test_a_few_wrong_pairs_do_not_keep_a_voice_from_itself():
    points, _ = voices(100, 1, seed=4, spread=0.1)
    points[50:] += 0.5 * np.eye(64)[60]  # a voice that is raised halfway through
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    wrong = np.array([[0, 50]])
    assert len(np.unique(ours.grow(points, wrong).cut(0.7))) == 2
    assert len(np.unique(ours.grow(points, wrong, tolerance=0.05).cut(0.7))) == 1


def test_pairs_hold_among_many_embeddings_too(monkeypatch):
    points, who = voices(900, 2, seed=5)
    points = points + 2 * np.eye(64)[60]  # both heard through one channel: nearer to each other than 0.7
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    monkeypatch.setattr(ours, "LARGE", 100)
    monkeypatch.setattr(ours, "_GROUP", 200)
    first, second = np.flatnonzero(who == 0)[::5], np.flatnonzero(who == 1)[::5]
    apart = np.stack([first[:60], second[:60]], axis=1)
    assert len(np.unique(ours.grow(points).cut(0.7))) == 1
    labels = ours.grow(points, apart, tolerance=0.05).cut(0.7)
    assert len(np.unique(labels * 10 + who)) == len(np.unique(labels)) > 1
