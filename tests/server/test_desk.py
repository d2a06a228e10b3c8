"""The desk: identical work is done once, who leaves does not lose it, nothing is taken that there is no room for."""

import time

import httpx
import pytest

from diarist.jobs.job import Keep
from diarist.model.errors import EngineError
from diarist.server.desk import DeskBounds

PLAIN = "/v1/audio/transcriptions"


def until(condition, seconds=20):
    """Wait for what will happen; a test that times out fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


class TestJoining:
    def test_a_client_that_times_out_and_asks_again_gets_the_work_of_its_first_try(self, start, scripted, wav):
        client = start(scripted)
        scripted.go.clear()
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"}, timeout=0.5)
        scripted.go.set()
        answer = client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"})
        assert answer.json()["text"] == "Hello there. Good morning."
        assert len(scripted.begun) == 1

    def test_the_result_stays_for_the_next_who_asks_the_same(self, start, scripted, wav):
        client = start(scripted)
        first = client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"})
        again = client.post(PLAIN, files={"file": wav()}, data={"model": "diarist", "response_format": "text"})
        assert again.text.split() == first.json()["text"].split()
        assert len(scripted.begun) == 1

    @pytest.mark.parametrize("change", [{"language": "de"}, {"hotwords": "Kopenhagen"}, {"num_speakers": "2"}])
    def test_another_question_is_other_work(self, start, scripted, wav, change):
        client = start(scripted)
        for fields in ({}, change):
            assert client.post(PLAIN, files={"file": wav()}, data={"model": "diarist", **fields}).status_code == 200
        assert len(scripted.begun) == 2

    def test_another_recording_is_other_work(self, start, scripted, wav):
        client = start(scripted)
        for seconds in (2.0, 3.0):
            client.post(PLAIN, files={"file": wav(seconds)}, data={"model": "diarist"})
        assert len(scripted.begun) == 2

    def test_where_text_is_gone_with_the_answer_nothing_is_left(self, start, scripted, wav, tmp_path):
        client = start(scripted, keep=Keep(audio=0, text=0))
        client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"})
        until(lambda: not list((tmp_path / "state" / "audio").iterdir()))
        kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
        assert b"morning" not in kept


class TestLeaving:
    def test_work_that_nobody_waits_for_any_more_is_stopped_after_a_while(self, start, scripted, wav):
        client = start(scripted, bounds=DeskBounds(patience=0.2))
        scripted.go.clear()
        with pytest.raises(httpx.ReadTimeout):
            client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"}, timeout=0.5)
        until(lambda: scripted.stopped == 1)
        until(lambda: client.get("/health").json()["running"] == 0)

    def test_a_job_goes_on_without_anybody_waiting(self, start, scripted, wav):
        client = start(scripted, bounds=DeskBounds(patience=0.0))
        job = client.post("/v1/jobs", files={"file": wav()}).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["status"] == "completed")
        assert client.get(f"/v1/jobs/{job}/result?format=text").text == "Hello there. Good morning.\n"

    def test_a_job_that_is_cancelled_stops(self, start, scripted, wav):
        client = start(scripted)
        scripted.go.clear()
        job = client.post("/v1/jobs", files={"file": wav()}).json()["id"]
        until(lambda: scripted.begun)
        assert client.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
        until(lambda: scripted.stopped == 1)
        assert client.get(f"/v1/jobs/{job}/result").status_code in (409, 499)

    def test_a_deleted_job_stops_and_is_gone_with_its_recording(self, start, scripted, wav, tmp_path):
        client = start(scripted)
        scripted.go.clear()
        job = client.post("/v1/jobs", files={"file": wav()}).json()["id"]
        until(lambda: scripted.begun)
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        until(lambda: scripted.stopped == 1)
        assert client.get(f"/v1/jobs/{job}").status_code == 404
        assert not list((tmp_path / "state" / "audio").iterdir())


class TestRoom:
    def test_a_full_queue_says_so_before_the_upload(self, start, scripted, wav):
        client = start(scripted, bounds=DeskBounds(queued=1, open=1))
        scripted.go.clear()
        jobs = [client.post("/v1/jobs", files={"file": wav()}).json()["id"]]
        until(lambda: scripted.begun)
        jobs.append(client.post("/v1/jobs", files={"file": wav(3.0)}).json()["id"])
        refused = client.post("/v1/jobs", files={"file": wav(4.0)})
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "queue_full"
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        scripted.go.set()
        for job in jobs:
            until(lambda job=job: client.get(f"/v1/jobs/{job}").json()["status"] == "completed")

    def test_a_short_recording_does_not_wait_in_line_behind_long_ones(self, start, scripted, wav):
        client = start(scripted, bounds=DeskBounds(open=1))
        scripted.go.clear()
        first = client.post("/v1/jobs", files={"file": ("first.wav", wav())}).json()["id"]
        until(lambda: scripted.begun)
        client.post("/v1/jobs", files={"file": ("long.wav", wav(900, 8_000))})
        client.post("/v1/jobs", files={"file": ("short.wav", wav(5))})
        scripted.go.set()
        until(lambda: len(scripted.begun) == 3)
        assert scripted.begun == ["first.wav", "short.wav", "long.wav"]
        assert first

    @pytest.mark.parametrize(("data", "code"), [(b"", "audio_empty"), (b"no sound at all", "audio_not_recognised")])
    def test_what_is_no_recording_is_refused_at_the_door(self, start, scripted, data, code):
        client = start(scripted)
        answer = client.post(PLAIN, files={"file": data}, data={"model": "diarist"})
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]["code"] == code
        assert answer.json()["error"]["param"] == "file"
        assert not scripted.begun

    def test_a_recording_longer_than_taken_is_refused_at_the_door(self, start, scripted, wav):
        client = start(scripted, max_seconds=60)
        answer = client.post(PLAIN, files={"file": wav(61)}, data={"model": "diarist"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "audio_too_long")

    @pytest.mark.parametrize(
        "url", ["http://169.254.169.254/latest", "https://127.0.0.1/a.wav", "file:///etc/passwd", "nonsense"]
    )
    def test_a_url_that_leads_inside_is_refused(self, start, scripted, url):
        client = start(scripted)
        answer = client.post(PLAIN, data={"model": "diarist", "url": url})
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]["code"] in ("url_refused", "bad_field")


class TestFailing:
    def test_an_engine_that_fails_says_so_and_the_next_job_is_done(self, start, scripted, wav):
        client = start(scripted)
        scripted.failure = EngineError("engine_failed", "The model failed.", "Try again.")
        answer = client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"})
        assert answer.status_code == 500
        assert answer.json()["error"] == {
            "message": "The model failed. Try again.",
            "type": "server_error",
            "param": None,
            "code": "engine_failed",
        }
        scripted.failure = None
        assert client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"}).status_code == 200

    def test_an_accident_is_told_without_its_text(self, start, scripted, wav, caplog):
        client = start(scripted)
        scripted.failure = RuntimeError("a secret sentence")
        answer = client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"})
        assert answer.status_code == 500
        assert "secret" not in answer.text + caplog.text


class TestRestarting:
    def test_work_under_way_goes_on_when_the_server_starts_again(self, start, scripted, wav):
        client = start(scripted)
        scripted.go.clear()
        jobs = [client.post("/v1/jobs", files={"file": wav(seconds)}).json()["id"] for seconds in (2, 3)]
        until(lambda: len(scripted.begun) == 2)
        client.stop()
        scripted.go.set()
        client = start(scripted)
        for job in jobs:
            until(lambda job=job: client.get(f"/v1/jobs/{job}").json()["status"] == "completed")
            assert client.get(f"/v1/jobs/{job}").json()["attempts"] == 1  # what was handed back is no attempt

    def test_recordings_that_no_job_knows_are_removed(self, start, scripted, wav, tmp_path):
        folder = tmp_path / "state" / "audio"
        folder.mkdir(parents=True)
        (folder / "left-from-a-crash").write_bytes(wav())
        client = start(scripted)
        until(lambda: not list(folder.iterdir()))
        assert client.get("/health").status_code == 200
