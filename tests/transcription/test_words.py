"""Times hold whatever an engine measured."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from diarist.model.transcript import Word
from diarist.transcription.words import MIN_SECONDS, in_order

DURATION = 30.0
ANY_WORDS = st.lists(
    st.tuples(st.integers(0, 31_000), st.integers(0, 900)).map(
        lambda t: Word(t[0] / 1000, (t[0] + t[1]) / 1000, "w", 0.5)
    ),
    max_size=40,
)


@given(ANY_WORDS)
def test_any_words_come_out_in_order_apart_and_inside_the_recording(words):
    found = in_order(words, DURATION)
    assert [w.text for w in found] == [w.text for w in words]
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(w.start >= 0 and w.end <= DURATION for w in found)
    assert all(w.duration >= MIN_SECONDS - 0.002 for w in found)


@given(ANY_WORDS)
def test_times_that_hold_are_kept(words):
    once = in_order(words, DURATION)
    assert in_order(once, DURATION) == once


def test_a_word_of_no_length_gets_the_least_and_moves_only_what_it_must():
    words = (Word(1, 1.5, "one"), Word(1.5, 1.5, "two"), Word(1.5, 2, "three"), Word(2, 2.5, "four"))
    assert in_order(words, DURATION) == (words[0], Word(1.5, 1.52, "two"), Word(1.52, 2, "three"), words[3])


def test_words_past_the_end_are_moved_back():
    words = (Word(29, 29.9, "one"), Word(29.99, 30.4, "two"), Word(30.4, 30.4, "three"))
    assert in_order(words, DURATION) == (words[0], Word(29.96, 29.98, "two"), Word(29.98, 30, "three"))


def test_a_recording_too_short_for_its_words_shares_itself_out():
    assert [(w.start, w.end) for w in in_order([Word(0, 0, "w")] * 3, 0.03)] == [(0, 0.01), (0.01, 0.02), (0.02, 0.03)]
