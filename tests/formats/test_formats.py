"""Every format writes one known conversation as its golden file says, and another implementation can read it."""

import itertools
import json
from pathlib import Path

import pysubs2
import pytest

from diarist.formats import FORMATS, render
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.timeline import Span
from diarist.model.transcript import Transcript, Word

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(scope="module")
def conversation(request):
    return codec.load(Transcript, json.loads((GOLDEN / "conversation.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_its_golden_file(name, conversation):
    written = render(conversation, name, name="conversation")
    golden = GOLDEN / f"conversation.{FORMATS[name].extension}"
    assert written == golden.read_text(encoding="utf-8")


def test_json_is_read_back_without_loss_and_has_the_promised_keys(conversation):
    document = json.loads(render(conversation, "json"))
    assert codec.load(Transcript, document) == conversation
    assert document.keys() == {
        "schema", "duration", "language", "speakers", "segments", "turns", "models", "timings", "warnings",
        "place",
    }  # fmt: skip
    assert {"start", "end", "speaker", "text", "words"} <= document["segments"][0].keys()
    assert {"start", "end", "text", "speaker", "confidence"} <= document["segments"][0]["words"][0].keys()


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_pysubs2_reads_the_subtitles_with_the_same_times(name, conversation):
    cues = pysubs2.SSAFile.from_string(render(conversation, name), format_=name)
    assert [(cue.start, cue.end) for cue in cues] == [
        (round(segment.start * 1000), round(segment.end * 1000)) for segment in conversation.segments
    ]


def test_a_vtt_file_begins_as_the_standard_says_and_escapes_markup(conversation):
    vtt = render(conversation, "vtt")
    assert vtt.startswith("WEBVTT\n\n")
    assert "<v SPEAKER_00>" in vtt
    assert "&lt;b&gt; &amp; {i}" in vtt
    assert "<b>" not in vtt


def test_rttm_holds_every_turn(conversation):
    rows = [line.split() for line in render(conversation, "rttm", name="my call").splitlines()]
    assert all(len(row) == 10 and row[:3] == ["SPEAKER", "my_call", "1"] for row in rows)
    assert [(float(row[3]), float(row[4]), row[7]) for row in rows] == [
        (turn.start, pytest.approx(turn.duration, abs=5e-4), turn.speaker) for turn in conversation.turns
    ]


def test_an_empty_transcript_has_every_format(conversation):
    empty = Transcript(duration=0, language=None, speakers=(), segments=(), turns=(), models=())
    for name in FORMATS:
        render(empty, name)


def test_an_unknown_format_is_refused_with_the_known_ones(conversation):
    with pytest.raises(InputError, match="Choose from txt, json"):
        render(conversation, "mp3")


def test_the_golden_conversation_has_what_formats_stumble_over(conversation):
    words = conversation.words
    assert any(word.overlap for word in words)
    assert any(word.speaker is None for word in words)
    assert any(word.confidence is None for word in words)
    assert any(Word.gap(a, b) > 1 for a, b in itertools.pairwise(words))
    assert any(not word.text.isascii() for word in words)
    assert conversation.duration > 3600
    assert all(isinstance(word, Span) for word in words)
