"""Where a speaker is heard alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.transcript import Segment, Transcript, Turn, Word
from diarist.samples import best_stretches, file_names, labels

times = st.floats(0, 120, allow_nan=False)


def transcript(turns=(), segments=(), duration=120.0):
    speakers = tuple(dict.fromkeys(turn.speaker for turn in turns))
    return Transcript(
        duration=duration, language=None, speakers=speakers, segments=tuple(segments), turns=tuple(turns), models=()
    )


@st.composite
def conversations(draw):
    confidence = st.none() | st.floats(0, 1)
    turns = [
        Turn(min(a, b), max(a, b), speaker, sure)
        for a, b, speaker, sure in draw(
            st.lists(st.tuples(times, times, st.sampled_from("ABC"), confidence), max_size=12)
        )
    ]
    segments = []
    for start, speaker in draw(st.lists(st.tuples(times, st.sampled_from(["A", "B", None])), max_size=6)):
        word = Word(start, start + 0.4, "yes", speaker=speaker)
        segments.append(Segment(word.start, word.end, speaker, word.text, (word,)))
    return transcript(turns, segments, draw(st.floats(0.5, 130)))


@given(conversations(), st.integers(1, 5), st.floats(1, 15), st.floats(1, 40))
def test_stretches_are_few_in_order_inside_and_of_one_voice(talk, at_most, seconds, total):
    found = best_stretches(talk, "A", at_most=at_most, seconds=seconds, total=total)
    assert len(found) <= at_most
    assert sum(span.duration for span in found) <= total + 0.01
    assert all(0.99 <= span.duration <= seconds + 0.002 for span in found)
    assert all(span.end <= talk.duration for span in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    others = [item for item in (*talk.turns, *talk.words) if item.speaker not in ("A", None)]
    assert all(span.intersection(other) < 0.002 for span in found for other in others)


def test_the_longest_come_first_and_unsure_ones_last():
    turns = [Turn(0, 3, "A", 0.9), Turn(10, 14, "A", 0.5), Turn(20, 26, "A", 0.9), Turn(30, 32.5, "A", 0.9)]
    starts = [span.start for span in best_stretches(transcript(turns), "A", at_most=2, seconds=8)]
    assert starts == [0, 20]


def test_a_monologue_gives_several():
    found = best_stretches(transcript([Turn(0, 60, "A")]), "A", at_most=3, seconds=8)
    assert [(span.start, span.end) for span in found] == [(0, 8), (8, 16), (16, 24)]


@pytest.mark.parametrize(("seconds", "number"), [(0.9, 0), (1.1, 1)])
def test_less_than_a_second_tells_nobody_who_is_talking(seconds, number):
    found = best_stretches(transcript([Turn(3, 3 + seconds, "A")]), "A", at_most=3, seconds=8)
    assert len(found) == number


def test_where_no_turns_are_known_segments_tell():
    found = best_stretches(transcript(segments=[Segment(1, 5, "A", "…", ())]), "A", at_most=3, seconds=8)
    assert [(span.start, span.end) for span in found] == [(1, 5)]


def test_speakers_that_only_turns_or_segments_name_are_speakers():
    talk = transcript([Turn(5, 6, "B")], [Segment(1, 2, "A", "…", ()), Segment(3, 4, None, "…", ())])
    assert labels(talk) == ("B", "A")


@given(st.lists(st.text(max_size=80), unique=True, max_size=8))
def test_file_names_are_distinct_and_plain(speakers):
    names = file_names(speakers)
    assert len({name.casefold() for name in names}) == len(speakers)
    assert not any(set(name) & set('/\\:*?"<>|.\0\n') for name in names)
    assert all(name.strip() == name and 0 < len(name) < 50 for name in names)


@pytest.mark.parametrize(
    ("speakers", "names"),
    [(["Anna", "anna"], ("Anna", "anna_2")), (["../etc", "A/B", "A:B"], ("etc", "A_B", "A_B_2"))],
)
def test_file_names_tell_speakers_apart_on_every_disk(speakers, names):
    assert file_names(speakers) == names
