"""Every word gets its own speaker, and nothing is invented."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.attribution import attribute
from diarist.model.transcript import Diarization, ModelInfo, SpeakerScores, Transcription, Turn, Word

WHISPER = ModelInfo("transcription", "whisper-tiny.en", None, "faster-whisper 1.2.1")
PYANNOTE = ModelInfo("diarization", "pyannote-3.1", None, "onnxruntime 1.22")


def said(*words, **fields):
    return Transcription(words=words, language="en", duration=60, model=WHISPER, **fields)


def spoken(*turns, exclusive=None, **fields):
    return Diarization(turns=turns, exclusive=exclusive or turns, duration=60, model=PYANNOTE, **fields)


def labels(transcript):
    return [word.speaker for word in transcript.words]


def test_a_word_goes_to_the_speaker_who_covers_most_of_it():
    turns = spoken(Turn(0, 1.3, "x"), Turn(1.3, 3, "y"))
    assert labels(attribute(said(Word(0, 1, "so"), Word(1, 1.5, "long"), Word(1.5, 2, "bye")), turns)) == [
        "SPEAKER_00",
        "SPEAKER_00",
        "SPEAKER_01",
    ]


def test_pieces_of_one_speaker_count_together():
    turns = spoken(Turn(0, 0.4, "x"), Turn(0.4, 0.9, "y"), Turn(0.9, 1.2, "x"))
    (word,) = attribute(said(Word(0, 1.2, "wellll")), turns).words
    assert word.speaker == "SPEAKER_00"
    assert attribute(said(word), turns).speakers == ("SPEAKER_00", "SPEAKER_01")


def test_overlapping_turns_flag_the_word_and_the_exclusive_timeline_decides():
    turns = spoken(Turn(0, 4, "x"), Turn(2, 3, "y"), exclusive=(Turn(0, 2, "x"), Turn(2, 2.6, "y"), Turn(2.6, 4, "x")))
    result = attribute(said(Word(1, 1.5, "I"), Word(2, 2.5, "mm"), Word(3, 3.5, "see")), turns)
    assert labels(result) == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]
    assert [word.overlap for word in result.words] == [False, True, False]


def test_a_speaker_who_overlaps_himself_is_no_overlap():
    result = attribute(said(Word(1, 2, "hm")), spoken(Turn(0, 3, "x"), Turn(1, 2, "x"), exclusive=(Turn(0, 3, "x"),)))
    assert not result.words[0].overlap


def test_a_word_in_a_gap_goes_to_the_nearest_turn():
    turns = spoken(Turn(10, 11, "x"), Turn(12, 13, "y"))
    result = attribute(said(Word(11.1, 11.3, "c"), Word(11.7, 11.9, "d")), turns)
    assert labels(result) == ["SPEAKER_00", "SPEAKER_01"]


@pytest.mark.parametrize(("seconds", "speaker"), [(0.1, "SPEAKER_00"), (0.9, "SPEAKER_00"), (1.1, None), (5, None)])
def test_a_word_more_than_a_second_from_any_turn_is_nobodys(seconds, speaker):
    before, after = Word(10 - seconds - 0.2, 10 - seconds, "a"), Word(11 + seconds, 11.2 + seconds, "b")
    for word in (before, after):
        assert labels(attribute(said(word), spoken(Turn(10, 11, "x")))) == [speaker]


def test_a_word_without_length_still_has_a_speaker():
    assert labels(attribute(said(Word(1, 1, "a")), spoken(Turn(0, 2, "x")))) == ["SPEAKER_00"]


def test_speakers_are_named_in_order_of_first_word_then_of_first_turn():
    turns = spoken(Turn(0, 0.5, "cough"), Turn(1, 2, "zoe"), Turn(3, 4, "adam"))
    result = attribute(said(Word(1, 1.5, "hi"), Word(3, 3.5, "hello")), turns)
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    assert [turn.speaker for turn in result.turns] == ["SPEAKER_02", "SPEAKER_00", "SPEAKER_01"]


def test_speaker_confidence_says_how_far_a_speaker_is_above_everyone_else_in_the_words_frames():
    scores = SpeakerScores(start=0.05, step=0.1, speakers=("y", "x"), values=bytes([0, 255] * 10 + [255, 51] * 10))
    turns = spoken(Turn(0, 1, "x"), Turn(1, 2, "y"), scores=scores)
    words = attribute(said(Word(0, 1, "a"), Word(1.4, 1.4, "b")), turns).words
    assert [word.speaker_confidence for word in words] == [1.0, 0.9]
    straddling = attribute(said(Word(0.2, 1.4, "a")), turns).words[0]
    assert straddling.speaker_confidence == pytest.approx((1 + (8 + 4 * 0.2) / 12 - 4 / 12) / 2, abs=1e-4)


def test_speaker_confidence_is_a_half_where_two_are_as_sure_and_counts_one_alone_by_their_own_score():
    both = SpeakerScores(start=0.05, step=0.1, speakers=("x", "y"), values=bytes([255, 255] * 10))
    word = attribute(said(Word(0, 1, "a")), spoken(Turn(0, 1, "x"), scores=both)).words[0]
    assert word.speaker_confidence == 0.5
    alone = SpeakerScores(start=0.05, step=0.1, speakers=("x",), values=bytes([204] * 10))
    word = attribute(said(Word(0, 1, "a")), spoken(Turn(0, 1, "x"), scores=alone)).words[0]
    assert word.speaker_confidence == pytest.approx(0.9)


def test_speaker_confidence_is_absent_where_the_diarizer_measured_none():
    turns = (Turn(0, 1, "x"),)
    assert attribute(said(Word(0, 1, "a")), spoken(*turns)).words[0].speaker_confidence is None
    other = SpeakerScores(0, 0.1, ("y",), bytes(20))
    assert attribute(said(Word(0, 1, "a")), spoken(*turns, scores=other)).words[0].speaker_confidence is None
    short = SpeakerScores(0, 0.1, ("x",), b"")
    assert attribute(said(Word(0, 1, "a")), spoken(*turns, scores=short)).words[0].speaker_confidence is None


def one_by_one(text, start=0.0):
    return [Word(start + n / 2, start + (n + 1) / 2, part) for n, part in enumerate(text.split())]


@pytest.mark.parametrize("change", [0.6, 1.0, 1.5, 2.0, 2.4])
def test_a_change_of_speaker_moves_to_a_sentence_end_within_two_words(change):
    words = one_by_one("How are you? Fine thank you all. And you?")
    result = attribute(said(*words), spoken(Turn(0, change, "x"), Turn(change, 5, "y")))
    assert [word.text for word in result.words if word.speaker == "SPEAKER_00"] == ["How", "are", "you?"]


@pytest.mark.parametrize("words_away", [3, 4])
def test_a_change_three_words_or_more_from_a_sentence_end_stays(words_away):
    words = one_by_one("I would say that this is quite so. Yes")
    change = (8 - words_away) / 2
    result = attribute(said(*words), spoken(Turn(0, change, "x"), Turn(change, 9, "y")))
    assert labels(result).count("SPEAKER_00") == 8 - words_away


def test_a_short_answer_is_never_swallowed_by_the_sentences_around_it():
    words = one_by_one("Is that so? yes Really. Good.")
    turns = spoken(Turn(0, 1.5, "x"), Turn(1.5, 2, "y"), Turn(2, 4, "x"))
    assert "SPEAKER_01" in labels(attribute(said(*words), turns))


def test_segments_are_cut_at_speaker_changes_sentence_ends_and_pauses():
    turns = spoken(Turn(0, 10, "x"), Turn(10, 20, "y"))
    result = attribute(
        said(
            Word(0, 1, "Hello."),
            Word(1, 2, "Mr."),
            Word(2, 3, "Smith,"),
            Word(3.4, 4, "I"),
            Word(5.2, 6, "think"),
            Word(10, 11, "Yes?"),
            Word(11, 12, "good"),
        ),
        turns,
    )
    assert [(s.speaker, s.text) for s in result.segments] == [
        ("SPEAKER_00", "Hello."),
        ("SPEAKER_00", "Mr. Smith, I"),
        ("SPEAKER_00", "think"),
        ("SPEAKER_01", "Yes? good"),
    ]
    assert [(s.start, s.end) for s in result.segments][1] == (1, 4)


@pytest.mark.parametrize(("seconds", "segments"), [(0.7, 1), (0.9, 2)])
def test_a_segment_ends_at_a_pause_of_eight_tenths_of_a_second(seconds, segments):
    result = attribute(said(Word(0, 1, "well"), Word(1 + seconds, 3, "then")))
    assert len(result.segments) == segments


def test_words_are_joined_as_the_language_is_written():
    told = Transcription(words=(Word(0, 1, "你"), Word(1, 2, "好。")), language="zh", duration=2, model=WHISPER)
    assert attribute(told).segments[0].text == "你好。"


def test_spaces_that_were_written_and_the_language_of_the_text_are_kept():
    words = (
        Word(0, 1, "And", spaced=True),
        Word(1, 2, "so", spaced=True),
        Word(2, 3, "今天"),
        Word(3, 4, "天气", spaced=True),
    )
    made = replace(said(*words), language="en", spoken_language="ja", task="translate", temperature=0.0)
    result = attribute(made, spoken(Turn(0, 4, "x")))
    assert result.text == "And so 今天 天气"
    assert [word.spaced for word in result.words] == [True, True, None, True]
    assert (result.language, result.spoken_language, result.task, result.temperature) == ("en", "ja", "translate", 0.0)


def test_without_diarization_words_are_segmented_and_have_no_speaker():
    result = attribute(said(Word(0, 1, "One."), Word(1, 2, "Two")))
    assert (labels(result), result.speakers, result.turns) == ([None, None], (), ())
    assert [segment.text for segment in result.segments] == ["One.", "Two"]
    assert result.models == (WHISPER,)


def test_models_timings_and_warnings_of_both_legs_are_kept():
    result = attribute(
        said(timings={"load": 1.0}, warnings=("slow",)), spoken(timings={"load": 2.0}, warnings=("slow", "short"))
    )
    assert result.models == (WHISPER, PYANNOTE)
    assert result.timings == {"transcription.load": 1.0, "diarization.load": 2.0}
    assert result.warnings == ("slow", "short")
    assert result.segments == ()


MS = st.integers(0, 20_000)
WORDS = st.lists(
    st.tuples(MS, st.integers(0, 900), st.sampled_from(["a", "b", "Dr."])).map(
        lambda w: Word(w[0] / 1000, (w[0] + w[1]) / 1000, w[2])
    ),
    max_size=12,
).map(lambda words: sorted(words, key=lambda word: word.start))
TURNS = st.lists(st.tuples(MS, st.sampled_from("xyz")), max_size=8).map(
    lambda edges: [
        Turn(a[0] / 1000, b[0] / 1000, a[1])
        for a, b in itertools.pairwise(sorted(edges))
        if a[0] < b[0] and a[1] != "z"
    ]
)


@given(WORDS, TURNS)
def test_the_fast_search_agrees_with_looking_at_every_turn(words, turns):
    result = attribute(said(*words), spoken(*turns))
    for word, labelled in zip(words, result.words, strict=True):
        cover = {}
        for turn in turns:
            cover[turn.speaker] = cover.get(turn.speaker, 0) + turn.intersection(word)
        distance = min((word.gap(turn) for turn in turns), default=99)
        assert (labelled.speaker is None) == (distance > 1)
        if labelled.speaker and max(cover.values()) > 0:
            name = dict(zip([t.speaker for t in result.turns], [t.speaker for t in turns], strict=True))
            assert cover[name[labelled.speaker]] == pytest.approx(max(cover.values()))


PUNCTUATED = WORDS.flatmap(
    lambda words: st.lists(st.sampled_from(["", ".", "?"]), min_size=len(words), max_size=len(words)).map(
        lambda marks: [Word(w.start, w.end, w.text + mark) for w, mark in zip(words, marks, strict=True)]
    )
)


@given(PUNCTUATED, TURNS)
def test_sentence_ends_change_no_order_of_speakers(words, turns):
    plain = [Word(word.start, word.end, "a") for word in words]
    orders = [
        [speaker for speaker, _ in itertools.groupby(labels(attribute(said(*some), spoken(*turns))))]
        for some in (plain, words)
    ]
    assert orders[0] == orders[1]


@given(PUNCTUATED, TURNS)
def test_no_word_is_lost_or_moved_and_segments_never_mix_speakers(words, turns):
    result = attribute(said(*words), spoken(*turns))
    assert [(w.start, w.end, w.text) for w in result.words] == [(w.start, w.end, w.text) for w in words]
    for segment in result.segments:
        assert {word.speaker for word in segment.words} == {segment.speaker}
        assert segment.text == " ".join(word.text for word in segment.words)
    assert set(result.speakers) == {t.speaker for t in result.turns} | {w.speaker for w in result.words if w.speaker}
