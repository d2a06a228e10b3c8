"""Another server as a place: the same transcript, the same errors, and nothing kept there."""

import time

import anyio
import pytest

import diarist
from diarist.audio.transport import encode_flac
from diarist.model import codec
from diarist.model.errors import Cancelled, EndpointError, EngineError, InputError
from diarist.model.options import Options
from diarist.places import open_place
from diarist.server.client import RemoteJob, connect
from diarist.weights.fetch import ensure


@pytest.fixture
def url(start, scripted):
    return str(start(scripted).base_url)


class TestTranscribe:
    def test_a_file_and_its_options_arrive(self, url, scripted, wav, tmp_path):
        (tmp_path / "talk.wav").write_bytes(wav())
        transcript = connect(url).transcribe(tmp_path / "talk.wav", Options(num_speakers=2))
        assert transcript.text == "Hello there. Good morning."
        assert transcript.speakers == ("SPEAKER_00", "SPEAKER_01")
        assert scripted.begun == ["talk.wav"]

    @pytest.mark.parametrize("kind", ["bytes", "samples", "part", "stream"])
    def test_whatever_a_recording_is(self, url, scripted, wav, kind):
        recording = {
            "bytes": lambda: wav(),
            "samples": lambda: diarist.decode(wav()),
            "part": lambda: diarist.Recording.of(diarist.decode(wav(3.0))).part(0.5, 2.5),
            "stream": lambda: __import__("io").BytesIO(wav()),
        }[kind]()
        assert connect(url).transcribe(recording).text == "Hello there. Good morning."

    def test_the_server_keeps_nothing(self, start, scripted, wav, tmp_path):
        client = start(scripted)
        connect(str(client.base_url)).transcribe(wav())
        assert client.get("/v1/jobs").json()["data"] == []
        assert not list((tmp_path / "state" / "audio").iterdir())

    def test_from_asynchronous_code(self, url, wav):
        async def work():
            return await connect(url).atranscribe(wav())

        assert anyio.run(work).text == "Hello there. Good morning."

    def test_as_a_place(self, url, wav):
        assert open_place(url).transcribe(wav()).text == "Hello there. Good morning."
        with pytest.raises(InputError, match="not for"):
            open_place(url, diarist.places.Wanted(model="whisper-base"))

    def test_words_are_told_once_they_are_here(self, url, wav):
        heard = []
        transcript = connect(url).transcribe(wav(), heard=heard.extend)
        assert tuple(heard) == transcript.words

    def test_progress_may_stop_it_and_then_the_server_stops_too(self, url, scripted, wav):
        scripted.go.clear()

        def stop(stage, done):
            if stage == "transcription":
                raise Cancelled

        with pytest.raises(Cancelled):
            connect(url).transcribe(wav(), progress=stop)
        end = time.monotonic() + 60
        while not scripted.stopped:  # it stops at its next report
            assert time.monotonic() < end
            time.sleep(0.01)


class TestJobs:
    def test_a_job_goes_on_and_is_asked_for_later(self, url, wav):
        job = connect(url).submit(wav())
        assert job.result().text == "Hello there. Good morning."
        assert job.state().status == "completed"
        job.delete()
        with pytest.raises(InputError, match="no job"):
            job.state()

    def test_a_cancelled_job_has_no_result(self, url, scripted, wav):
        scripted.go.clear()
        job = connect(url).submit(wav())
        job.cancel()
        with pytest.raises((Cancelled, InputError)):
            job.result()


class TestErrors:
    def test_what_the_server_says_is_raised_here(self, url, scripted, wav):
        scripted.failure = EngineError("engine_failed", "The model failed.", "Try again.")
        with pytest.raises(EndpointError, match="The model failed") as caught:
            connect(url).transcribe(wav())
        assert caught.value.code == "engine_failed"

    def test_what_is_no_recording(self, url):
        with pytest.raises(InputError) as caught:
            connect(url).transcribe(b"milk, eggs")
        assert caught.value.code == "audio_not_recognised"

    @pytest.mark.parametrize("address", ["notes.example", "ftp://notes.example", "http://", "http://me:secret@host"])
    def test_what_is_no_address(self, address):
        with pytest.raises(InputError, match="no server's address"):
            connect(address)

    def test_a_server_that_wants_a_key(self, start, scripted, wav, monkeypatch, tmp_path):
        from diarist.server.keys import Keys

        key = Keys(tmp_path / "state").add("laptop")
        client = start(scripted, use_keys=True)
        with pytest.raises(InputError) as caught:
            connect(str(client.base_url)).transcribe(wav())
        assert caught.value.code == "invalid_api_key"
        monkeypatch.setenv("DIARIST_API_KEY", key)
        assert connect(str(client.base_url)).transcribe(wav()).speakers

    @pytest.mark.parametrize("answer", ["without end", "nested without end"])
    def test_an_answer_without_end_is_left(self, serve, answer):
        async def app(scope, receive, send):
            if scope["type"] != "http":
                return
            status = 200 if answer == "without end" else 400
            await send({"type": "http.response.start", "status": status, "headers": []})
            body = b"x" * 1_000_000 if answer == "without end" else b"[" * 1_000_000
            for _ in range(300 if answer == "without end" else 1):
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        job = RemoteJob(connect(f"http://127.0.0.1:{serve(app)}"), "j")
        with pytest.raises((EndpointError, InputError)) as caught:
            job.state()
        assert caught.value.code in ("endpoint_answer", "endpoint_failed")
        assert len(str(caught.value)) < 300


@pytest.mark.models
@pytest.mark.slow
def test_the_transcript_of_a_server_is_that_of_this_machine(start):
    engines = diarist.load("whisper-base", "embedded")
    call = encode_flac(diarist.decode(ensure("sample-telephone") / "sample.wav").part(6, 18))
    here, there = engines.transcribe(call), connect(str(start(engines).base_url)).transcribe(call)

    def plain(transcript):
        return {name: value for name, value in codec.dump(transcript).items() if name not in ("timings", "place")}

    assert plain(here) == plain(there)
