"""Which jobs are opened: fair between owners, short ones never behind long ones, and suspects alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.jobs.job import Job
from diarist.server.opening import DeskBounds, to_open


def job(name, seconds=10.0, *, owner="", created=0.0, attempts=0):
    return Job(
        id=name, owner=owner, state="queued", transient=False, request="", digest="", name=name, audio=None,
        audio_bytes=0, seconds=seconds, created=created, started=None, ended=None, expires=None, attempts=attempts,
    )  # fmt: skip


def names(queued, under_way=(), **bounds):
    return [each.id for each in to_open(queued, under_way, DeskBounds(**bounds))]


HOUR = 3600.0


class TestShort:
    def test_short_ones_go_first(self):
        assert names([job("long", HOUR), job("short", 10)], open=1) == ["short"]

    def test_an_hour_of_waiting_makes_up_for_an_hour_of_audio(self):
        assert names([job("long", HOUR), job("short", 10, created=HOUR)], open=1) == ["long"]

    def test_long_ones_leave_room_for_a_short_one(self):
        queued = [job(f"long {owner}", HOUR, owner=owner) for owner in "abcdefg"]
        begun = to_open(queued, [], DeskBounds(open=4))
        assert len(begun) == 3
        assert names([job("short", 10)], begun, open=4) == ["short"]

    def test_a_short_one_is_opened_beside_as_much_audio_as_may_be_open(self):
        assert names([job("short", 10)], [job("long", 11 * HOUR)], open_seconds=6 * HOUR) == ["short"]

    def test_a_long_one_is_not(self):
        assert names([job("long", 2 * HOUR)], [job("a", 5 * HOUR)], open_seconds=6 * HOUR) == []

    def test_one_longer_than_the_bound_is_opened_beside_short_ones(self):
        assert names([job("long", 11 * HOUR)], [job("short", 10)], open_seconds=6 * HOUR) == ["long"]


class TestOwners:
    def test_who_has_fewest_open_goes_first(self):
        queued = [job(f"a{n}", owner="a") for n in range(40)] + [job(f"b{n}", owner="b", created=5) for n in range(4)]
        assert names(queued, open=4) == ["a0", "b0", "a1", "b1"]

    def test_the_long_ones_of_one_leave_room_for_anothers(self):
        queued = [job(f"a{n}", HOUR, owner="a") for n in range(9)]
        begun = to_open(queued, [], DeskBounds(open=4))
        assert len(begun) == 2
        assert names([job("b", HOUR, owner="b", created=99), *queued[2:]], begun, open=4) == ["b"]


class TestSuspects:
    """Jobs that took their worker along twice."""

    def test_one_is_opened_first_and_alone(self):
        assert names([job("a", 1), job("suspect", HOUR, attempts=2), job("b", 1)]) == ["suspect"]

    def test_it_waits_until_nothing_else_is_open(self):
        assert names([job("suspect", attempts=2), job("b")], [job("a")]) == []

    def test_nothing_is_opened_beside_it(self):
        assert names([job("a")], [job("suspect", attempts=3)]) == []

    def test_who_was_lost_once_is_none(self):
        assert names([job("a", attempts=1), job("b")]) == ["a", "b"]


jobs = st.lists(
    st.builds(
        job,
        st.uuids().map(str),
        st.one_of(st.none(), st.floats(0, 12 * HOUR)),
        owner=st.sampled_from("abc"),
        created=st.floats(0, 1e6),
        attempts=st.integers(0, 2),
    ),
    max_size=12,
    unique_by=lambda each: each.id,
)


@pytest.mark.parametrize("most", [1, 2, 4])
@given(queued=jobs)
def test_work_never_stands_still_and_the_bound_holds(most, queued):
    """Whatever waits, all of it is done in the end, if one after the other is."""
    bounds, here, done = DeskBounds(open=most), [], 0
    while queued or here:
        begun = to_open(queued, here, bounds)
        here += begun
        queued = [each for each in queued if each not in begun]
        assert 0 < len(here) <= most
        here.pop(0)
        done += 1
    assert done <= 12
