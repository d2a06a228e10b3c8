"""What other programs send, byte for byte as they write it, and what they do with the answer; with real speech.

LiteLLM's requests were recorded; the others follow these programs' own code.
"""

import json

import anyio
import httpx
import openai
import pytest

from diarist.audio.decode import decode
from diarist.audio.transport import encode_opus
from diarist.engines import load
from diarist.weights.fetch import ensure

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.heavy]

SPEECH = "I didn't know you were there."
PLAIN = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def server(start_module):
    return start_module(load("whisper-base", "embedded"))


@pytest.fixture(scope="module")
def call():
    """A telephone call between two people, 30 s."""
    return (ensure("sample-telephone") / "sample.wav").read_bytes()


@pytest.fixture(scope="module")
def samples(call):
    """The same as bare samples."""
    return (decode(call).samples * 32768).astype("<i2").tobytes()


def form(*parts, boundary="b0undary"):
    """A form as it goes over the wire, and its type."""
    body = b""
    for name, value, *file in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if file:
            head += f'; filename="{file[0]}"' + (f"\r\nContent-Type: {file[1]}" if len(file) > 1 else "")
        body += head.encode() + b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def sent(server, address, *parts, boundary="b0undary", **headers):
    content, kind = form(*parts, boundary=boundary)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.post(address, content=content, headers={"content-type": kind, **named})


class TestSpeakr:
    def test_its_connector_for_openai(self, server, call, tmp_path):
        """Lists the models, keeps those that can transcribe, and reads the segments' speakers."""
        (tmp_path / "call.wav").write_bytes(call)
        with openai.OpenAI(api_key="none", base_url=f"{server.base_url}/v1") as client:
            names = [m.id for m in client.models.list().data if "transcribe" in m.id or "whisper" in m.id]
            assert {"whisper-1", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"} <= set(names)
            with (tmp_path / "call.wav").open("rb") as file:
                answer = client.audio.transcriptions.create(
                    model="gpt-4o-transcribe-diarize",
                    file=file,
                    language="en",
                    chunking_strategy="auto",
                    response_format="diarized_json",
                )
        assert sorted({segment.speaker for segment in answer.segments}) == ["A", "B"]
        assert all(isinstance(s.start, float) and s.end > s.start and s.text.strip() for s in answer.segments)
        assert SPEECH in " ".join(segment.text for segment in answer.segments)

    @pytest.mark.parametrize("speakers", [True, False])
    def test_its_connector_for_whisper_asr_webservice(self, server, call, speakers):
        """Looks whether the server is there, sends all counts it has, and reads ``segments``."""
        assert server.get("/health").status_code < 500
        params = {
            "encode": True,
            "task": "transcribe",
            "output": "json",
            "language": "en",
            "diarize": speakers,
            "enable_diarization": speakers,
            "min_speakers": 1,
            "max_speakers": 4,
            "initial_prompt": "A call.",
            "hotwords": "Tuesday, telephone",
        }
        answer = server.post("/asr", params=params, files={"audio_file": ("call.wav", call, "audio/wav")})
        answer.raise_for_status()
        told = answer.json()
        assert SPEECH in told["text"]
        assert told["language"] == "en"
        found = {segment.get("speaker") for segment in told["segments"]}
        assert found == ({"SPEAKER_00", "SPEAKER_01"} if speakers else {None})
        assert "initial_prompt" in answer.headers["diarist-ignored"]


class TestOpenWebUI:
    def test_it_transcribes(self, server, call):
        told = sent(
            server,
            PLAIN,
            ("model", "whisper-1"),
            ("language", "en"),
            ("file", call, "4f1c.wav"),
            authorization="Bearer none",
            user_agent="python-requests/2.32.4",
        )
        assert told.status_code == 200
        assert SPEECH in told.json()["text"]

    def test_after_a_language_that_nobody_knows_it_asks_again_without_and_shows_why_if_that_fails(self, server, call):
        first = sent(server, PLAIN, ("model", "whisper-1"), ("language", "xx-nowhere"), ("file", call, "4f1c.wav"))
        assert first.status_code == 400
        again = sent(server, PLAIN, ("model", "whisper-1"), ("file", call, "4f1c.wav"))
        assert SPEECH in again.json()["text"]
        failed = sent(server, PLAIN, ("model", "whisper-1"), ("file", b"milk, eggs", "4f1c.wav"))
        assert failed.json()["error"]["message"].startswith("4f1c.wav is not audio or video in a known format.")


class TestHomeAssistant:
    def test_a_sentence_from_a_satellite(self, server, call):
        """OpenAI's asynchronous client; the microphone's samples with a head put before them."""

        async def hear():
            async with openai.AsyncOpenAI(api_key="none", base_url=f"{server.base_url}/v1") as client:
                return await client.audio.transcriptions.create(
                    model="gpt-4o-mini-transcribe",
                    file=("a.wav", call),
                    response_format="json",
                    language="en",
                    prompt="You are a voice assistant for Home Assistant.",
                )

        assert SPEECH in anyio.run(hear).text

    def test_an_add_on_that_sends_whole_tags_and_empty_fields(self, server, call):
        told = sent(
            server,
            PLAIN,
            ("file", call, "audio.wav", "audio/wav"),
            ("model", "whisper-1"),
            ("language", "en-US"),
            ("prompt", ""),
            ("temperature", "0"),
            ("response_format", "json"),
        )
        assert told.status_code == 200
        assert SPEECH in told.json()["text"]


class TestN8n:
    def test_its_node(self, server, call):
        """The form-data package: the length is known, and a part has no length of its own."""
        told = sent(
            server,
            PLAIN,
            ("model", "whisper-1"),
            ("language", "en"),
            ("temperature", "0.2"),
            ("file", call, "data.wav", "audio/wav"),
            boundary="--------------------------515890814546601021194782",
            user_agent="n8n",
            connection="keep-alive",
        )
        assert told.status_code == 200
        assert SPEECH[:6] in told.json()["text"]

    def test_one_connection_carries_many_requests(self, server, call):
        with httpx.Client(base_url=server.base_url, limits=httpx.Limits(max_connections=1), timeout=60) as client:
            for _ in range(20):
                told = sent(client, PLAIN, ("model", "whisper-1"), ("file", call, "data.wav", "audio/wav"))
                assert told.status_code == 200

    def test_its_translation(self, server, call):
        told = sent(server, "/v1/audio/translations", ("model", "whisper-1"), ("file", call, "data.wav", "audio/wav"))
        assert told.status_code == 200
        assert "know" in told.json()["text"]


class TestLiteLLM:
    """Recorded from LiteLLM 1.110: it always asks for ``verbose_json``, but for models called gpt-4o-transcribe."""

    @pytest.mark.parametrize(
        ("fields", "has"),
        [
            ([("model", "whisper-1"), ("response_format", "verbose_json")], "segments"),
            (
                [
                    ("model", "whisper-1"),
                    ("response_format", "verbose_json"),
                    ("timestamp_granularities[]", "word"),
                ],
                "words",
            ),
            ([("model", "gpt-4o-transcribe")], "usage"),
            (
                [
                    ("model", "gpt-4o-transcribe-diarize"),
                    ("response_format", "diarized_json"),
                    ("chunking_strategy", "auto"),
                ],
                "segments",
            ),
        ],
    )
    def test_its_requests(self, server, call, fields, has):
        told = sent(
            server,
            PLAIN,
            *fields,
            ("file", call, "a.wav", "audio/x-wav"),
            authorization="Bearer none",
            accept="application/json",
            user_agent="OpenAI/Python 3.57.0",
            x_stainless_retry_count="0",
            x_stainless_read_timeout="600",
        )
        assert told.status_code == 200
        assert told.json()[has]
        assert "null" not in json.dumps(told.json())

    def test_its_requests_to_azure(self, server, call):
        told = sent(
            server,
            "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-06-01",
            ("model", "whisper-1"),
            ("file", call, "a.wav", "audio/x-wav"),
            api_key="none",
            user_agent="AzureOpenAI/Python 3.57.0",
        )
        assert SPEECH in told.json()["text"]


class TestBazarr:
    """It sends a film's sound as bare samples, in a part whose file name is the field's."""

    def test_it_asks_which_language_is_spoken(self, server, samples):
        told = sent(server, "/detect-language?encode=false", ("audio_file", samples, "audio_file"))
        assert told.json() == {"detected_language": "english", "language_code": "en"}

    @pytest.mark.parametrize("task", ["transcribe", "translate"])
    def test_it_gets_subtitles(self, server, samples, task):
        address = f"/asr?task={task}&language=en&output=srt&encode=false"
        told = sent(server, address, ("audio_file", samples, "audio_file"), user_agent="Subliminal/2.1")
        assert told.status_code == 200
        assert told.text.startswith("1\n00:00:0")
        assert "know you were there" in told.text


def test_a_browser_that_records_and_sends_a_blob(server, call):
    """As MediaRecorder's Blob goes through ``fetch``, from a page of this server."""
    told = sent(
        server,
        PLAIN,
        ("file", encode_opus(decode(call), 24_000), "blob", "audio/ogg;codecs=opus"),
        ("model", "whisper-1"),
        boundary="----WebKitFormBoundary7MA4YWxkTrZu0gW",
        origin=str(server.base_url).rstrip("/"),
        sec_fetch_site="same-origin",
    )
    assert "there" in told.json()["text"]
