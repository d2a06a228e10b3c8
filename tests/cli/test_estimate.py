"""How far a job is said to be: told from its stages' reports, with a clock that the test turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.cli.estimate import Work

WEIGHTS = {"decode": 2, "transcription": 74, "diarization": 24}


def told(*reports, weights=WEIGHTS):
    """Work that got ``(time, stage, done)`` reports."""
    work = Work(weights)
    for now, stage, done in reports:
        work.report(stage, done, now)
    return work


def test_both_legs_count_by_their_work():
    work = told((0, "decode", 1.0), (1, "transcription", 0.5), (1, "diarization", 1.0))
    assert work.share(1) == pytest.approx(0.02 + 0.37 + 0.24)


def test_without_speakers_words_are_nearly_all():
    assert told((0, "decode", 1.0), (1, "words", 0.5), weights={"decode": 2, "words": 98}).share(1) == 0.51


def test_between_reports_it_moves_as_fast_as_before():
    work = told(*((10 * step, "words", step / 10) for step in range(1, 4)), weights={"words": 1})
    assert work.share(30) == pytest.approx(0.3)
    assert work.share(35) == pytest.approx(0.35)


def test_it_waits_where_the_next_report_should_have_come():
    work = told(*((10 * step, "words", step / 10) for step in range(1, 4)), weights={"words": 1})
    assert work.share(40) == pytest.approx(0.4)
    assert work.share(4000) == pytest.approx(0.4)


def test_a_late_report_makes_the_time_left_longer_never_shorter():
    work = told(*((10 * step, "words", step / 10) for step in range(1, 4)), weights={"words": 1})
    assert work.left(30) == pytest.approx(70)
    assert work.left(35) == pytest.approx(65)
    assert work.left(90) > 65


def test_the_quick_beginning_of_a_stage_promises_nothing():
    looking_for_speech = [(step / 10, "words", step / 100) for step in range(11)]
    assert told(*looking_for_speech, weights={"words": 1}).left(1.5) is None
    then_words = told(*looking_for_speech, (11, "words", 0.2), weights={"words": 1})
    assert then_words.left(11) == pytest.approx(80)


def test_a_leg_that_ends_leaves_its_part_of_the_machine_to_the_other():
    """At first 1 % of all work a second for words and 1 % for speakers, then 2 % for words: 50 s in all."""
    work = told((0, "decode", 1.0), (0, "transcription", 0.0), (0, "diarization", 0.0))
    for second in range(1, 25):
        work.report("transcription", second / 74, second)
        work.report("diarization", second / 24, second)
    assert work.left(24) == pytest.approx(25, abs=1)
    for second in range(25, 40):
        work.report("transcription", (24 + 2 * (second - 24)) / 74, second)
    assert work.left(39) == pytest.approx(49 - 39, abs=1)


def test_a_leg_still_to_come_is_counted():
    words = [(74 * step / 10, "transcription", step / 10) for step in range(6)]
    in_turn = told((0, "decode", 1.0), *words)
    assert in_turn.left(37) == pytest.approx(37 + 24)


def test_a_report_that_goes_back_changes_nothing():
    reports = [(10 * step, "words", step / 10) for step in range(1, 4)]
    weights = {"words": 1}
    assert told(*reports, (31, "words", 0.05), weights=weights).left(31) == told(*reports, weights=weights).left(31)


def test_nothing_is_promised_before_the_heaviest_stage_has_a_rate():
    work = told((0, "decode", 0.2), (1, "decode", 0.5), (2, "decode", 1.0), (2, "transcription", 0.0))
    assert work.left(3) is None


reports = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.sampled_from([*WEIGHTS, "sending", "download whisper-base"]),
        st.floats(-0.5, 1.5),
    ),
    max_size=40,
)


@given(reports, st.lists(st.floats(0, 100), max_size=5))
def test_whatever_is_reported_the_share_never_falls_and_time_left_is_never_negative(reports, looks):
    work, now, before = Work(WEIGHTS), 0.0, 0.0
    for wait, stage, done in reports:
        now += wait
        work.report(stage, done, now)
        for moment in (now, *(now + look for look in sorted(looks))):
            share, left = work.share(moment), work.left(moment)
            assert before <= share <= 1
            assert left is None or left >= 0
            before = share


@given(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    st.integers(1, 30),
    st.floats(0, 1000),
)
def test_it_never_passes_the_next_report(waits, steps, look):
    """Reports as engines make them: after each of equal parts, each as late as it likes."""
    work, now = Work({"words": 1}), 0.0
    for number, wait in zip(range(steps + 1), waits, strict=False):
        now += wait
        work.report("words", number / steps, now)
        assert work.share(now + look) <= min((number + 1) / steps, 1) + 1e-9


@given(reports)
def test_when_all_stages_are_done_all_is_done(reports):
    work, now = Work(WEIGHTS), 0.0
    for wait, stage, done in reports:
        now += wait
        work.report(stage, done, now)
    for stage in WEIGHTS:
        work.report(stage, 1.0, now)
    assert work.share(now) == pytest.approx(1)
    assert work.left(now) in (0, None)
