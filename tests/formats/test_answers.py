"""Bodies and their types, and what whisper-asr-webservice would say."""

import json

import pytest

from diarist.formats import FORMATS, render
from diarist.formats.answers import Shape, answer, body, content_type, diarization_document
from diarist.model.codec import load
from diarist.model.transcript import Diarization, ModelInfo, Segment, Transcript, Turn, Word

TALK = Transcript(
    duration=4.5,
    language="de",
    speakers=("SPEAKER_00",),
    segments=(
        Segment(
            0.1, 1.2345, "SPEAKER_00", "Guten Tag.", (Word(0.1, 0.5, "Guten", 0.9), Word(0.6, 1.2345, "Tag.", 0.8))
        ),
        Segment(2, 3, None, "Ach\tso.", (Word(2, 3, "Ach\tso."),)),
    ),
    turns=(),
    models=(),
    warnings=("The recording is quiet.",),
)


@pytest.mark.parametrize("name", [*FORMATS, "text", "diarist", "asr_json", "asr_txt", "asr_tsv"])
def test_every_format_has_a_body_and_a_type_that_says_whether_it_is_json(name):
    if name == "json":
        name = "openai_json"
    written = body(answer(TALK, Shape(response_format=name)))
    is_json = content_type(name) == "application/json"
    try:
        json.loads(written)
    except ValueError:
        assert not is_json
    else:
        assert is_json
    assert is_json or name == "docx" or content_type(name).endswith("; charset=utf-8")


def test_subtitles_and_the_rest_are_what_the_command_line_writes():
    assert body(answer(TALK, Shape(response_format="srt"))).decode() == render(TALK, "srt")
    assert content_type("srt") == "text/plain; charset=utf-8"
    assert content_type("vtt") == "text/vtt; charset=utf-8"
    assert body(answer(TALK, Shape(response_format="text"))) == b"Guten Tag. Ach\tso.\n"


def test_the_exact_document_is_the_transcript():
    assert load(Transcript, json.loads(body(answer(TALK, Shape(response_format="diarist"))))) == TALK


def test_warnings_stand_in_openais_documents_only_where_they_are_wanted():
    assert answer(TALK, Shape(warnings=True))["warnings"] == ["The recording is quiet."]
    assert "warnings" not in answer(TALK, Shape())


def test_asr_json_has_text_segments_with_speakers_and_a_language_code():
    document = answer(TALK, Shape(response_format="asr_json", words=True))
    assert (document["text"], document["language"]) == ("Guten Tag. Ach\tso.", "de")
    assert [segment.get("speaker") for segment in document["segments"]] == ["SPEAKER_00", None]
    assert document["segments"][0]["words"][1] == {"start": 0.6, "end": 1.234, "word": " Tag.", "probability": 0.8}
    assert "words" not in answer(TALK, Shape(response_format="asr_json"))["segments"][0]


def test_asr_lines_and_tables_have_one_line_a_segment():
    assert answer(TALK, Shape(response_format="asr_txt")) == "[SPEAKER_00]: Guten Tag.\nAch so.\n"
    assert answer(TALK, Shape(response_format="asr_tsv")).splitlines() == [
        "start\tend\ttext",
        "100\t1234\t[SPEAKER_00]: Guten Tag.",
        "2000\t3000\tAch so.",
    ]


def test_who_spoke_when_is_answered_with_voices_only_where_they_are_wanted():
    turns = (Turn(0, 1, "SPEAKER_00"),)
    who = Diarization(
        turns=turns,
        exclusive=turns,
        duration=2,
        model=ModelInfo("diarization", "d", None, "e"),
        embeddings={"SPEAKER_00": (1.0,)},
    )
    document = diarization_document(who)
    assert document["segments"] == [{"start": 0, "end": 1, "speaker": "SPEAKER_00"}]
    assert document["usage"] == {"type": "duration", "seconds": 2}
    assert "embeddings" not in document
    assert diarization_document(who, embeddings=True)["embeddings"] == {"SPEAKER_00": [1.0]}
