"""Times hold whatever an engine measured."""

import itertools
import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.transcript import Word, join_words
from diarist.transcription.words import MIN_SECONDS, in_order, whole_words

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


@given(ANY_WORDS, st.floats(0, 28))
def test_words_that_come_in_two_parts_get_the_times_they_get_together(words, before):
    first = tuple(itertools.takewhile(lambda word: word.end <= before, in_order(words, math.inf)))
    rest = in_order(words[len(first) :], DURATION, start=first[-1].end if first else 0.0)
    assert first + rest == in_order(words, DURATION)


def test_a_word_of_no_length_gets_the_least_and_moves_only_what_it_must():
    words = (Word(1, 1.5, "one"), Word(1.5, 1.5, "two"), Word(1.5, 2, "three"), Word(2, 2.5, "four"))
    assert in_order(words, DURATION) == (words[0], Word(1.5, 1.52, "two"), Word(1.52, 2, "three"), words[3])


def test_words_past_the_end_are_moved_back():
    words = (Word(29, 29.9, "one"), Word(29.99, 30.4, "two"), Word(30.4, 30.4, "three"))
    assert in_order(words, DURATION) == (words[0], Word(29.96, 29.98, "two"), Word(29.98, 30, "three"))


def test_a_recording_too_short_for_its_words_shares_itself_out():
    assert [(w.start, w.end) for w in in_order([Word(0, 0, "w")] * 3, 0.03)] == [(0, 0.01), (0.01, 0.02), (0.02, 0.03)]


class Piece(NamedTuple):
    """What faster-whisper calls a word."""

    word: str
    start: float
    end: float
    probability: float


def pieces(*texts):
    return [Piece(text, n / 10, (n + 1) / 10, 0.9 - n / 100) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([" costs", " $10", ",000", " now"], ["costs", "$10,000", "now"]),
        ([" 3", ".5", "%."], ["3.5%."]),
        ([" user", "-friendly", " U", ".S."], ["user-friendly", "U.S."]),
        ([" R", "&D", " &", " more"], ["R&D", "&", "more"]),
        (["C", "'est", " l", "'anno"], ["C'est", "l'anno"]),
        ([" Wel", "come", " all"], ["Welcome", "all"]),  # a translation, cut by the rules of Japanese
        (["今天", "我们", "讨论", "预算。"], ["今天", "我们", "讨论", "预算。"]),
        (["我们", "用", " Py", "thon", "编程"], ["我们", "用", "Python", "编程"]),
        (["20", "26", "年"], ["2026", "年"]),
        (["「", "資料", "」", "は"], ["「資料」", "は"]),
        (["ท", "ี่", "นี่"], ["ที่", "นี่"]),
        (["안녕", "하세요", " 여러분"], ["안녕하세요", "여러분"]),
        ([" quoi", " ?", " Oui"], ["quoi ?", "Oui"]),
        ([" dit", " «", " oui", " »"], ["dit", "« oui »"]),
        ([" ¿", "Qué", " tal", "?"], ["¿Qué", "tal?"]),
        ([" -", " Hello"], ["- Hello"]),
        ([" one", " -", " two"], ["one -", "two"]),
        ([" end", ' "'], ['end "']),
        ([" end", " «"], ["end «"]),
        (["..."], ["..."]),
        ([" ", "", " so"], ["so"]),
        ([], []),
    ],
)
def test_pieces_become_words_as_they_are_written(written, words):
    assert [word.text for word in whole_words(pieces(*written))] == words


def test_a_whole_word_spans_its_pieces_and_is_as_sure_as_the_least_sure_one():
    found, following = whole_words(pieces(" $10", ",000", ",", " now"), offset=5)
    assert (found.start, found.end, found.confidence) == (5.0, 5.2, 0.89)  # the comma is no part of what is heard
    assert following.start == 5.3


def test_a_word_knows_the_space_that_was_written_before_it():
    assert [word.spaced for word in whole_words(pieces(" And", " so"))] == [True, True]
    assert [word.spaced for word in whole_words(pieces("用", "了", " Python"))] == [None, False, True]


PIECES = st.lists(
    st.tuples(
        st.sampled_from(["", " "]), st.sampled_from(["a", "$10", ",000", "'s", "?", "«", "语", "。", "ที่", "ー", "é"])
    )
)


@given(PIECES)
def test_no_piece_is_lost_doubled_or_moved(parts):
    texts = [space + text for space, text in parts]
    made = pieces(*texts)
    words = whole_words(made)
    assert "".join("".join(word.text.split()) for word in words) == "".join("".join(text.split()) for text in texts)
    assert all(word.text == word.text.strip() for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert {round(word.confidence, 2) for word in words} <= {round(piece.probability, 2) for piece in made}
    written = "".join(texts)
    if all(word.spaced is not None for word in words[1:]):
        assert join_words(words, "en") == written.strip()
