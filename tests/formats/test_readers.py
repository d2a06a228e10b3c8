"""What we write, others read: each format is loaded by an implementation that is not ours."""

import csv
import json
import re
from pathlib import Path

import docx
import markdown_it
import meeteval
import parselmouth
import pympi
import pysubs2
import pytest
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose
from praatio import textgrid
from pyannote.database.util import load_rttm

from diarist.formats import FORMATS, render
from diarist.formats.cues import lay_out
from diarist.model import codec
from diarist.model.transcript import Transcript

GOLDEN = Path(__file__).parent.parent / "golden"
CONVERSATION = codec.load(Transcript, json.loads((GOLDEN / "conversation.json").read_text(encoding="utf-8")))


@pytest.fixture
def written(tmp_path):
    """Write the conversation in a format and give its file."""

    def write(name, title="talk"):
        path = tmp_path / f"talk.{FORMATS[name].extension}"
        content = render(CONVERSATION, name, name=title)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def by_speaker(speaker):
    return [segment for segment in CONVERSATION.segments if segment.speaker == speaker]


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_pysubs2_reads_subtitles_with_the_same_times_and_words(name, written):
    cues = lay_out(CONVERSATION, labels=name == "srt")
    read = pysubs2.load(str(written(name)), format_=name, keep_html_tags=True)
    assert [(cue.start, cue.end) for cue in read] == [(round(c.start * 1000), round(c.end * 1000)) for c in cues]
    if name == "srt":
        assert [cue.text.replace("\\N", "\n") for cue in read] == [cue.text for cue in cues]


def test_webvtt_says_who_speaks_and_holds_no_markup_of_others(written):
    vtt = written("vtt").read_text()
    assert vtt.startswith("WEBVTT\n\n")
    assert set(re.findall("<v ([^>]+)>", vtt)) == {"SPEAKER_00", "SPEAKER_01"}
    assert "&lt;b&gt; &amp; {i}" in vtt
    assert "<b>" not in vtt


def test_pyannote_reads_the_turns(written):
    (read,) = load_rttm(written("rttm")).values()
    turns = [(segment.start, segment.end, label) for segment, _, label in read.itertracks(yield_label=True)]
    assert turns == [(t.start, pytest.approx(t.end, abs=1e-3), t.speaker) for t in CONVERSATION.turns]


def test_rttm_names_hold_no_spaces():
    assert all(len(line.split()) == 10 for line in render(CONVERSATION, "rttm", name="my call").splitlines())


@pytest.mark.parametrize("name", ["stm", "seglst"])
def test_meeteval_reads_the_segments(name, written):
    read = meeteval.io.load(written(name)).to_seglst()
    assert [(s["speaker"], float(s["start_time"]), float(s["end_time"]), s["words"]) for s in read] == [
        (s.speaker or "unknown", s.start, s.end, s.text) for s in CONVERSATION.segments
    ]


def test_meeteval_reads_the_words(written):
    read = meeteval.io.CTM.load(written("ctm"))
    words = sorted(CONVERSATION.words, key=lambda word: word.start)
    assert [(float(line.begin_time), line.word) for line in read.lines] == [(word.start, word.text) for word in words]
    assert [line.confidence and float(line.confidence) for line in read.lines] == [word.confidence for word in words]


def test_praat_itself_reads_the_textgrid(written):
    read = parselmouth.read(str(written("textgrid")))
    count = parselmouth.praat.call(read, "Get number of tiers")
    names = [parselmouth.praat.call(read, "Get tier name", tier + 1) for tier in range(count)]
    assert names == ["SPEAKER_00", "SPEAKER_00 words", "SPEAKER_01", "SPEAKER_01 words", "unknown", "unknown words"]
    number = parselmouth.praat.call(read, "Get interval at time", 1, 1.0)
    assert parselmouth.praat.call(read, "Get label of interval", 1, number) == "Hello, Dr. Müller."


def test_praatio_reads_every_segment_of_the_textgrid(written):
    read = textgrid.openTextgrid(str(written("textgrid")), includeEmptyIntervals=False)
    for speaker in CONVERSATION.speakers:
        assert [entry.label for entry in read.getTier(speaker).entries] == [s.text for s in by_speaker(speaker)]


def test_pympi_reads_the_elan_file(written):
    read = pympi.Elan.Eaf(str(written("eaf")))
    for speaker in CONVERSATION.speakers:
        assert sorted(read.get_annotation_data_for_tier(speaker)) == [
            (round(s.start * 1000), round(s.end * 1000), s.text) for s in by_speaker(speaker)
        ]


def test_audacity_labels_are_two_times_and_a_text(written):
    rows = [line.split("\t") for line in written("audacity").read_text().splitlines()]
    assert [(float(a), float(b)) for a, b, _ in rows] == [(s.start, s.end) for s in CONVERSATION.segments]


@pytest.mark.parametrize(("name", "dialect"), [("csv", "excel"), ("tsv", "excel-tab")])
def test_tables_are_read_back_and_run_nothing(name, dialect, written):
    with written(name).open(newline="") as file:
        rows = list(csv.DictReader(file, dialect=dialect))
    assert [float(row["start"]) for row in rows] == [s.start for s in CONVERSATION.segments]
    assert [row["speaker"] for row in rows] == [s.speaker or "" for s in CONVERSATION.segments]
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    assert "'=SUM(A1)" in [row["text"] for row in rows]


def test_word_reads_the_document(written):
    read = docx.Document(written("docx"))
    texts = [paragraph.text for paragraph in read.paragraphs]
    assert texts[:3] == ["talk", "SPEAKER_00  0:00:00", "Hello, Dr. Müller."]
    assert read.core_properties.title == "talk"


def test_markdown_shows_the_words_and_no_markup_of_theirs(written):
    page = markdown_it.MarkdownIt().render(written("md", title="# 1. *talk*").read_text())
    assert "<strong>SPEAKER_01</strong>" in page
    assert "Hi! Is &lt;b&gt; &amp; {i} right?" in page
    assert "<em>" not in page


def test_openai_accepts_the_documents(written):
    assert Transcription.model_validate_json(written("openai_json").read_text()).text == CONVERSATION.text
    diarized = TranscriptionDiarized.model_validate_json(written("diarized_json").read_text(), strict=True)
    assert [s.speaker for s in diarized.segments][:2] == ["A", "B"]
    assert diarized.text.startswith("A: Hello, Dr. Müller.\nB: Hi!")
    assert diarized.model_extra == {}
    read = TranscriptionVerbose.model_validate_json(written("verbose_json").read_text(), strict=True)
    assert read.language == "english"
    assert [word.word for word in read.words] == [word.text for word in CONVERSATION.words]
