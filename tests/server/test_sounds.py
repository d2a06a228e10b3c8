"""The sound of a job: what was decoded, bit for bit, for players that seek; and its outline, for pages that draw it."""

import base64
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac, encode_opus
from diarist.audio.url_rules import UrlRules
from diarist.engines import load
from diarist.server import sounds
from diarist.weights.fetch import ensure


@pytest.fixture(scope="module")
def call():
    """A telephone call between two people, 30 s."""
    return decode(ensure("sample-telephone") / "sample.wav")


@pytest.fixture
def client(start, scripted):
    return start(scripted)


def submit(client, recording, **fields):
    return "/v1/jobs/" + client.post("/v1/jobs", files={"file": ("call.opus", recording)}, data=fields).json()["id"]


def files(tmp_path):
    return sorted(path.name.partition(".")[2] for path in (tmp_path / "state" / "audio").iterdir())


def peaks_of(document):
    return tuple(np.frombuffer(base64.b64decode(document[key]), np.int8) for key in ("min", "max"))


class TestAudio:
    def test_it_is_what_was_decoded_bit_for_bit(self, client, call):
        recording = encode_opus(call, 32_000)
        job = submit(client, recording)
        answer = client.get(f"{job}/audio")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "audio/flac"
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.content[:4] == b"fLaC"
        assert np.array_equal(decode(io.BytesIO(answer.content)).samples, decode(io.BytesIO(recording)).samples)

    def test_players_can_seek(self, client, wav):
        job = submit(client, wav(seconds=20))
        whole = client.get(f"{job}/audio").content
        size = len(whole)
        for asked, first, last in [
            ("bytes=0-0", 0, 0),
            ("bytes=100-", 100, size - 1),
            (f"bytes=10-{size * 2}", 10, size - 1),
            ("bytes=-5", size - 5, size - 1),
        ]:
            answer = client.get(f"{job}/audio", headers={"Range": asked})
            assert answer.status_code == 206
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
            assert answer.content == whole[first : last + 1]

    @pytest.mark.parametrize(
        "asked", ["bytes=5-1", "bytes=-", "bytes", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5", "=", "٣"]
    )
    def test_a_range_that_cannot_be_read_is_ignored(self, client, wav, asked):
        job = submit(client, wav())
        answer = client.get(f"{job}/audio", headers={"Range": asked.encode()})
        assert answer.status_code == 200
        assert answer.content[:4] == b"fLaC"

    @pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=999999999-999999999999", "bytes=-0"])
    def test_a_range_behind_the_end_is_refused_as_all_else_is(self, client, wav, asked):
        job = submit(client, wav())
        answer = client.get(f"{job}/audio", headers={"Range": asked})
        assert answer.status_code == 416
        assert answer.headers["content-range"].startswith("bytes */")
        assert answer.json()["error"]["code"] == "bad_range"

    def test_it_is_not_sent_twice_to_who_has_it(self, client, wav):
        job = submit(client, wav())
        tag = client.get(f"{job}/audio").headers["etag"]
        again = client.get(f"{job}/audio", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        part = client.get(f"{job}/audio", headers={"Range": "bytes=0-9", "If-Range": tag})
        assert part.status_code == 206
        other = client.get(f"{job}/audio", headers={"Range": "bytes=0-9", "If-Range": '"other"'})
        assert other.status_code == 200


class TestPeaks:
    def test_they_outline_the_recording(self, client):
        samples = np.zeros(16_000 * 3 + 100, np.float32)
        samples[16_000:32_000] = 0.5
        samples[16_000:32_000:2] = -0.25
        job = submit(client, encode_flac(Audio(samples)))
        answer = client.get(f"{job}/peaks")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["per_second"] == 50
        low, high = peaks_of(answer.json())
        assert len(low) == len(high) == 3 * 50 + 1
        assert (low[:50] == 0).all()
        assert (high[50:100] == 64).all()
        assert (low[50:100] == -32).all()

    def test_of_real_speech(self, client, call):
        low, high = peaks_of(client.get(f"{submit(client, encode_flac(call))}/peaks").json())
        assert abs(len(high) - call.duration * 50) <= 1
        exact = [call.samples[n * 320 : (n + 1) * 320] for n in range(len(high))]
        assert (high / 128 >= [min(s.max(), 127 / 128) for s in exact]).all()
        assert (low / 128 <= [s.min() for s in exact]).all()
        assert (high / 128 - 1 / 128 <= [s.max() for s in exact]).all()


class TestKeeping:
    def test_both_are_made_once_and_go_with_the_job(self, client, wav, tmp_path):
        job = submit(client, wav())
        client.get(f"{job}/peaks")
        assert files(tmp_path) == ["", "flac", "peaks"]
        path = next((tmp_path / "state" / "audio").glob("*.flac"))
        before = path.stat().st_mtime_ns
        client.get(f"{job}/audio")
        client.get(f"{job}/peaks")
        assert path.stat().st_mtime_ns == before
        assert client.delete(job).status_code == 204
        assert files(tmp_path) == []
        assert client.get(f"{job}/audio").status_code == 404

    def test_where_the_recording_is_not_kept_any_more_it_is_said(self, client, wav, tmp_path):
        job = submit(client, wav())
        for path in (tmp_path / "state" / "audio").iterdir():
            path.unlink()
        answer = client.get(f"{job}/audio")
        assert answer.status_code == 410
        assert answer.json()["error"]["code"] == "audio_gone"
        assert "--keep audio" in answer.json()["error"]["message"]

    def test_what_cannot_be_decoded_is_an_error_of_the_recording(self, client, wav, tmp_path):
        job = submit(client, wav())
        next((tmp_path / "state" / "audio").iterdir()).write_bytes(b"no recording" * 100)
        answer = client.get(f"{job}/peaks")
        assert 400 <= answer.status_code < 500
        assert files(tmp_path) == [""]

    def test_of_a_job_that_is_deleted_meanwhile_nothing_is_left(self, client, wav, tmp_path, monkeypatch):
        job = submit(client, wav())
        make = sounds._make

        source = next((tmp_path / "state" / "audio").iterdir())
        data = source.read_bytes()

        def late(workshop, ask, path, name):
            assert client.delete(job).status_code == 204
            path.write_bytes(data)  # as if it had been open
            make(workshop, ask, path, name)

        monkeypatch.setattr(sounds, "_make", late)
        assert client.get(f"{job}/audio").status_code == 410
        assert files(tmp_path) == []


@pytest.mark.models
@pytest.mark.slow
def test_what_came_from_a_url_is_fetched_once_and_heard_here(start, call, tmp_path):
    recording, asked = encode_flac(call.part(6, 12)), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(recording)))
            self.end_headers()
            self.wfile.write(recording)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{host.server_port}/call.flac?signature=SECRET"
        client = start(load("whisper-base", "embedded"), rules=UrlRules(allow_http=True, allow_private=True))
        job = "/v1/jobs/" + client.post("/v1/jobs", json={"url": url, "diarize": True}).json()["id"]
        client.get(f"{job}/events").read()
        state = client.get(job).json()
        assert (state["status"], state["recording"]) == ("completed", True), state
        assert state["name"].startswith("call.flac")
        assert np.array_equal(decode(io.BytesIO(client.get(f"{job}/audio").content)).samples, call.part(6, 12).samples)
        assert asked == ["/call.flac?signature=SECRET"]
        missing = (
            "/v1/jobs/" + client.post("/v1/jobs", json={"url": f"http://127.0.0.1:{host.server_port}/"}).json()["id"]
        )
        client.delete(job)
        client.get(f"{missing}/events").read()
        client.delete(missing)
        assert files(tmp_path) == []
        host.shutdown()


def test_where_the_engines_are_elsewhere_a_url_is_not_heard_here(client):
    job = client.post("/v1/jobs", json={"url": "https://example.org/call.flac"}).json()["id"]
    answer = client.get(f"/v1/jobs/{job}/audio")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "audio_not_kept"
