"""The difference of two systems on the same recordings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.evaluation.measures import Ratio
from diarist.evaluation.suite import compare

counts = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 100))
recordings = st.lists(counts, min_size=2, max_size=8)


def systems(values):
    first = {str(i): {"wer": Ratio(a, total)} for i, (a, _, total) in enumerate(values)}
    second = {str(i): {"wer": Ratio(b, total)} for i, (_, b, total) in enumerate(values)}
    return first, second


@given(recordings)
def test_a_system_does_not_differ_from_itself(values):
    first, _ = systems(values)
    found = compare(first, first)["wer"]
    assert (found.rate, found.low, found.high) == (0, 0, 0)


@given(recordings)
def test_the_other_way_round_is_the_same_with_the_other_sign(values):
    first, second = systems(values)
    there, back = compare(first, second)["wer"], compare(second, first)["wer"]
    assert there.rate == pytest.approx(-back.rate)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_one_recording_has_no_interval():
    first, second = systems([(2, 1, 10)])
    found = compare(first, second)["wer"]
    assert found.rate == pytest.approx(-0.1)
    assert found.low is None
