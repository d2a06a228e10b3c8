"""Subtitles as other programs write them."""

import pytest

from diarist import reading
from diarist.model.errors import InputError


def said(document, name="a.srt"):
    found = reading.parse(document.encode() if isinstance(document, str) else document, name)
    return [(s.speaker, s.text) for s in found.segments]


def cues(*texts):
    return "\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}\n" for n, text in enumerate(texts, 1))


def test_markup_is_taken_out_and_lines_are_joined():
    srt = cues('<i>Hello</i>\n<font color="#fff">there</font>', "{\\an8}5 < 6 & 7 > 6 {laughs}", "<b>", "明天\n见")
    assert said(srt) == [(None, "Hello there"), (None, "5 < 6 & 7 > 6 {laughs}"), (None, "明天见")]


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_and_encodings_of_other_systems_do_no_harm(newline, encoding):
    assert said(cues("Grüße", "zwei").replace("\n", newline).encode(encoding)) == [(None, "Grüße"), (None, "zwei")]


def test_numbers_may_be_missing_and_blank_lines_stand_inside_a_text():
    srt = "00:00:01,000 --> 00:00:02,000\none\n\ntwo\n\n7\n0:00:03.000 --> 0:00:04.000 X1:40 X2:600\n42\n"
    found = reading.parse(srt.encode(), "a.srt")
    assert [(s.start, s.end, s.text) for s in found.segments] == [(1, 2, "one two"), (3, 4, "42")]


def test_names_before_a_colon_are_speakers_and_hold_until_the_next():
    assert said(cues("Anna: Hi.", "How are you?", "BEN SMITH: Well.", "Dr. de la Cruz: Note: I am, too.")) == [
        ("Anna", "Hi."),
        ("Anna", "How are you?"),
        ("BEN SMITH", "Well."),
        ("Dr. de la Cruz", "Note: I am, too."),
    ]


def test_two_people_in_one_cue():
    assert said(cues("- ANNA: Hi!\n- BEN: Ho!", "ANNA: Who?\nBEN: You.", "- No.\n- Yes.")) == [
        ("ANNA", "Hi!"),
        ("BEN", "Ho!"),
        ("ANNA", "Who?"),
        ("BEN", "You."),
        ("BEN", "No."),
        ("BEN", "Yes."),
    ]
    assert said(cues("- No.\n- Yes.", "-Is it\nso?")) == [(None, "No."), (None, "Yes."), (None, "-Is it so?")]


@pytest.mark.parametrize(
    "texts",
    [
        ("He said:", "Remember: buy milk.", "It is 10:30."),
        ("Remember: buy milk.", "And one thing more."),
        ("What I mean is this: no.", "And this: yes.", "so: what"),
        ("http://example.org is a place", "https://example.org, too"),
        ("第一个问题：好", "没有"),
    ],
)
def test_a_colon_in_speech_makes_no_speaker(texts):
    assert said(cues(*texts)) == [(None, text) for text in texts]


def test_names_in_lower_case_and_before_a_wide_colon_must_come_back():
    assert said(cues("anna: hi", "ben: ho", "anna: so")) == [("anna", "hi"), ("ben", "ho"), ("anna", "so")]
    assert said(cues("小明：你好", "小红：我有一个问题：走吗", "小明：好", "小红：好")) == [
        ("小明", "你好"),
        ("小红", "我有一个问题：走吗"),
        ("小明", "好"),
        ("小红", "好"),
    ]


def test_a_voice_in_subrip_counts_too():
    assert said(cues("<v Anna>Hi", "<v Ben>Ho</v>")) == [("Anna", "Hi"), ("Ben", "Ho")]


VTT = """WEBVTT - made elsewhere
Kind: captions
Language: de-DE

NOTE
00:00:00.000 --> 00:00:01.000 is no cue here

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
<v.loud Anna &amp; Co>Hallo <c.colorE5E5E5>du</c>,<00:00:01.500> wie
geht&#39;s?

01:00:00.000 --> 01:00:01.000
<v Ben>Gut.</v> <v Anna>Schön.
<i>Niemand</i>
"""


def test_webvtt_with_all_that_it_allows():
    found = reading.parse(VTT.encode(), "a.vtt")
    assert [(s.start, s.end, s.speaker, s.text) for s in found.segments] == [
        (1.0, 2.5, "Anna & Co", "Hallo du, wie geht's?"),
        (3600.0, 3601.0, "Ben", "Gut."),
        (3600.0, 3601.0, "Anna", "Schön. Niemand"),
    ]
    assert found.language == "de"


def test_webvtt_without_voices_has_names_as_subrip_has():
    vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nAnna: Hi\n\n00:03.000 --> 00:04.000\nBen: 5 &lt; 6\n"
    assert said(vtt, "a.vtt") == [("Anna", "Hi"), ("Ben", "5 < 6")]


def test_a_cue_right_below_the_head_is_not_lost():
    assert said("WEBVTT\n00:01.000 --> 00:02.000\nHi\n00:03.000 --> 00:04.000\nHo\n", "a.vtt") == [
        (None, "Hi"),
        (None, "Ho"),
    ]


@pytest.mark.parametrize("name", ["-", "notes.txt", "a.json"])
def test_what_it_is_shows_in_the_content(name):
    assert said(cues("Hi"), name) == [(None, "Hi")]
    assert said(VTT, name)[0][0] == "Anna & Co"


def test_a_file_without_a_word_is_a_transcript_of_silence():
    assert said("", "a.srt") == []
    assert said("WEBVTT\n", "a.vtt") == []


@pytest.mark.parametrize(
    ("document", "name", "says"),
    [
        (b"secret words", "a.srt", "a.srt has no subtitles in it"),
        (b"secret words", "a.vtt", "a.vtt does not begin with WEBVTT"),
        (b"", "a.vtt", "a.vtt does not begin with WEBVTT"),
        (b"00:00:02,000 --> 00:00:01,000\nsecret\n", "a.srt", "before it starts: 00:00:02,000 --> 00:00:01,000"),
        (b"1\n00:00:02,000 --> 00:00:0\nsecret\n", "a.srt", "a.srt, line 2: the times are not valid"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nGr\xfc\xdfe\n", "a.srt", "a.srt is not text in UTF-8"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place_and_without_the_words(document, name, says):
    with pytest.raises(InputError, match=says) as caught:
        reading.parse(document, name)
    assert "secret" not in str(caught.value)
    assert caught.value.hint
