"""Every format writes known conversations as their golden files say; `test_readers` has others read one."""

import io
import itertools
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.formats import FORMATS, canonical, check, format_of, render
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Turn, Word

GOLDEN = Path(__file__).parent.parent / "golden"
EMPTY = Transcript(duration=0, language=None, speakers=(), segments=(), turns=(), models=())


def golden(name):
    return codec.load(Transcript, json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def conversation():
    return golden("conversation")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("language", ["arabic", "chinese", "japanese"])
def test_a_text_format_writes_other_scripts_as_its_golden_file_says(name, language):
    written = render(golden(language), name, name=language)
    if isinstance(written, str):
        assert written.encode() == (GOLDEN / f"{language}.{FORMATS[name].extension}").read_bytes()


@pytest.mark.parametrize(
    "name", ["txt", "md", "html", "csv", "srt", "vtt", "openai_json", "verbose_json", "stm", "seglst"]
)
@pytest.mark.parametrize("language", ["chinese", "japanese"])
def test_scripts_without_spaces_get_none_but_those_that_were_written(name, language):
    text = re.sub("<[^>]*>", "", render(golden(language), name))
    wide = "[\u3040-\u30ff\u4e00-\u9fff。、，]"
    assert not re.search(f"{wide} +{wide}", text)
    assert "Excel的 Python script" in text.replace("\n", " ") or language != "chinese"


def test_word_documents_run_from_right_to_left_where_the_words_do():
    from docx import Document

    for language, rtl in (("arabic", True), ("chinese", False), ("conversation", False)):
        document = Document(io.BytesIO(render(golden(language), "docx")))
        said = [paragraph for paragraph in document.paragraphs if paragraph.text and paragraph.style.name == "Normal"]
        assert len(said) >= 4
        assert all((paragraph._p.pPr is not None and "<w:bidi/>" in paragraph._p.pPr.xml) is rtl for paragraph in said)
        assert any(run.font.rtl for paragraph in said for run in paragraph.runs) is rtl


def test_the_words_alone_decide_the_direction_of_a_paragraph_of_the_page():
    page = render(golden("arabic"), "html")
    assert page.count('<p dir="auto"') == 2
    # A label has a direction of its own, so it does not count for the paragraph's.
    assert page.count('<b dir="auto" data-label="SPEAKER_0') == 2


def test_openais_document_tells_the_language_of_the_text_the_task_and_the_temperature(conversation):
    made = replace(conversation, language="en", spoken_language="ja", task="translate", temperature=0.4)
    document = json.loads(render(made, "verbose_json"))
    assert (document["language"], document["task"]) == ("english", "translate")
    assert {segment["temperature"] for segment in document["segments"]} == {0.4}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_its_golden_file(name, conversation):
    written = render(conversation, name, name="conversation")
    wanted = (GOLDEN / f"conversation.{FORMATS[name].extension}").read_bytes()
    if isinstance(written, str):
        assert written == wanted.decode()
    else:
        # Compressors differ between machines; what they packed does not.
        ours, theirs = zipfile.ZipFile(io.BytesIO(written)), zipfile.ZipFile(io.BytesIO(wanted))
        assert {e: ours.read(e) for e in ours.namelist()} == {e: theirs.read(e) for e in theirs.namelist()}


def test_json_is_read_back_without_loss_and_has_the_promised_keys(conversation):
    document = json.loads(render(conversation, "json"))
    assert codec.load(Transcript, document) == conversation
    assert document.keys() == {
        "schema", "duration", "language", "speakers", "segments", "turns", "models", "timings", "warnings",
        "place", "spoken_language", "task", "temperature",
    }  # fmt: skip
    assert {"start", "end", "speaker", "text", "words"} <= document["segments"][0].keys()
    assert {"start", "end", "text", "speaker", "confidence"} <= document["segments"][0]["words"][0].keys()


def test_the_same_transcript_gives_the_same_bytes(conversation):
    for name in FORMATS:
        assert render(conversation, name) == render(conversation, name)


def test_an_unknown_format_is_refused_with_the_known_ones(conversation):
    with pytest.raises(InputError, match="Choose from: txt, json"):
        render(conversation, "mp3")


def test_every_format_is_in_the_documentation():
    page = (GOLDEN.parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, found in FORMATS.items():
        assert f"`{name}`" in page
        assert f"`.{found.extension}`" in page


def test_extensions_differ_so_that_no_format_overwrites_another():
    extensions = [found.extension.lower() for found in FORMATS.values()]
    assert len(set(extensions)) == len(extensions)


def test_the_golden_conversation_has_what_formats_stumble_over(conversation):
    words = conversation.words
    assert any(word.overlap for word in words)
    assert any(word.speaker is None for word in words)
    assert any(word.confidence is None for word in words)
    assert any(Word.gap(a, b) > 1 for a, b in itertools.pairwise(words))
    assert any(not word.text.isascii() for word in words)
    assert conversation.duration > 3600


NASTY = st.sampled_from(
    [
        "a",
        "</script><script>x",
        "=1+1",
        "-->",
        "\x00\x08",
        '"""',
        "🎉",
        "漢字",
        "مرحبا",
        "ที่",
        "|",
        "- b",
        "\u202e",
        "x" * 99,
    ]
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(NASTY, st.integers(0, 9000), st.integers(0, 4000), st.sampled_from([None, "A b", "<C>&"]))),
    NASTY | st.just("\udcff"),
)
def test_no_transcript_breaks_a_format(name, parts, title):
    segments = tuple(
        Segment(s / 1000, (s + d) / 1000, who, text, (Word(s / 1000, (s + d) / 1000, text, None, who),))
        for text, s, d, who in sorted(parts, key=lambda part: part[1])
    )
    speakers = tuple(dict.fromkeys(s.speaker for s in segments if s.speaker))
    turns = tuple(Turn(s.start, s.end, s.speaker) for s in segments if s.speaker)
    transcript = Transcript(duration=13, language="en", speakers=speakers, segments=segments, turns=turns, models=())
    for content in (render(transcript, name, name=title), render(EMPTY, name, name=title)):
        assert isinstance(content, bytes) or content.encode() is not None


@pytest.mark.parametrize("name", FORMATS)
def test_a_speaker_without_words_breaks_no_format(name):
    quiet = Transcript(
        duration=9,
        language="en",
        speakers=("A", "B"),
        segments=(Segment(0, 1, "A", "hello", (Word(0, 1, "hello", 0.9, "A"),)),),
        turns=(Turn(0, 1, "A"), Turn(5, 6, "B")),
        models=(),
    )
    content = render(quiet, name)
    if name in {"textgrid", "eaf"}:
        assert "B" in content


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("TXT", "txt"),
        (".srt", "srt"),
        ("TextGrid", "textgrid"),
        ("verbose-json", "verbose_json"),
        ("seglst.json", "seglst"),
        ("Markdown", "md"),
        ("WebVTT", "vtt"),
    ],
)
def test_a_format_may_be_written_as_people_type_it(typed, name):
    assert canonical(typed) == name
    assert check(typed) == FORMATS[name]


def test_a_file_s_name_says_its_format_by_the_longest_extension():
    for name, found in FORMATS.items():
        assert format_of(f"a.b.{found.extension.upper()}") == name
    assert format_of("recording.pdf") is None
    assert format_of("srt") is None


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_character_and_a_name_without_end_are_written_all_the_same(name):
    word = Word(0, 1, "a\ud800b", speaker="\udc80")
    talk = Transcript(
        duration=1,
        language="\udfff",
        speakers=("\udc80",),
        segments=(Segment(0, 1, "\udc80", "a\ud800b", (word,)),),
        turns=(Turn(0, 1, "\udc80"),),
        models=(),
        warnings=("\ud800",),
    )
    written = render(talk, name, name="\udc80" + "x" * 5000, recording="\udc80")
    assert written
    if isinstance(written, str):
        written.encode()
