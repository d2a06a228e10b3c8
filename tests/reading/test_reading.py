"""What we write we read: same times, texts and speakers. What is no transcript is refused in one line."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diarist import reading
from diarist.attribution import segment
from diarist.editing import Rename, apply
from diarist.formats import FORMATS, render
from diarist.formats.cues import lay_out
from diarist.formats.openai import speaker_letters
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Word

LATIN = ["Hello,", "yes.", "It's", "10:30", "a", "naïve", "“quoted”", "Dr.", "¿Qué?", "$10,000", "e-mail", "I.", "1"]
OTHERS = ["你好。", "明天", "见", "はい、", "สวัสดี", "مرحبا"]
MARKUP = ["&amp;", "&", "<b>", "x<y", "<v", "{i}", "-->", "—", "re:", "Ja:"]
TEXTS = st.sampled_from([*LATIN, *OTHERS, *MARKUP])
NAMES = st.sampled_from(["SPEAKER_00", "SPEAKER_01", "Anna", "Ben Smith", "Dr. von Hohen", "王小明", "O’Brien"])


def talk(*said):
    """A transcript of (speaker, text) that follow each other, five seconds each."""
    segments = [Segment(5.0 * n, 5.0 * n + 3, who, text, ()) for n, (who, text) in enumerate(said)]
    return Transcript(
        duration=5.0 * len(said),
        language="en",
        speakers=tuple(dict.fromkeys(who for who, _ in said if who)),
        segments=tuple(segments),
        turns=(),
        models=(),
    )


@st.composite
def transcripts(draw, texts=TEXTS, speakers=st.one_of(st.none(), NAMES), overlaps=True):
    """Words of some people, who may talk at once, cut into segments as diarist cuts them."""
    streams, at = [], 0.0
    for _ in range(draw(st.integers(0, 6))):
        speaker, words = draw(speakers), []
        start = at = max(0.0, at + draw(st.integers(-3000 if overlaps else 0, 3000)) / 1000)
        for text in draw(st.lists(texts, min_size=1, max_size=6)):
            length = draw(st.integers(0, 900)) / 1000
            words.append(Word(start, start + length, text, draw(st.none() | st.floats(0, 1)), speaker))
            start += length + draw(st.sampled_from([0.0, 0.02, 0.4, 1.5]))
        at = max(at, start)
        streams.append(words)
    segments = sorted((s for words in streams for s in segment(words, "en")), key=lambda s: s.start)
    return Transcript(
        duration=at + 10,
        language="en",
        speakers=tuple(dict.fromkeys(s.speaker for s in segments if s.speaker)),
        segments=tuple(segments),
        turns=(),
        models=(),
    )


def back(transcript, form):
    return reading.parse(render(transcript, form).encode(), f"talk.{FORMATS[form].extension}")


def spans(transcript):
    return [(s.start, s.end, s.speaker, s.text) for s in transcript.segments]


@given(transcripts())
def test_our_json_is_read_back_whole(transcript):
    assert back(transcript, "json") == transcript


@given(transcripts())
def test_verbose_json_keeps_segments_and_the_words_of_each(transcript):
    read = back(transcript, "verbose_json")
    assert spans(read) == [(s.start, s.end, None, s.text) for s in transcript.segments]
    assert [[(w.start, w.end, w.text) for w in s.words] for s in read.segments] == [
        [(w.start, w.end, w.text) for w in s.words] for s in transcript.segments
    ]
    assert (read.duration, read.language, read.warnings) == (transcript.duration, "en", ())
    # Neither confidence nor speaker is in that file.
    assert {(w.confidence, w.speaker) for w in read.words} <= {(None, None)}


@given(transcripts())
def test_diarized_json_keeps_segments_and_who_said_them(transcript):
    read = back(transcript, "diarized_json")
    letters = speaker_letters(transcript)
    assert spans(read) == [(s.start, s.end, letters.get(s.speaker or ""), s.text) for s in transcript.segments]
    assert not read.words


def shown(cues):
    """What cues show: a line of one speaker each, without the spaces that wrapping moves, dashes and labels."""
    found = []
    for cue in cues:
        dialogue = len({line.speaker for line in cue.lines}) > 1
        said = []
        for line in cue.lines:
            text = line.text.removeprefix("- ") if dialogue else line.text
            text = "".join(text.removeprefix(f"{line.speaker}: ").split())
            if said and said[-1][0] == line.speaker:
                text = said.pop()[1] + text
            said.append((line.speaker, text))
        found += [(cue.start, cue.end, *each) for each in said]
    return found


def told(transcript):
    return [(s.start, s.end, s.speaker, "".join(s.text.split())) for s in transcript.segments]


# What begins a line and ends in a colon reads as a name, where no line of the file has a voice: in files made elsewhere
# it is one, and neither format has a way to say that it is none.
NAMELESS = TEXTS.filter(lambda text: text not in ("re:", "Ja:"))


@given(transcripts().filter(lambda transcript: transcript.speakers) | transcripts(NAMELESS, st.none()))
@example(talk(("Ben Smith", "Hi."), (None, "Ja: Hello,"), (None, "Ja: yes.")))
@example(talk((None, "Hello,"), (None, "10:30")))
def test_webvtt_keeps_every_cue_and_its_voices(transcript):
    assert told(back(transcript, "vtt")) == shown(lay_out(transcript))


def test_without_any_voice_a_word_that_comes_back_before_colons_is_read_as_a_name():
    said = talk((None, "Ja: Hello,"), (None, "Ja: yes."))
    assert [(s.speaker, s.text) for s in back(said, "vtt").segments] == [("Ja", "Hello,"), ("Ja", "yes.")]
    assert [(s.speaker, s.text) for s in back(said, "srt").segments] == [("Ja", "Hello,"), ("Ja", "yes.")]


# SubRip has no way to write a tag that is none either.
PLAIN = NAMELESS.filter(lambda text: text != "<b>")


@given(transcripts(texts=PLAIN, speakers=NAMES))
def test_subrip_keeps_every_cue_and_the_names_before_them(transcript):
    several = len(transcript.speakers) > 1
    assert told(back(transcript, "srt")) == [
        (start, end, speaker if several else None, text.replace("-->", "→"))
        for start, end, speaker, text in shown(lay_out(transcript, labels=several))
    ]


@pytest.mark.parametrize("form", ["srt", "vtt", "verbose_json", "diarized_json"])
def test_what_a_file_does_not_hold_is_said_and_not_made_up(form):
    said = Word(0.5, 1.0, "Hello.", 0.9, "SPEAKER_00"), Word(2.0, 2.5, "Hi!", 0.8, "SPEAKER_01")
    whole = Transcript(
        duration=60, language="en", speakers=("SPEAKER_00", "SPEAKER_01"), segments=segment(said), turns=(), models=()
    )
    read = back(whole, form)
    assert read.turns == read.models == ()
    assert {word.confidence for word in read.words} <= {None}
    warnings = " ".join(read.warnings)
    assert ("no times for words" in warnings) == (form != "verbose_json")
    assert ("how long the recording is" in warnings) == (form in ("srt", "vtt"))
    assert read.language == ("en" if form == "verbose_json" else None)


TWO_CUES = b"""1
00:00:01,000 --> 00:00:04,500
Anna: One two.

2
00:00:05,000 --> 00:00:06,000
Ben: Three
"""


def test_subtitles_become_other_formats_with_all_that_they_hold():
    read = reading.parse(TWO_CUES, "a.srt")
    assert back(read, "vtt").segments == read.segments
    assert render(read, "txt") == "[0:00:01] Anna: One two.\n[0:00:05] Ben: Three\n"
    assert ">One two.</span>" in render(read, "html")
    assert back(apply(read, Rename({"Ben": "Ben Smith"})), "srt").speakers == ("Anna", "Ben Smith")
    assert back(read, "json") == read
    with pytest.raises(InputError, match="time for every word"):
        render(read, "ctm")
    for form in FORMATS:
        assert form == "ctm" or render(read, form)


KINDS = ("a.srt", "a.vtt", "a.json", "-")
CUES = [b"WEBVTT\n\n", b"00:00:01.000 --> 00:00:02.000\n", b"00:00:03,000 --> 00:00:02,000\n", b"1\n", b"\n"]
LINES = [
    b"NOTE\n",
    b"<v Anna>",
    b"Anna: hi\n",
    b"- yes\n",
    b"99:99:99,999 --> 9:9\n",
    b"</v>",
    b"<",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
]
OPENED = [
    b'{"segments": [{"start": 0, "end": 1, "text": "a b", "words": [',
    b'{"schema": "diarist.transcript/',
    b"[[[[",
]
INSIDE = [b'{"word": "a", "start": 2, "end": 1}', b'{"word": "b"}', b'1", "duration": -1', b'"words": [1]', b"NaN"]
PIECES = st.sampled_from([*CUES, *LINES, *OPENED, *INSIDE, b"]}]}", b",", b'"\\ud800"', b"{", b"\x00"])


def outcome(document, name):
    """The transcript, or the error that refuses it; anything else is a fault."""
    try:
        return reading.parse(document, name)
    except InputError as error:
        return error


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12).map(b"".join), st.sampled_from(KINDS))
@example(b'{"segments": [{"start": 1e308, "end": 1e308, "text": "x"}]}', "a.json")
@example(
    b'{"text": "x", "words": [{"word": "x", "start": 0, "end": 1, "probability": 7}]}',
    "a.json",
)
@example(b'{"segments": [], "duration": "inf"}', "a.json")
@example(b'{"words": [{"word": "x"}], "text": "x"}', "a.json")
@example(b'{"words": [{"word": "x", "start": 5, "end": 6}, {"word": "y"}], "text": "x y"}', "a.json")
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(document, name):
    found = outcome(document, name)
    if isinstance(found, InputError):
        assert str(found).startswith(name)
        assert "\n" not in str(found)
        assert len(found.message) < 300
    else:
        for form in ("json", "txt", "srt", "vtt", "html", "verbose_json"):
            assert isinstance(render(found, form), str)


STARTS = ("", "WEBVTT\n\n00:00.000 --> 00:01.000\n", "1\n00:00:00,000 --> 00:00:01,000\n")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("piece", ["[", '{"segments":', "<v A>", "1\n", "{\\i", "<b ", "00:", " ", "1", "\n", "A: "])
def test_long_files_of_nothing_are_done_with_in_one_pass(piece, name):
    for start in STARTS:
        outcome((start + piece * 100_000 + "-->").encode(), name)


def test_json_that_a_later_diarist_wrote_is_refused_by_name():
    with pytest.raises(InputError, match=r"a\.json was written by a later diarist \(diarist\.transcript/2\)") as caught:
        reading.parse(json.dumps({"schema": "diarist.transcript/2"}).encode(), "a.json")
    assert caught.value.hint == "Update diarist, then try again."


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b'{"text": "Hello."}', "holds text alone"),
        (b'{"schema": "another/1", "segments": []}', "not a transcript of diarist"),
        (b'{"schema": "diarist.transcript/x"}', "does not know"),
        (b"[]", "not a transcript"),
        (b'{"segments": [{"start": 0, "text": "secret"}]}', r"missing required field `end` - at `\$\.segments\[0\]`"),
        (
            b'{"segments": [{"start": 2, "end": 1, "text": "secret"}]}',
            r"damaged: a span needs .* - at `\$\.segments",
        ),
        (b"%PDF-1.7", "not JSON"),
    ],
)
def test_other_json_is_refused_with_the_place_and_without_the_words(document, says):
    with pytest.raises(InputError, match=says) as caught:
        reading.parse(document, "a.json")
    assert "secret" not in str(caught.value)
    assert caught.value.hint


def test_only_our_own_is_read_by_who_writes_it_back():
    with pytest.raises(InputError, match="not a transcript of diarist"):
        reading.parse_own(b'{"segments": [{"start": 0, "end": 1, "text": "a"}]}', "a.json")
    with pytest.raises(InputError, match="not a transcript"):
        reading.parse_own(b"1\n00:00:01,000 --> 00:00:02,000\nHi\n", "a.srt")
