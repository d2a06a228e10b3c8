"""The official client, unmodified, against the real server with real models on real speech."""

import io
import json

import jsonschema
import openai
import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)

from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac, encode_opus
from diarist.engines import load
from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models

SPEECH = "I didn't know you were there."


@pytest.fixture(scope="module")
def engines():
    return load("whisper-base", "embedded")


@pytest.fixture(scope="module")
def call():
    """A telephone call between two people, 30 s."""
    return (ensure("sample-telephone") / "sample.wav").read_bytes()


@pytest.fixture(scope="module")
def server(engines, start_module):
    return start_module(engines)


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1", max_retries=0) as client:
        yield client


def strictly(kind, document):
    """Check that a body is of a type and nothing in it is null, as strict clients demand (async-openai in Rust)."""
    kind.model_validate(document, strict=True)
    assert "null" not in json.dumps(document)
    return document


class TestFormats:
    def test_json(self, client, call):
        raw = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=("call.wav", call))
        document = strictly(Transcription, raw.http_response.json())
        assert SPEECH in document["text"]
        assert document["usage"] == {"type": "duration", "seconds": 30}

    def test_text(self, client, call):
        found = client.audio.transcriptions.create(model="whisper-1", file=("call.wav", call), response_format="text")
        assert isinstance(found, str)
        assert SPEECH in found

    @pytest.mark.parametrize("granularities", [["segment"], ["word"], ["word", "segment"]])
    def test_verbose_json(self, client, call, granularities):
        raw = client.audio.transcriptions.with_raw_response.create(
            model="whisper-1",
            file=("call.wav", call),
            response_format="verbose_json",
            timestamp_granularities=granularities,
        )
        document = strictly(TranscriptionVerbose, raw.http_response.json())
        assert document["language"] == "english"
        assert ("words" in document) == ("word" in granularities)
        assert ("segments" in document) == ("segment" in granularities)

    @pytest.mark.parametrize(("name", "starts"), [("srt", "1\n00:00:"), ("vtt", "WEBVTT")])
    def test_subtitles(self, client, call, name, starts):
        found = client.audio.transcriptions.create(model="whisper-1", file=("call.wav", call), response_format=name)
        assert found.startswith(starts)
        assert "know you were there" in found

    def test_diarized_json(self, client, call):
        raw = client.audio.transcriptions.with_raw_response.create(
            model="gpt-4o-transcribe-diarize",
            file=("call.wav", call),
            response_format="diarized_json",
            chunking_strategy="auto",
        )
        document = strictly(TranscriptionDiarized, raw.http_response.json())
        assert {segment["speaker"] for segment in document["segments"]} == {"A", "B"}

    def test_logprobs_are_measured(self, client, call):
        found = client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=("call.wav", call), include=["logprobs"], response_format="json"
        )
        assert len(found.logprobs) == len(found.text.split())
        assert all(each.logprob <= 0 for each in found.logprobs)


class TestStreams:
    def test_text_comes_in_deltas_that_are_the_text(self, client, call):
        events = list(
            client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("call.wav", call), stream=True)
        )
        deltas = [event.delta for event in events if isinstance(event, TranscriptionTextDeltaEvent)]
        assert isinstance(events[-1], TranscriptionTextDoneEvent)
        assert "".join(deltas) == events[-1].text
        assert SPEECH in events[-1].text

    def test_segments_say_who_speaks(self, client, call):
        events = list(
            client.audio.transcriptions.create(
                model="gpt-4o-transcribe-diarize", file=("call.wav", call), response_format="diarized_json", stream=True
            )
        )
        segments = [event for event in events if event.type == "transcript.text.segment"]
        assert {segment.speaker for segment in segments} == {"A", "B"}
        assert events[-1].type == "transcript.text.done"


class TestFiles:
    @pytest.mark.parametrize("kind", ["bytes", "path", "file", "named"])
    def test_every_kind_of_file_that_the_client_takes(self, client, call, kind, tmp_path):
        path = tmp_path / "call.wav"
        path.write_bytes(call)
        file = {"bytes": call, "path": path, "file": io.BytesIO(call), "named": ("anything", call, "text/plain")}[kind]
        assert SPEECH in client.audio.transcriptions.create(model="whisper-1", file=file).text

    @pytest.mark.parametrize("codec", ["flac", "opus"])
    def test_other_codecs(self, client, call, codec):
        audio = decode(call)
        data = encode_flac(audio) if codec == "flac" else encode_opus(audio, 24_000)
        assert "there" in client.audio.transcriptions.create(model="whisper-1", file=("call", data)).text


class TestErrors:
    @pytest.mark.parametrize(
        ("fields", "raised", "param"),
        [
            ({"model": "whisper-9"}, openai.NotFoundError, "model"),
            ({"response_format": "xml"}, openai.BadRequestError, "response_format"),
            ({"language": "klingon"}, openai.BadRequestError, "language"),
            ({"extra_body": {"temprature": 0.5}}, openai.BadRequestError, "temprature"),
        ],
    )
    def test_what_cannot_be_honoured_is_refused_by_name(self, client, call, fields, raised, param):
        with pytest.raises(raised) as caught:
            client.audio.transcriptions.create(**{"model": "whisper-1", "file": ("call.wav", call), **fields})
        assert caught.value.param == param
        assert caught.value.request_id.startswith("req_")

    def test_what_is_no_recording(self, client):
        with pytest.raises(openai.APIStatusError) as caught:
            client.audio.transcriptions.create(model="whisper-1", file=("notes.txt", b"milk, eggs"))
        assert caught.value.status_code in (400, 415, 422)
        assert caught.value.param == "file"


class TestModels:
    def test_the_names_that_clients_know_are_listed(self, client):
        names = [model.id for model in client.models.list()]
        assert {"diarist", "whisper-base", "whisper-1", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"} <= set(names)

    def test_one_is_described(self, client):
        assert client.models.retrieve("whisper-1").owned_by == "diarist"


class TestDocument:
    def test_the_description_of_the_api_is_valid(self, server):
        document = server.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        paths = document["paths"]
        assert "/v1/audio/transcriptions" in paths
        body = paths["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        jsonschema.Draft202012Validator.check_schema(body)
        assert "known_speaker_names[]" in body["properties"] or "known_speaker_names" in body["properties"]
