"""The algebra of time holds for any spans, not only for the ones we thought of."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.timeline import Span, gaps, overlapped, total, union

MS = st.integers(0, 60_000)
SPANS = st.lists(st.tuples(MS, MS).map(lambda p: Span(min(p) / 1000, max(p) / 1000)), max_size=12)


def covered(spans, time):
    return sum(s.start <= time < s.end for s in spans)


@given(SPANS, MS)
def test_a_time_is_in_the_union_iff_some_span_has_it(spans, ms):
    assert bool(covered(union(spans), ms / 1000)) == bool(covered(spans, ms / 1000))


@given(SPANS)
def test_a_union_is_sorted_disjoint_and_its_own_union(spans):
    merged = union(spans)
    assert all(a.end < b.start for a, b in itertools.pairwise(merged))
    assert union(merged) == merged


@given(SPANS, st.integers(0, 5_000))
def test_a_gap_no_longer_than_max_gap_is_closed(spans, ms):
    merged = union(spans, max_gap=ms / 1000)
    assert all(b.start - a.end > ms / 1000 for a, b in itertools.pairwise(merged))


@given(SPANS, MS)
def test_overlapped_is_where_two_or_more_are_active(spans, ms):
    assert bool(covered(overlapped(spans), ms / 1000)) == (covered(spans, ms / 1000) >= 2)


@given(SPANS)
def test_gaps_and_union_share_out_the_whole(spans):
    whole = Span(0, 60)
    assert math.isclose(total(gaps(spans, whole)) + total(spans), 60, abs_tol=1e-6)
    assert not overlapped([*gaps(spans, whole), *union(spans)])


@given(SPANS.filter(lambda s: len(s) >= 2))
def test_overlap_and_gap_are_symmetric_and_exclude_each_other(spans):
    a, b = spans[:2]
    assert a.intersection(b) == b.intersection(a)
    assert a.gap(b) == b.gap(a)
    assert a.intersection(b) == 0 or a.gap(b) == 0


@pytest.mark.parametrize("bounds", [(1, 0), (-1, 0), (0, math.inf), (math.nan, 1)])
def test_impossible_spans_are_refused(bounds):
    with pytest.raises(ValueError, match="a span needs"):
        Span(*bounds)


def test_times_are_kept_to_the_millisecond():
    assert Span(0.12345, 0.98765) == Span(0.123, 0.988)
