"""What a job may say: everything else is refused, and the refusal names the field and says what to do."""

import asyncio
import base64
import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.audio.audio import Audio
from diarist.audio.transport import encode_flac
from diarist.formats import render
from diarist.formats.answers import Shape, answer
from diarist.formats.openai import NotMeasuredError
from diarist.jobs.request import (
    DiarizationJob,
    SpeakerTextJob,
    TranscriptionJob,
    read_job,
)
from diarist.jobs.response import diarization_output, transcript_output
from diarist.jobs.services import SingleService
from diarist.jobs.wire_errors import FieldError, read_error, write_error
from diarist.model.codec import load
from diarist.model.errors import EndpointError, EngineError, InputError, WeightsError
from diarist.model.transcript import Diarization, ModelInfo, Transcript, Transcription, Turn, Word

AUDIO = {"audio": "https://example.org/call.mp3"}


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({}, "missing_field", "audio"),
        ("just text", "bad_field", "input"),
        (None, "bad_field", "input"),
        ({"audio": 5}, "bad_field", "audio"),
        ({"audio": " "}, "bad_field", "audio"),
        (AUDIO | {"numspeakers": 2}, "unknown_field", "numspeakers"),
        (AUDIO | {"diarize": "yes"}, "bad_field", "diarize"),
        (AUDIO | {"response_format": "xml"}, "bad_field", "response_format"),
        (AUDIO | {"temperature": 7}, "bad_temperature", "temperature"),
        (AUDIO | {"hotwords": [""]}, "bad_hotwords", "hotwords"),
        (AUDIO | {"task": "sing"}, "bad_field", "task"),
        (AUDIO | {"audio_format": "../../etc"}, "bad_field", "audio_format"),
        (AUDIO | {"request_id": "x" * 200}, "bad_field", "request_id"),
        (AUDIO | {"num_speakers": 2.5}, "bad_field", "num_speakers"),
        (AUDIO | {"num_speakers": 0}, "bad_speakers", "num_speakers"),
        (AUDIO | {"num_speakers": 2, "max_speakers": 3}, "bad_speakers", "num_speakers"),
        (AUDIO | {"min_speakers": 4, "max_speakers": 2}, "bad_speakers", "min_speakers"),
        (AUDIO | {"diarize": False, "num_speakers": 2}, "bad_speakers", None),
        (AUDIO | {"language": "Klingon"}, "bad_language", "language"),
        (AUDIO | {"on_diarization_failure": "guess"}, "bad_field", "on_diarization_failure"),
    ],
)
def test_a_wrong_job_is_refused_by_field(value, code, field):
    with pytest.raises(FieldError) as caught:
        read_job(SpeakerTextJob, value)
    assert caught.value.code == code
    assert caught.value.field == field or field is None
    assert caught.value.hint


@pytest.mark.parametrize(
    "job",
    [
        AUDIO | {"response_format": "x" * 100_000},
        AUDIO | {"response_format": "a\nb\u202ec"},
        AUDIO | {"y" * 100_000: 1},
        AUDIO | {"a\nb\u202ec": 1},
    ],
    ids=["long value", "odd value", "long field", "odd field"],
)
def test_a_refusal_is_one_short_line_whatever_the_job_says(job):
    with pytest.raises(FieldError) as caught:
        read_job(TranscriptionJob, job)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_a_misspelt_field_is_recognised():
    with pytest.raises(FieldError, match="num_speaker'") as caught:
        read_job(SpeakerTextJob, AUDIO | {"num_speaker": 2})
    assert caught.value.hint == "Did you mean 'num_speakers'?"


def test_old_clients_that_send_only_audio_and_diarize_are_served():
    job = read_job(SpeakerTextJob, {"audio": "aGVsbG8=", "diarize": True})
    assert job.options().diarize
    assert job.response_format == "json"


def test_each_endpoint_takes_its_own_fields_only():
    assert read_job(DiarizationJob, AUDIO | {"max_speakers": 3}).options().max_speakers == 3
    with pytest.raises(FieldError, match="'language'"):
        read_job(DiarizationJob, AUDIO | {"language": "en"})
    with pytest.raises(FieldError) as caught:
        read_job(TranscriptionJob, AUDIO | {"diarize": True})
    assert caught.value.field == "diarize"
    with pytest.raises(FieldError) as caught:
        read_job(TranscriptionJob, AUDIO | {"diarization_segments": [{"start": 0, "end": 1}]})
    assert caught.value.field == "diarization_segments"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda v: st.lists(v) | st.dictionaries(st.text(max_size=9), v),
        max_leaves=9,
    )
)
def test_whatever_comes_is_taken_or_refused_never_an_accident(value):
    for kind in (SpeakerTextJob, TranscriptionJob, DiarizationJob):
        with contextlib.suppress(FieldError):
            assert isinstance(read_job(kind, value), kind)


class NoEngine:
    """Nothing may get as far as an engine here."""


def encoded(data):
    return {"audio": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"audio": "http://example.org/a.wav"}, "url_refused"),
        ({"audio": "https://127.0.0.1/a.wav"}, "url_refused"),
        ({"audio": "https://169.254.169.254/latest/meta-data"}, "url_refused"),
        ({"audio": "https://10.0.0.8/a.wav"}, "url_refused"),
        ({"audio": "https://[::ffff:127.0.0.1]/a.wav"}, "url_refused"),
        ({"audio": "file:///etc/passwd"}, "url_refused"),
        ({"audio": "volume:../etc/passwd"}, "volume_refused"),
        ({"audio": "data:audio/wav;base64,"}, "audio_empty"),
        ({"audio": "this is not base64!"}, "bad_base64"),
        ({"audio": "data:audio/mpeg;base64,!!!!"}, "bad_base64"),
        ({**encoded(b"Dear diary, today I was renamed to .mp3."), "audio_format": "mp3"}, "audio_not_recognised"),
        (encoded(b"#EXTM3U\nhttps://example.org/part.ts"), "audio_not_recognised"),
        (encoded(encode_flac(Audio(np.zeros(1, np.float32)))), "audio_too_short"),
        (encoded(encode_flac(Audio(np.zeros(16000 * 9, np.float32)))), "audio_too_long"),
    ],
)
def test_a_wrong_recording_is_refused_before_any_engine(value, code):
    service = SingleService(NoEngine(), env={"DIARIST_MAX_SECONDS": "8"})
    job = service.read(value)
    with pytest.raises(FieldError) as caught:
        asyncio.run(service.prepare(job, lambda *_: None))
    assert caught.value.code == code
    assert caught.value.field == "audio"
    assert caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        FieldError("bad_field", "It is wrong.", "Mend it.", field="audio"),
        InputError("audio_empty", "It is empty.", "Record it.", http_status=422),
        EngineError("model_failed", "It broke."),
        WeightsError("no_weights", "They are missing.", "Fetch them."),
        EndpointError("endpoint_timeout", "Too late.", http_status=504),
    ],
)
def test_errors_cross_the_wire_whole(error):
    back = read_error(write_error(error), "The endpoint")
    assert type(back) is type(error)
    assert (back.code, back.message, back.hint, back.http_status) == (
        error.code,
        error.message,
        error.hint,
        error.http_status,
    )
    assert getattr(back, "field", None) == getattr(error, "field", None)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("CUDA error", "The endpoint failed: CUDA error."),
        (None, "The endpoint failed: None."),
        ('{"error_type": "x", "error_message": "boom", "error_traceback": "/app/x.py"}', "The endpoint failed: boom."),
        ({"anything": 1}, "The endpoint failed: {'anything': 1}."),
        ({"code": "x", "message": ""}, "The endpoint failed: x."),
    ],
)
def test_errors_that_are_not_ours_are_kept_in_one_line(said, message):
    error = read_error(said, "The endpoint")
    assert isinstance(error, EndpointError)
    assert error.message == message


@pytest.mark.parametrize("said", ["[" * 100_000, '{"code": ' * 100_000])
def test_an_error_nested_without_end_is_one_line(said):
    error = read_error(said, "The endpoint")
    assert isinstance(error, EndpointError)
    assert len(error.message) < 600


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_any_error_text_becomes_an_error(said):
    read_error(said, "E")
    read_error(json.dumps(said), "E")


WORDS = Transcription(
    words=(Word(0.1, 0.5, "Hello."), Word(1.2, 1.6, "Hi.", 0.9)),
    language="en",
    duration=2.0,
    model=ModelInfo("transcription", "m", None, "e"),
)


def test_the_transcription_worker_attributes_turns_that_the_caller_brings():
    from diarist.attribution import attribute

    turns = [{"start": 1, "end": 2, "speaker": "Bo"}, {"start": 0, "end": 1.1, "speaker": "Al"}]
    job = read_job(TranscriptionJob, AUDIO | {"diarization_segments": turns, "response_format": "text"})
    given_turns = job.diarization(2.0)
    assert [(t.start, t.end, t.speaker) for t in given_turns.exclusive] == [(0, 1.1, "Al"), (1.1, 2, "Bo")]
    assert transcript_output(attribute(WORDS, given_turns), job) == "SPEAKER_00: Hello.\nSPEAKER_01: Hi."


def shaped(**fields):
    from diarist.attribution import attribute

    turns = (Turn(0, 1, "a"), Turn(1, 2, "b"))
    diarization = Diarization(
        turns=turns,
        exclusive=turns,
        duration=2.0,
        model=ModelInfo("diarization", "d", None, "e"),
        embeddings={"a": (1.0,)},
    )
    transcript = attribute(WORDS, diarization)
    return transcript_output(transcript, read_job(SpeakerTextJob, AUDIO | fields)), transcript, diarization


def test_shapes_are_openais_with_what_was_asked_for_added():
    used = {"usage": {"type": "duration", "seconds": 2.0}}
    assert shaped()[0] == {"text": "SPEAKER_00: Hello.\nSPEAKER_01: Hi."} | used
    assert shaped(include_diarization_in_text=False)[0] == {"text": "Hello. Hi."} | used
    assert shaped(timestamps=True)[0]["segments"][0] == {
        "start": 0.1, "end": 0.5, "text": "Hello.", "speaker": "SPEAKER_00",
    }  # fmt: skip
    assert shaped(word_timestamps=True)[0]["words"][1] == {
        "word": "Hi.", "start": 1.2, "end": 1.6, "speaker": "SPEAKER_01", "confidence": 0.9,
    }  # fmt: skip
    assert shaped(response_format="srt")[0].startswith("1\n00:00:00,100 -->")
    assert shaped(response_format="vtt")[0].startswith("WEBVTT")
    assert [s["speaker"] for s in shaped(response_format="diarized_json")[0]["segments"]] == ["A", "B"]
    assert shaped(response_format="verbose_json")[0]["language"] == "english"


def test_a_job_that_asks_as_openais_clients_do_is_answered_as_the_server_answers():
    for said in ({"response_format": "diarized_json"}, {"response_format": "verbose_json"}):
        output, transcript, _ = shaped(timestamp_granularities=["word"], **said)
        shape = Shape(words=True, details=True, text_speakers=True, warnings=True, **said)
        assert output == answer(transcript, shape)
    with pytest.raises(NotMeasuredError) as caught:  # of the first word, nobody measured it
        shaped(include=["logprobs"])
    assert json.loads(write_error(caught.value))["field"] == "include"


def test_the_exact_nouns_come_back_equal():
    output, transcript, diarization = shaped(response_format="diarist")
    assert load(Transcript, json.loads(json.dumps(output))) == transcript
    output = diarization_output(diarization, read_job(DiarizationJob, AUDIO | {"response_format": "diarist"}))
    assert load(Diarization, json.loads(json.dumps(output))) == diarization


def test_the_diarization_endpoint_has_its_own_shape():
    output = diarization_output(shaped()[2], read_job(DiarizationJob, AUDIO))
    assert output["segments"] == [{"start": 0, "end": 1, "speaker": "a"}, {"start": 1, "end": 2, "speaker": "b"}]
    assert output["exclusive_segments"] == output["segments"]
    assert (output["num_speakers"], output["duration"], output["embeddings"]) == (2, 2.0, {"a": [1.0]})


@pytest.mark.parametrize("field", ["audio", "audio_format", "language", "hotwords", "request_id", "surprise"])
def test_half_a_character_is_refused_wherever_a_job_holds_it(field):
    value = ["\ud800"] if field == "hotwords" else "en\udfff"
    with pytest.raises(FieldError) as caught:
        read_job(SpeakerTextJob, {**AUDIO, field: value})
    assert caught.value.field == (field if field != "surprise" else "input")
    json.dumps(write_error(caught.value), ensure_ascii=False).encode()


def test_a_job_nested_without_end_is_refused():
    value = []
    for _ in range(50_000):
        value = [value]
    with pytest.raises(FieldError, match="'language' is wrong"):
        read_job(SpeakerTextJob, {**AUDIO, "language": value})


@pytest.mark.parametrize("name", ["txt", "md", "html", "srt", "csv", "rttm", "textgrid", "openai_json", "audacity"])
def test_every_format_that_is_text_may_be_asked_for(name):
    output, transcript, _ = shaped(response_format=name)
    assert output == render(transcript, name)


@pytest.mark.parametrize("name", ["docx", "JSON", "", "exe"])
def test_what_cannot_be_returned_is_refused_with_what_can(name):
    with pytest.raises(FieldError) as caught:
        read_job(SpeakerTextJob, AUDIO | {"response_format": name})
    assert caught.value.field == "response_format"
    assert "srt" in str(caught.value)
