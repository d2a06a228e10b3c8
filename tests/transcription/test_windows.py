"""Where long audio is cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.timeline import Span, gaps
from diarist.transcription.voice import FRAME_SECONDS, voice_regions
from diarist.transcription.windows import OVERLAP, plan


def probabilities(*runs):
    """A row of (seconds, probability of voice)."""
    return np.concatenate([np.full(round(s / FRAME_SECONDS), p, np.float32) for s, p in runs])


ANY_VOICE = st.lists(st.tuples(st.floats(0.05, 70), st.sampled_from([0.02, 0.2, 0.4, 0.6, 0.98])), min_size=1).map(
    lambda runs: probabilities(*runs)
)


@given(ANY_VOICE)
def test_windows_hold_all_voice_and_keep_to_their_length(probability):
    duration = len(probability) * FRAME_SECONDS
    windows = plan(probability, duration)
    cores = [w.core for w in windows]
    assert all(w.heard.duration <= 30.001 for w in windows)
    assert all(a.end <= b.start for a, b in itertools.pairwise(cores))
    whole = Span(0, duration + 1)
    for region in voice_regions(probability):
        assert not [g for g in gaps(cores, whole) if g.intersection(region) > 0.002]


def test_silence_has_no_windows():
    assert plan(probabilities((3600, 0.01)), 3600) == ()


def test_a_long_pause_lies_in_no_window():
    windows = plan(probabilities((1, 0), (5, 0.9), (60, 0), (5, 0.9)), 71)
    assert [round(w.core.start) for w in windows] == [1, 66]


def test_a_cut_falls_in_the_longest_pause_of_the_last_fifth():
    voice = [(10, 0.9), (3, 0.0), (12, 0.9), (0.6, 0), (2, 0.9), (1.2, 0), (8, 0.9)]
    (first, second) = plan(probabilities(*voice), 36.8)
    assert abs(first.core.end - 27.8) < 0.3
    assert abs(second.core.start - 28.6) < 0.3


def test_without_a_pause_a_cut_falls_where_voice_is_least_likely():
    windows = plan(probabilities((22, 0.95), (0.1, 0.5), (20, 0.95)), 42.1)
    assert 22 <= windows[0].core.end <= 22.15
    assert windows[0].core.end == windows[1].core.start
    assert windows[0].heard.end - windows[1].heard.start == pytest.approx(2 * OVERLAP)
