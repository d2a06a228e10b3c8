"""Subtitles can be read: the rules hold, and the checker sees where they do not."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.attribution import segment
from diarist.formats.cues import BROADCAST, Cue, Line, Rules, check, lay_out, rules_for, wrap
from diarist.model.transcript import Transcript, Word
from diarist.model.writing import width


def transcript(words, language="en"):
    segments = segment(words, language)
    speakers = tuple(dict.fromkeys(word.speaker for word in words if word.speaker))
    return Transcript(duration=600, language=language, speakers=speakers, segments=segments, turns=(), models=())


def speech(text, start=0.0, speaker="SPEAKER_00", pace=0.35):
    """Make words at an even pace (seconds a word), with a breath after each sentence."""
    words, time = [], start
    for word in text.split():
        words.append(Word(time, time + pace - 0.05, word, None, speaker))
        time += pace + (0.4 if word[-1] in ".?!" else 0)
    return words


MONOLOGUE = (
    "I have been thinking about this for a long time, and I believe that we should go ahead. "
    "There are three reasons for that. The first one is that nobody else has tried it, which means that we would learn "
    "something new whatever happens. The second is money. The third, and this matters most to me, is that it is fun."
)


def test_a_monologue_keeps_every_rule_and_every_word():
    words = speech(MONOLOGUE)
    cues = lay_out(transcript(words))
    assert check(cues) == []
    assert " ".join(cue.text for cue in cues).split() == [word.text for word in words]


def test_cues_are_cut_at_sentences_and_clauses():
    ends = [cue.text.split()[-1][-1] for cue in lay_out(transcript(speech(MONOLOGUE)))]
    assert sum(end in ".,?!" for end in ends) >= len(ends) - 1


def test_a_new_speaker_has_a_new_cue_with_a_label():
    words = [*speech("Good morning to all of you here.", 0), *speech("Good morning to you too.", 4, "SPEAKER_01")]
    cues = lay_out(transcript(words), labels=True)
    assert cues[0].text.replace("\n", " ") == "SPEAKER_00: Good morning to all of you here."
    assert cues[1].text == "SPEAKER_01: Good morning to you too."
    assert all(len({line.speaker for line in cue.lines}) == 1 for cue in cues)


def test_quick_short_exchanges_become_a_dialogue_with_dashes():
    words = [Word(0, 0.2, "Ready?", None, "A"), Word(0.3, 0.5, "Yes.", None, "B"), *speech("Let us go.", 5, "A")]
    cues = lay_out(transcript(words))
    assert [cue.text for cue in cues] == ["- Ready?\n- Yes.", "Let us go."]
    assert check(cues) == []


def test_no_cue_spans_a_pause():
    words = [*speech("One thing."), *speech("and another", 10)]
    assert [cue.text for cue in lay_out(transcript(words))] == ["One thing.", "and another"]


def test_a_fast_talker_is_given_the_pause_that_follows():
    words = speech("extraordinarily complicated considerations notwithstanding", pace=0.3)
    (cue,) = lay_out(transcript(words))
    assert cue.end > words[-1].end
    assert check([cue]) == []


def test_lines_break_before_a_conjunction_and_hold_their_width():
    assert wrap("We went all the way to the old harbour and then we came back.") == [
        "We went all the way to the old harbour",
        "and then we came back.",
    ]
    assert wrap("short") == ["short"]
    assert max(map(len, wrap("x" * 100))) <= BROADCAST.max_width
    assert wrap("Hello there", label="SPEAKER_00: ") == ["SPEAKER_00: Hello there"]


@pytest.mark.parametrize(
    ("cue", "complaint"),
    [
        (Cue(0, 3, (Line(None, "x" * 43),)), "a line of 43 characters"),
        (Cue(0, 3, tuple(Line(None, "x") for _ in range(3))), "3 lines"),
        (Cue(0, 0.5, (Line(None, "x"),)), "only 0.500 s"),
        (Cue(0, 8, (Line(None, "x"),)), "8.000 s"),
        (Cue(0, 1, (Line(None, "x" * 30),)), "30.0 characters a second"),
        (Cue(0, 3, (Line("A", "x"), Line("B", "y"))), "without dashes"),
    ],
)
def test_the_checker_sees_each_broken_rule(cue, complaint):
    (found,) = check([cue])
    assert complaint in found
    assert found.startswith("cue 1: ")


@pytest.mark.parametrize(
    ("kept", "broken"),
    [
        (Cue(0, 3, (Line(None, "x" * 42),)), Cue(0, 3, (Line(None, "x" * 43),))),
        (Cue(0, 3, (Line(None, "x"),) * 2), Cue(0, 3, (Line(None, "x"),) * 3)),
        (Cue(0, 0.84, (Line(None, "x"),)), Cue(0, 0.82, (Line(None, "x"),))),
        (Cue(0, 7, (Line(None, "x"),)), Cue(0, 7.1, (Line(None, "x"),))),
        (Cue(0, 2, (Line(None, "x" * 40),)), Cue(0, 2, (Line(None, "x" * 41),))),
    ],
    ids=["42 characters a line", "2 lines", "5/6 s at least", "7 s at most", "20 characters a second"],
)
def test_the_rules_of_english_are_exactly_those_of_the_guide(kept, broken):
    assert check([kept]) == []
    assert len(check([broken])) == 1


@pytest.mark.parametrize(("gap", "broken"), [(0.084, 0), (0.083, 1)])
def test_two_frames_of_a_film_lie_between_cues(gap, broken):
    assert len(check([Cue(0, 2, (Line(None, "a"),)), Cue(2 + gap, 4, (Line(None, "b"),))])) == broken
    words = [Word(0, 2, "one"), Word(3.5, 5, "three", None, "B")]
    first, second = lay_out(transcript([*words, *speech("or more", 5)]))[:2]
    assert second.start - first.end >= 0.084


@pytest.mark.parametrize(("seconds", "cues"), [(0.9, 1), (1.1, 2)])
def test_a_cue_spans_a_pause_of_up_to_a_second(seconds, cues):
    words = [Word(0, 1, "One"), Word(1 + seconds, 3, "thing")]
    assert len(lay_out(transcript(words))) == cues


def test_where_nothing_follows_a_cue_stays_for_fifteen_characters_a_second():
    (cue,) = lay_out(transcript([Word(0, 0.4, "x" * 15), Word(0.4, 0.8, "y" * 14)]))
    assert (cue.start, cue.end) == (0, 2)


@pytest.mark.parametrize(("later", "cues"), [(0.35, 1), (0.45, 2)])
def test_two_short_lines_become_a_dialogue_if_one_would_come_half_a_second_late(later, cues):
    """The first is shown for 5/6 s, and two frames lie between them."""
    words = [Word(0, 0.2, "Ready?", None, "A"), Word(later, later + 0.2, "Yes.", None, "B")]
    assert len(lay_out(transcript(words))) == cues


def test_a_cue_comes_three_seconds_late_at_most():
    words = [Word(n / 5, n / 5 + 0.2, "x" * 42, None, speaker) for n, speaker in enumerate("AABB")]
    first, second = lay_out(transcript(words))
    assert second.start == pytest.approx(0.4 + 3)
    assert first.end < second.start


def test_the_checker_sees_cues_too_close():
    cues = [Cue(0, 2, (Line(None, "a"),)), Cue(2.01, 4, (Line(None, "b"),))]
    assert check(cues) == ["cue 2: 0.010 s after the one before"]
    assert check(cues, replace(Rules(), min_gap=0.01)) == []


WORDS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.integers(20, 800),
        st.sampled_from(["a", "and", "ten.", "considerably,", "x" * 50, "語", "ように", "한국어", "ที่", "漢" * 40]),
        st.sampled_from("AB"),
    ),
    max_size=60,
)


@given(WORDS)
def test_any_speech_keeps_all_rules_but_reading_speed_and_loses_no_word(parts):
    words, time = [], 0.0
    for gap, length, text, speaker in parts:
        time += gap / 1000
        words.append(Word(time, time + length / 1000, text, None, speaker))
        time += length / 1000
    cues = lay_out(transcript(words))
    assert [found for found in check(cues) if "characters a second" not in found] == []
    shown = "".join(line.text.removeprefix("- ") for cue in cues for line in cue.lines).replace(" ", "")
    assert sorted(shown) == sorted("".join(word.text for word in words))


def letters(text, pace=0.2):
    """Make a word of every letter, as recognisers do in scripts without spaces."""
    return [Word(n * pace, (n + 1) * pace, letter, None, "A") for n, letter in enumerate(text)]


@pytest.mark.parametrize(
    ("language", "text", "columns"),
    [
        ("zh", "今天我们要讨论明年的预算以及新办公室的搬迁计划，请大家先看第一页的内容。" * 3, 32),
        ("ja", "今日は来年の予算と新しい事務所への移転について話しますので資料をご覧ください。" * 3, 26),
        ("th", "วันนี้เราจะคุยกันเรื่องงบประมาณของปีหน้าและการย้ายสำนักงานใหม่" * 3, 35),
    ],
)
def test_scripts_without_spaces_keep_the_rules_of_their_script(language, text, columns):
    # A mark of Thai is no word of its own.
    words = letters(text if language != "th" else re.findall("[ก-ฮเ-ไ][^ก-ฮเ-ไ]*", text))
    cues = lay_out(transcript(words, language))
    assert check(cues) == []
    assert "".join(cue.text for cue in cues).replace("\n", "") == text
    assert max(width(line.text) for cue in cues for line in cue.lines) <= columns
    assert not any(line.text[0] in "，。、" for cue in cues for line in cue.lines)


def test_korean_is_cut_at_its_spaces():
    text = "오늘은 내년 예산과 새 사무실 이전에 대해 이야기하겠습니다. 먼저 첫 페이지를 봐 주세요."
    cues = lay_out(transcript(speech(text), "ko"))
    assert check(cues) == []
    assert " ".join(cue.text for cue in cues).split() == text.split()
    assert max(width(line.text) for cue in cues for line in cue.lines) <= 32


@pytest.mark.parametrize(
    ("text", "letters_a_line", "letters_a_second"),
    [("你好", 16, 11), ("こんにちは世界", 13, 7), ("안녕하세요", 16, 14), ("สวัสดี", 17.5, 10)],
)
def test_the_rules_are_those_of_the_guide_for_the_script(text, letters_a_line, letters_a_second):
    rules = rules_for(text)
    assert (rules.max_width, rules.max_speed) == (2 * letters_a_line, 2 * letters_a_second)


@pytest.mark.parametrize(("kanji", "language"), [(8, "ja"), (10, "zh")])
def test_japanese_has_a_tenth_of_kana(kanji, language):
    assert rules_for("漢" * kanji + "の") == rules_for({"ja": "の", "zh": "漢"}[language])


@pytest.mark.parametrize(("wide", "latin"), [(11, 9), (9, 11)])
def test_the_script_of_half_the_letters_decides(wide, latin):
    assert rules_for("漢" * wide + "x" * latin) == rules_for("漢" if wide > latin else "x")


@pytest.mark.parametrize("text", ["Hello", "Привет", "مرحبا", "नमस्ते", "", "123", "Hello 你好 everybody"])
def test_all_other_scripts_have_the_rules_of_english(text):
    assert rules_for(text) == BROADCAST


def test_wide_letters_are_read_as_two():
    cue = Cue(0, 1, (Line(None, "语" * 17),))
    assert check([cue]) == ["cue 1: a line of 34 characters", "cue 1: 34.0 characters a second"]


def test_a_long_word_is_cut_between_letters_never_before_a_mark():
    lines = wrap("ที่" * 60, rules_for("ที่"))
    assert all(line[0] == "ท" for line in lines)
    assert "".join(lines) == "ที่" * 60
    assert max(map(width, wrap("語" * 100, rules_for("語")))) == 32


def test_who_is_interrupted_is_named_again():
    anna = [Word(at / 2, at / 2 + 0.4, f"anna number{at}.", speaker="Anna") for at in range(24)]
    ben = [Word(5.5, 5.9, "Really?", speaker="Ben")]
    transcript = Transcript(
        duration=20,
        language="en",
        speakers=("Anna", "Ben"),
        segments=(*segment(anna), *segment(ben)),
        turns=(),
        models=(),
    )
    shown = [line.text for cue in lay_out(transcript, labels=True) for line in cue.lines]
    assert shown[shown.index("Ben: Really?") + 1].startswith("Anna: anna number")
    assert sum(line.startswith("Anna: ") for line in shown) == 2
