"""The difference of two systems on the same recordings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.evaluation.measures import Ratio
from diarist.evaluation.suite import compare
from diarist.model.errors import InputError

counts = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 100))
recordings = st.lists(counts, min_size=2, max_size=8)


def systems(values):
    first = {str(i): {"wer": Ratio(a, total)} for i, (a, _, total) in enumerate(values)}
    second = {str(i): {"wer": Ratio(b, total)} for i, (_, b, total) in enumerate(values)}
    return first, second


@given(recordings)
def test_a_system_does_not_differ_from_itself(values):
    first, _ = systems(values)
    found = compare(first, first).measures["wer"]
    assert (found.rate, found.low, found.high) == (0, 0, 0)


@given(recordings)
def test_the_other_way_round_is_the_same_with_the_other_sign(values):
    first, second = systems(values)
    there, back = (compare(*pair).measures["wer"] for pair in ((first, second), (second, first)))
    assert there.rate == pytest.approx(-back.rate)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_one_recording_has_no_interval():
    first, second = systems([(2, 1, 10)])
    found = compare(first, second).measures["wer"]
    assert found.rate == pytest.approx(-0.1)
    assert found.low is None


@given(recordings, st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_what_one_system_lacks_is_named_and_changes_nothing(values, lost_first, lost_second):
    first, second = systems(values)
    for name in set(map(str, lost_first)) & first.keys():
        del first[name]
    for name in set(map(str, lost_second)) & second.keys():
        del second[name]
    both = [name for name in first if name in second]
    if not both:
        with pytest.raises(InputError, match="no recording in common"):
            compare(first, second)
        return
    found = compare(first, second)
    assert found.recordings == both
    assert set(found.only_first) == first.keys() - set(both)
    assert set(found.only_second) == second.keys() - set(both)
    alone = compare({name: first[name] for name in both}, {name: second[name] for name in both})
    assert found.measures == alone.measures
