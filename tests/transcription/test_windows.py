"""Where long audio is cut."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import EngineError
from diarist.model.timeline import Span, gaps
from diarist.model.transcript import Word
from diarist.transcription.vad import FRAME_SECONDS, voice_regions
from diarist.transcription.windows import OutOfMemory, Window, holes, join, plan, recognise_windows

OVERLAP = 2.0  # seconds that both windows hear on each side of a cut


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


# Joining. A recogniser that hears what was said, as well as real ones do: times differ a little between windows, and a
# word that a window hears only a part of comes out as something else.

SPOKEN = st.lists(
    st.tuples(st.sampled_from(["the", "cat", "and", "a", "dog", "sat"]), st.integers(60, 500), st.integers(0, 800)),
    min_size=20,
    max_size=120,
)


def said(rows):
    words, now = [], 0.5
    for text, length, pause in rows:
        words.append(Word(now, now + length / 1000, text, 0.9))
        now += (length + pause) / 1000
    return words


class Listener:
    def __init__(self, words, seed=0, most=None):
        self.words, self.chance, self.most, self.batches = words, random.Random(seed), most, []

    def __call__(self, spans):
        self.batches.append(len(spans))
        if self.most is not None and len(spans) > self.most:
            raise OutOfMemory
        return [list(self.hear(span)) for span in spans]

    def hear(self, span):
        drift = self.chance.uniform(-0.05, 0.05)
        for word in self.words:
            part = word.intersection(span)
            if part == word.duration:
                yield Word(max(0, word.start + drift), word.end + drift + 0.05, word.text, 0.9)
            elif part > 0.02:
                start = max(word.start, span.start)
                yield Word(start, start + part, "uh", 0.2)


def windows_at(cuts, end):
    edges = [0.0, *cuts, end]
    pairs = itertools.pairwise(edges)
    return [Window(Span(a, b), Span(max(0, a - OVERLAP), min(end, b + OVERLAP))) for a, b in pairs]


@given(SPOKEN, st.lists(st.integers(3, 60), max_size=5, unique=True), st.integers(0, 9))
def test_no_word_is_lost_doubled_or_reordered_wherever_the_cuts_fall(rows, cuts, seed):
    words = said(rows)
    end = words[-1].end + 0.5
    spread = [cut for cut in sorted(cuts) if 3 <= cut < end - 3]
    kept = [cut for index, cut in enumerate(spread) if index == 0 or cut - spread[index - 1] >= 4]
    found = recognise_windows(windows_at(kept, end), Listener(words, seed))
    assert [w.text for w in found] == [w.text for w in words]


@given(SPOKEN, st.lists(st.integers(3, 60), max_size=5, unique=True), st.integers(0, 9))
def test_words_are_told_when_no_later_window_can_change_them(rows, cuts, seed):
    words = said(rows)
    end = words[-1].end + 0.5
    spread = [cut for cut in sorted(cuts) if 3 <= cut < end - 3]
    windows = windows_at([cut for i, cut in enumerate(spread) if i == 0 or cut - spread[i - 1] >= 4], end)
    told, times = [], []

    def tell(some, before):
        told.extend(some)
        times.append(before)
        assert all(word.end <= before for word in some)

    found = recognise_windows(windows, Listener(words, seed), final=tell)
    assert told == found
    assert times == [*(window.heard.start for window in windows[1:]), math.inf]


@given(ANY_VOICE)
def test_each_window_hears_later_than_the_one_before(probability):
    windows = plan(probability, len(probability) * FRAME_SECONDS, context=1.0)
    assert all(a.heard.start < b.heard.start for a, b in itertools.pairwise(windows))


def test_where_windows_agree_on_nothing_the_surer_of_two_words_for_one_sound_stays():
    earlier = [Word(0, 1, "one", 0.9), Word(1.6, 2.1, "two", 0.4)]
    later = [Word(1.7, 2.4, "too", 0.8), Word(3, 4, "three", 0.9)]
    assert [w.text for w in join(earlier, later, Span(1.5, 2.5))] == ["one", "too", "three"]


def test_a_word_that_each_window_puts_on_the_other_s_side_is_kept_once():
    earlier = [Word(0, 1, "one", 0.9), Word(2.0, 2.4, "two", 0.8)]
    later = [Word(1.7, 2.2, "too", 0.4), Word(3, 4, "three", 0.9)]
    assert [w.text for w in join(earlier, later, Span(1, 3))] == ["one", "two", "three"]


def heard_as(text, start, confidence):
    """Words of 0.3 s, one every 0.4 s."""
    return [Word(start + 0.4 * i, start + 0.4 * i + 0.3, each, confidence) for i, each in enumerate(text.split())]


def joined(earlier, later):
    return " ".join(word.text for word in join(earlier, later, Span(8, 12)))


def test_where_the_later_window_heard_nothing_all_words_of_the_earlier_one_stay():
    assert joined(heard_as("she said that she would guess so", 9.1, 0.6), []) == "she said that she would guess so"


def test_where_the_earlier_window_heard_nothing_all_words_of_the_later_one_stay():
    assert joined([], heard_as("well then she said that she did", 8.1, 0.6)) == "well then she said that she did"


def test_between_two_agreed_words_the_surer_reading_stays_whole():
    unsure, sure = heard_as("we were all gaining the wrecked today", 8.7, 0.3), heard_as("going direct", 9.9, 0.9)
    later = [*heard_as("we were all", 8.7, 0.9), *sure, *heard_as("to heaven today", 10.7, 0.9)]
    assert joined(unsure, later) == "we were all going direct to heaven today"


@pytest.mark.parametrize(("surer_by", "heard"), [(0.3, "go we went"), (0.48, "go we went"), (0.52, "so we went")])
def test_a_window_begins_with_its_own_word_only_if_that_is_much_surer(surer_by, heard):
    """To change at a word on which both agree costs a quarter of a sure word; elsewhere three quarters."""
    earlier = [Word(9.85, 10.15, "go", 0.4), Word(10.3, 10.5, "we", 0.0)]
    later = [Word(9.85, 10.15, "so", 0.4 + surer_by), Word(10.3, 10.5, "we", 0.0), Word(11.6, 11.9, "went", 0.9)]
    assert joined(earlier, later) == heard


@pytest.mark.parametrize(("seconds", "heard"), [(0.55, "go we went"), (0.65, "so we went")])
def test_windows_agree_on_a_word_if_their_times_for_it_are_six_tenths_of_a_second_apart(seconds, heard):
    earlier = [Word(9.85, 10.15, "go", 0.4), Word(10.3, 10.5, "we", 0.0)]
    we = Word(10.3 + seconds, 10.5 + seconds, "we", 0.0)
    assert joined(earlier, [Word(9.85, 10.15, "so", 0.6), we, Word(11.6, 11.9, "went", 0.9)]) == heard


@pytest.mark.parametrize(("seconds", "heard"), [(1.0, "no"), (1.4, "no"), (1.6, "no no")])
def test_a_word_that_each_window_hears_once_is_said_twice_only_if_it_is_long_after(seconds, heard):
    assert joined([Word(9.0, 9.3, "no", 0.9)], [Word(9.3 + seconds, 9.6 + seconds, "no", 0.9)]) == heard


@pytest.mark.parametrize(("seconds", "number"), [(2.0, 0), (2.15, 1), (4.0, 1)])
def test_words_were_missed_where_voice_goes_on_for_a_second_and_a_half_apart_from_its_edges(seconds, number):
    words = [Word(3, 5, "so"), Word(5 + seconds, 12, "on")]
    assert len(holes(words, Span(3, 12), probabilities((12, 0.9)))) == number
    assert holes(words, Span(3, 12), probabilities((12, 0.4))) == ()


def test_an_unsure_word_near_a_window_s_end_is_not_taken_in_between_agreed_ones():
    later = heard_as("clear to lab users I guess", 8.1, 0.9)
    later[2:2] = [Word(8.82, 8.88, "the", 0.2)]
    assert joined(heard_as("clear to lab users I guess", 8.1, 0.9), later) == "clear to lab users I guess"


def test_a_batch_that_does_not_fit_is_halved_and_goes_on():
    words = said([("cat", 300, 300)] * 60)
    windows = windows_at(range(4, 36, 4), words[-1].end + 0.5)
    listener = Listener(words, most=2)
    assert len(recognise_windows(windows, listener, batch=8)) == 60
    assert listener.batches == [8, 4, 2, 2, 2, 2, 1]


def test_a_window_that_does_not_fit_alone_says_so():
    with pytest.raises(EngineError, match="not enough memory for one window"):
        recognise_windows(windows_at([], 10), Listener([], most=0))


def test_a_hole_that_does_not_fit_says_so_too():
    def recognise(spans):
        if spans[0].start > 0:
            raise OutOfMemory
        return [[Word(0, 9, "so")]]

    with pytest.raises(EngineError, match="not enough memory for one window"):
        recognise_windows(windows_at([], 20), recognise, probability=probabilities((20, 0.9)))


def test_progress_is_told_after_each_batch():
    seen = []
    recognise_windows(windows_at(range(4, 16, 4), 16), Listener([]), batch=2, report=seen.append)
    assert seen == [0.5, 1.0]


def test_voice_without_words_is_decoded_once_more_by_itself():
    words = said([("cat", 300, 100)] * 40)
    asked = []

    def deaf_at_first(spans):
        asked.extend(spans)
        heard = [list(Listener(words).hear(span)) for span in spans]
        return [
            [w for w in h if not 5 < w.midpoint < 9] if s.duration > 10 else h
            for s, h in zip(spans, heard, strict=True)
        ]

    voice = probabilities((20, 0.9))
    found = recognise_windows(windows_at([], 17), deaf_at_first, probability=voice)
    assert [w.text for w in found] == ["cat"] * 40
    assert len(asked) == 2
    assert asked[1].duration < 6


def test_three_hours_are_joined_from_their_windows():
    words = said([("cat", 300, 300)] * 18_000)
    windows = windows_at(range(28, 10_800, 28), words[-1].end + 0.5)
    found = recognise_windows(windows, Listener(words), batch=16)
    assert len(found) == 18_000
    assert all(a.start <= b.start for a, b in itertools.pairwise(found))
