"""Where a slightly other cut gives another number of people, the transcript says so, unless it was told how many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.diarization.clustering import Agglomerative, Bounds
from diarist.diarization.engine import WindowedDiarizer
from diarist.diarization.evidence import Evidence
from diarist.diarization.segmentation import NUM_FRAMES, NUM_SLOTS
from diarist.diarization.stretches import directions
from diarist.model.options import Options
from diarist.model.transcript import ModelInfo

RATE = 16_000
RULE = Agglomerative(0.75, rare_first=True, heard_apart=0.9)


def scripted(near: float, *, third: int = 20, with_stretches: bool = True, backwards: bool = False) -> Evidence:
    """Two people far from each other, 20 s each, and a third whose squared distance from the first is ``near``.

    Each second somebody speaks alone, off the mean of their voice in a direction of its own, by 0.4 squared.
    """
    angle = 2 * np.arcsin(np.sqrt(near / 0.6) / 2)
    voices = np.array([[1, 0, 0], [0, 1, 0], [np.cos(angle), 0, np.sin(angle)]])
    who = np.repeat([0, 1, 2], [20, 20, third])
    said = np.concatenate([np.sqrt(0.6) * voices[who], np.sqrt(0.4) * np.eye(len(who))], axis=1)
    embeddings = np.full((len(who), NUM_SLOTS, said.shape[1]), np.nan, np.float32)
    embeddings[:, 0] = said if with_stretches else voices[who] @ np.eye(3, said.shape[1])
    order = slice(None, None, -1) if backwards else slice(None)
    activity = np.zeros((len(who), NUM_FRAMES, NUM_SLOTS), np.uint8)
    activity[:, :, 0] = 255
    return Evidence(
        model="scripted",
        num_samples=(len(who) + 9) * RATE,
        step_samples=RATE,
        first_chunk=0,
        classes=np.ones((len(who), NUM_FRAMES), np.uint8),
        activity=activity,
        embeddings=embeddings[order],
        stretches=directions(said[order] if with_stretches else said[:0]),
    )


def told(evidence: Evidence, **asked: int) -> tuple[int, tuple[str, ...]]:
    """How many speakers are found, and the warnings."""
    model = ModelInfo("diarization", "scripted", None, "none")
    diarizer = WindowedDiarizer(model, None, None, RULE)  # type: ignore[arg-type]
    found = diarizer.cluster(evidence, Options(**asked))
    return len(found.speakers), found.warnings


WARNING = "There may be 2 or 3 people: say how many with --speakers."


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("near", "expected"), [(0.05, (2, ())), (0.27, (2, (WARNING,))), (0.6, (3, ()))])
def test_a_third_voice_near_the_cut_is_told_and_one_clearly_there_or_not_there_is_not(near, expected, backwards):
    assert told(scripted(near, backwards=backwards)) == expected


@pytest.mark.parametrize(("near", "expected"), [(0.4, (2, ())), (0.48, (2, (WARNING,))), (0.8, (3, ()))])
def test_so_is_one_that_says_little(near, expected):
    assert told(scripted(near, third=3)) == expected


@pytest.mark.parametrize(("near", "expected"), [(0.2, (2, ())), (0.32, (2, (WARNING,))), (0.5, (3, ()))])
def test_so_it_is_where_slots_alone_are_known(near, expected):
    assert told(scripted(near, with_stretches=False)) == expected


def test_a_voice_that_is_just_found_is_told_too():
    assert told(scripted(0.3)) == (3, (WARNING,))


@pytest.mark.parametrize("asked", [{"num_speakers": 2}, {"num_speakers": 3}, {"min_speakers": 3}, {"max_speakers": 2}])
def test_who_says_how_many_there_are_is_not_told(asked):
    assert not [line for line in told(scripted(0.27), **asked)[1] if "may be" in line]


def test_bounds_that_leave_it_open_do_not_silence_it():
    assert told(scripted(0.27), min_speakers=2, max_speakers=5) == (2, (WARNING,))


def test_pyannotes_own_rule_says_nothing():
    evidence = scripted(0.27)
    found = Agglomerative(0.75)(evidence.embeddings, evidence.classes, Bounds(), evidence.stretches)
    assert found.likely is None


@given(
    st.lists(st.tuples(st.floats(0.3, 1.3), st.integers(1, 25)), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_it_does_not_depend_on_the_order_of_chunks(heard, with_stretches, seed):
    chance = np.random.default_rng(seed)
    means = np.zeros((len(heard), 32))
    for number, (distance, _) in enumerate(heard):
        means[number, 0], means[number, number] = np.cos(distance if number else 0), np.sin(distance if number else 0)
    means[0, 0] = 1
    who = np.repeat(np.arange(len(heard)), [count for _, count in heard])
    said = means[who] + 0.5 * chance.standard_normal((len(who), 32)) / np.sqrt(32)
    embeddings = np.full((len(who), NUM_SLOTS, 32), np.nan, np.float32)
    embeddings[:, 0] = said
    classes = np.ones((len(who), NUM_FRAMES), np.uint8)
    both = chance.random(len(who)) < 0.3  # somebody else in the second half of these chunks
    embeddings[both, 1] = said[chance.permutation(len(who))[: both.sum()]]
    classes[both, NUM_FRAMES // 2 :] = 2
    stretches = directions(said if with_stretches else said[:0])
    expected = RULE(embeddings, classes, Bounds(), stretches)
    order = chance.permutation(len(who))
    shuffled = RULE(embeddings[order], classes[order], Bounds(), stretches[chance.permutation(len(stretches))])
    assert shuffled.likely == expected.likely
    assert len(shuffled.centroids) == len(expected.centroids)
    assert expected.likely[0] <= len(expected.centroids) <= expected.likely[1]
