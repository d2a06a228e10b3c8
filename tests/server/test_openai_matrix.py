"""The official Python clients, unmodified: every format, streamed or not, with every kind of file they take.

The work behind is scripted, so that this is quick; `test_openai` has real models and real speech.
"""

import io
import json
import os
from contextlib import ExitStack

import anyio
import openai
import pytest
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionVerbose,
    TranslationVerbose,
)

from diarist.model.errors import EngineError
from diarist.server.desk import DeskBounds
from diarist.server.keys import Keys, Limits

TEXT = "Hello there. Good morning."
SPOKEN = "A: Hello\nB: there.\nA: Good\nB: morning."
JSON = {"json": Transcription, "verbose_json": TranscriptionVerbose, "diarized_json": TranscriptionDiarized}
PLAIN = {"text": "Hello", "srt": "1\n00:00:00,000 --> ", "vtt": "WEBVTT\n"}
STREAMED = {"json": TEXT, "text": TEXT, "diarized_json": SPOKEN}


class Path(os.PathLike):
    """What is no `pathlib.Path`, and leads to a file."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.fixture
def files(wav, tmp_path):
    """Every kind of file that the client takes, made anew each time."""
    path = tmp_path / "talk.wav"
    path.write_bytes(wav())
    with ExitStack() as stack:
        yield {
            "bytes": lambda: wav(),
            "path": lambda: path,
            "pathlike": lambda: Path(path),
            "file": lambda: stack.enter_context(path.open("rb")),
            "memory": lambda: io.BytesIO(wav()),
            "named": lambda: ("Gespräch ü.m4a", wav()),
            "typed": lambda: ("talk", wav(), "text/plain"),
            "headed": lambda: ("talk.wav", wav(), "audio/wav", {"x-anything": "1"}),
        }


KINDS = ["bytes", "path", "pathlike", "file", "memory", "named", "typed", "headed"]


@pytest.fixture(scope="module")
def server(start_module, scripted_class):
    return start_module(scripted_class())


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1", max_retries=0) as client:
        yield client


def strictly(kind, document):
    """Check that a body is of a type, says what was used, and holds no null."""
    kind.model_validate(document, strict=True)
    assert "null" not in json.dumps(document)
    assert document["usage"] == {"type": "duration", "seconds": 2}
    return document


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKindOfFile:
    @pytest.mark.parametrize("name", JSON)
    def test_json(self, client, files, kind, name):
        raw = client.audio.transcriptions.with_raw_response.create(
            model="whisper-1", file=files[kind](), response_format=name
        )
        assert isinstance(raw.parse(), JSON[name])
        strictly(JSON[name], raw.http_response.json())

    @pytest.mark.parametrize("name", PLAIN)
    def test_text(self, client, files, kind, name):
        found = client.audio.transcriptions.create(model="whisper-1", file=files[kind](), response_format=name)
        assert isinstance(found, str)
        assert found.startswith(PLAIN[name])

    @pytest.mark.parametrize("name", STREAMED)
    def test_streams(self, client, files, kind, name):
        events = list(
            client.audio.transcriptions.create(
                model="gpt-4o-transcribe", file=files[kind](), response_format=name, stream=True
            )
        )
        assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == STREAMED[name]
        assert (events[-1].type, events[-1].text) == ("transcript.text.done", STREAMED[name])

    def test_asynchronous(self, server, files, kind):
        async def work():
            base = f"{server.base_url}/v1"
            async with openai.AsyncOpenAI(api_key="none", base_url=base, max_retries=0) as client:
                whole = await client.audio.transcriptions.create(model="whisper-1", file=files[kind]())
                stream = await client.audio.transcriptions.create(model="whisper-1", file=files[kind](), stream=True)
                return whole.text, [event async for event in stream][-1].text

        assert anyio.run(work) == (TEXT, TEXT)


@pytest.mark.parametrize("name", ["srt", "verbose_json", "vtt"])
def test_what_cannot_be_streamed_is_refused_by_name(client, wav, name):
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(model="whisper-1", file=wav(), response_format=name, stream=True)
    assert caught.value.param == "stream"


@pytest.mark.parametrize("name", [*JSON, *PLAIN])
def test_an_answer_may_be_read_as_it_comes(client, wav, name):
    with client.audio.transcriptions.with_streaming_response.create(
        model="whisper-1", file=wav(), response_format=name
    ) as answer:
        assert answer.headers["x-request-id"].startswith("req_")
        assert "ello" in answer.read().decode()


@pytest.mark.parametrize(
    "given", ["auto", {"type": "server_vad"}, {"type": "server_vad", "threshold": 0.3, "silence_duration_ms": 200}]
)
def test_chunking_in_its_three_forms(client, wav, given):
    assert client.audio.transcriptions.create(model="whisper-1", file=wav(), chunking_strategy=given).text == TEXT


def test_fields_of_ours_go_along(client, wav):
    raw = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1",
        file=wav(),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        prompt="A greeting.",
        temperature=0.0,
        extra_body={"diarize": True, "min_speakers": 1, "max_speakers": 3, "hotwords": ["Anna", "Ben"]},
    )
    document = strictly(TranscriptionVerbose, raw.http_response.json())
    assert [word["speaker"] for word in document["words"]] == ["SPEAKER_00", "SPEAKER_01"] * 2
    assert "prompt" in raw.headers["diarist-ignored"]


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # by OpenAI
@pytest.mark.parametrize(("name", "kind"), [("json", Transcription), ("verbose_json", TranslationVerbose)])
def test_translations(client, wav, name, kind):
    raw = client.audio.translations.with_raw_response.create(model="whisper-1", file=wav(), response_format=name)
    assert strictly(kind, raw.http_response.json())["text"] == TEXT


class TestAzure:
    @pytest.fixture
    def azure(self, start, scripted, tmp_path):
        key = Keys(tmp_path / "state").add("anna")
        server = start(scripted, use_keys=True)
        with openai.AzureOpenAI(
            api_key=key, azure_endpoint=str(server.base_url), api_version="2025-03-01-preview", max_retries=0
        ) as client:
            yield client

    @pytest.mark.parametrize("name", JSON)
    def test_its_client_finds_its_address_and_sends_its_kind_of_key(self, azure, wav, name):
        raw = azure.audio.transcriptions.with_raw_response.create(model="whisper-1", file=wav(), response_format=name)
        strictly(JSON[name], raw.http_response.json())
        assert "/openai/deployments/whisper-1/audio/transcriptions" in str(raw.http_response.url)

    @pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
    def test_it_streams_and_translates(self, azure, wav):
        events = list(azure.audio.transcriptions.create(model="gpt-4o-transcribe", file=wav(), stream=True))
        assert events[-1].text == TEXT
        assert azure.audio.translations.create(model="whisper-1", file=wav()).text == TEXT

    def test_where_the_form_names_no_model_the_deployment_does(self, server, wav):
        def ask(deployment, **fields):
            address = f"/openai/deployments/{deployment}/audio/transcriptions?api-version=2024-06-01"
            return server.post(address, files={"file": wav()}, data={"response_format": "verbose_json", **fields})

        assert "speaker" not in ask("whisper-1").json()["segments"][0]
        assert ask("gpt-4o-transcribe-diarize").json()["segments"][0]["speaker"] == "SPEAKER_00"
        assert ask("our-whisper").json()["error"]["param"] == "model"
        assert ask("our-whisper", model="whisper-1").status_code == 200


class TestErrors:
    def test_a_key_that_is_bad(self, start, scripted, wav):
        server = start(scripted, use_keys=True)
        client = openai.OpenAI(api_key="bad", base_url=f"{server.base_url}/v1")
        with pytest.raises(openai.AuthenticationError) as caught:
            client.audio.transcriptions.create(model="whisper-1", file=wav())
        assert caught.value.code == "invalid_api_key"

    def test_a_file_that_is_too_large(self, start, scripted, wav):
        server = start(scripted, max_bytes=50_000)
        client = openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1")
        with pytest.raises(openai.APIStatusError) as caught:
            client.audio.transcriptions.create(model="whisper-1", file=wav(10))
        assert (caught.value.status_code, caught.value.code) == (413, "too_large")

    def test_a_key_that_asks_too_often(self, start, scripted, wav, tmp_path):
        key = Keys(tmp_path / "state").add("anna", Limits(rpm=1))
        server = start(scripted, use_keys=True)
        client = openai.OpenAI(api_key=key, base_url=f"{server.base_url}/v1", max_retries=0)
        client.audio.transcriptions.create(model="whisper-1", file=wav())
        with pytest.raises(openai.RateLimitError) as caught:
            client.audio.transcriptions.create(model="whisper-1", file=wav())
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30

    def test_a_full_queue(self, start, scripted, wav):
        server = start(scripted, bounds=DeskBounds(queued=0))
        client = openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1", max_retries=0)
        with pytest.raises(openai.RateLimitError) as caught:
            client.audio.transcriptions.create(model="whisper-1", file=wav())
        assert caught.value.code == "queue_full"

    def test_an_engine_that_fails_while_a_stream_is_read(self, start, scripted, wav):
        scripted.failure = EngineError("engine_failed", "The model failed.", "Try again.")
        server = start(scripted)
        client = openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1", max_retries=0)
        with pytest.raises(openai.APIError, match="The model failed"):
            list(client.audio.transcriptions.create(model="whisper-1", file=wav(), stream=True))


class TestRetries:
    """The client gives up after its timeout and tries again, twice: one recording, one run of the engine."""

    def ask(self, server, wav, tries, timeout):
        def begin(request):
            if "/audio/" in request.url.path:
                tries.append(request.headers["x-stainless-retry-count"])

        http = openai.DefaultHttpxClient(event_hooks={"request": [begin]})
        with openai.OpenAI(
            api_key="none", base_url=f"{server.base_url}/v1", max_retries=2, timeout=timeout, http_client=http
        ) as client:
            return client.audio.transcriptions.create(model="whisper-1", file=wav())

    def test_a_client_whose_tries_all_time_out_ran_the_engine_once(self, start, scripted, wav):
        server, tries = start(scripted), []
        scripted.go.clear()
        with pytest.raises(openai.APITimeoutError):
            self.ask(server, wav, tries, timeout=0.5)
        assert tries == ["0", "1", "2"]
        scripted.go.set()
        assert self.ask(server, wav, tries, timeout=60).text == TEXT
        assert len(scripted.begun) == 1

    @pytest.mark.slow
    def test_a_timeout_of_five_seconds_and_an_answer_for_the_last_try(self, start, scripted, wav):
        server = start(scripted)
        scripted.go.clear()

        class Tries(list):
            def append(self, number):
                super().append(number)
                if len(self) == 3:
                    scripted.go.set()

        tries = Tries()
        assert self.ask(server, wav, tries, timeout=5).text == TEXT
        assert tries == ["0", "1", "2"]
        assert len(scripted.begun) == 1
