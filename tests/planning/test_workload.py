"""Requests over time."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import InputError
from diarist.planning.workload import DAY, SHAPES, Length, Workload, parse_length, parse_shape


def test_the_same_seed_gives_the_same_requests():
    workload = Workload(1000, plain_share=0.3)
    assert workload.trace(2, seed=7) == workload.trace(2, seed=7)
    assert workload.trace(2, seed=7) != workload.trace(2, seed=8)


def test_as_many_as_asked_in_order_within_the_days():
    trace = Workload(2000).trace(5, seed=1)
    arrivals = [request.arrival for request in trace]
    assert len(trace) == pytest.approx(10_000, rel=0.05)
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] < 5 * DAY


def test_the_shape_of_the_day():
    hours = [int(request.arrival // 3600) % 24 for request in Workload(5000, shape=SHAPES["office"]).trace(1, seed=1)]
    assert min(hours) == 8
    assert max(hours) == 17
    assert sum(Workload(5000, shape=SHAPES["day"]).rates()) * 3600 == pytest.approx(5000)


def test_shortened_hours_keep_the_rates():
    trace = Workload(24_000).trace(1, seed=1, hour=360.0, lead=100.0)
    assert len(trace) == pytest.approx(2400 + 28, rel=0.1)
    assert trace[-1].arrival < 100 + 24 * 360


def test_shares_of_kinds_and_of_speakers():
    workload = Workload(10_000, lengths=(Length(1, share=3), Length(10)), plain_share=0.25)
    trace = workload.trace(1, seed=1)
    assert sum(request.audio == 60 for request in trace) / len(trace) == pytest.approx(0.75, abs=0.02)
    assert sum(not request.diarize for request in trace) / len(trace) == pytest.approx(0.25, abs=0.02)
    assert workload.mean_audio == pytest.approx(60 * 13 / 4)


def test_long_tails():
    length = parse_length("2/30")
    workload = Workload(50_000, lengths=(length,))
    minutes = sorted(request.audio / 60 for request in workload.trace(1, seed=1))
    assert minutes[len(minutes) // 2] == pytest.approx(2, rel=0.05)
    assert minutes[int(len(minutes) * 0.95)] == pytest.approx(30, rel=0.1)
    assert sum(minutes) / len(minutes) == pytest.approx(length.mean_minutes, rel=0.1)


def test_how_lengths_are_written():
    assert parse_length("2") == Length(2)
    assert parse_length("0.5/3:4") == Length(0.5, 3, 4)


@pytest.mark.parametrize("text", ["", "two", "0", "-1", "2000", "2/1", "2:0", "2:-1", "2/", "1e999", "nan", "inf", "."])
def test_bad_lengths_are_one_line(text):
    with pytest.raises(InputError):
        parse_length(text)


@given(st.text(max_size=12))
def test_no_text_breaks_the_parsers(text):
    for parse in (parse_length, parse_shape):
        with contextlib.suppress(InputError):
            parse(text)


def test_shapes_have_a_name_or_24_weights():
    assert parse_shape("flat") == (1.0,) * 24
    assert parse_shape(",".join("1" * 24)) == (1.0,) * 24
    for text in ("weekend", "1,2", ",".join("0" * 24), ",".join(["-1"] + ["1"] * 23), ",".join(["nan"] * 24)):
        with pytest.raises(InputError):
            parse_shape(text)


@pytest.mark.parametrize("bad", [{"per_day": 0}, {"per_day": -5}, {"per_day": float("nan")}, {"per_day": 1e9}])
def test_volumes_out_of_range(bad):
    with pytest.raises(InputError, match="Requests per day"):
        Workload(**bad)


def test_a_share_is_from_0_to_1():
    with pytest.raises(InputError):
        Workload(10, plain_share=1.5)
    with pytest.raises(InputError):
        Workload(10, lengths=())
