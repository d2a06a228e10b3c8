"""What goes wrong beside the engines: a store that fails, jobs taken away, clocks, recordings that are gone."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from diarist.jobs.job import Keep, StoreError
from diarist.jobs.turns import Turns
from diarist.model.errors import Cancelled
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.pipelines.local import LocalPipeline
from diarist.server.keys import Keys
from diarist.server.opening import DeskBounds

from .conftest import Scripted

PLAIN = "/v1/audio/transcriptions"


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def submit(client, recording, **fields):
    answer = client.post("/v1/jobs", files={"file": recording}, data=fields)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def ended(client, job):
    until(lambda: client.get(f"/v1/jobs/{job}").json()["status"] not in ("queued", "running"))
    return client.get(f"/v1/jobs/{job}").json()


def fail(monkeypatch, store, method, times, error=None):
    """Let the store fail a few times, as with a full disk."""
    real, left = getattr(store, method), [times]

    def failing(*arguments, **named):
        if left[0]:
            left[0] -= 1
            raise error or StoreError("disk_full", "There is no room on the disk to keep jobs.", http_status=429)
        return real(*arguments, **named)

    monkeypatch.setattr(store, method, failing)
    return left


class Words:
    model = ModelInfo("transcription", "words", None, "tests")

    def transcribe(self, audio, options=None, progress=None):
        words = (Word(0.1, 0.5, "Hello", 0.9),)
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model)


class Speakers:
    model = ModelInfo("diarization", "speakers", None, "tests")

    def diarize(self, audio, options=None, progress=None):
        turns = (Turn(0.0, audio.duration, "SPEAKER_00"),)
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model)


class TestStore:
    """A store that takes nothing for a while ends neither the server nor a job."""

    @pytest.mark.parametrize("method", ["finish", "parts", "progress", "queued", "lease", "expire"])
    def test_a_job_is_done_whatever_the_store_refused_meanwhile(self, start, scripted, wav, monkeypatch, method):
        client = start(scripted)
        left = fail(monkeypatch, client.desk.store, method, 1)
        scripted.go.clear()
        job = submit(client, wav())
        until(lambda: method in ("finish", "expire") or not left[0])
        scripted.go.set()
        done = ended(client, job)
        assert (done["status"], done["attempts"]) == ("completed", 1)
        assert method == "expire" or not left[0]
        assert client.get("/health").json()["running"] == 0

    @pytest.mark.parametrize("method", ["keep", "describe"])
    def test_what_it_could_not_keep_of_a_leg_it_keeps_at_the_end(self, start, wav, monkeypatch, method):
        client = start(LocalPipeline(Words(), Speakers()))
        left = fail(monkeypatch, client.desk.store, method, 1)
        job = submit(client, wav(), diarize="true")
        assert ended(client, job)["status"] == "completed"
        assert not left[0]
        assert set(client.desk.store.parts(job)) == {"transcription", "diarization"}

    @pytest.mark.parametrize("method", ["lease", "parts", "finish"])
    def test_nor_does_what_nobody_foresaw(self, start, scripted, wav, monkeypatch, method, caplog):
        client = start(scripted)
        fail(monkeypatch, client.desk.store, method, 1, RuntimeError("a secret sentence"))
        submit(client, wav())
        assert ended(client, submit(client, wav(3.0)))["status"] == "completed"
        assert "RuntimeError" in caplog.text
        assert "secret" not in caplog.text

    def test_an_end_that_the_store_can_never_take_is_told(self, start, scripted, wav, monkeypatch):
        client = start(scripted)
        fail(monkeypatch, client.desk.store, "finish", 1, StoreError("too_big", "Too large.", http_status=413))
        done = ended(client, submit(client, wav()))
        assert (done["status"], done["error"]["code"]) == ("failed", "too_big")


class TestTakenAway:
    def test_a_job_that_is_cancelled_as_it_ends_ends_no_server(self, start, wav):
        class Late(Scripted):
            def _work(self, *arguments):
                found = super()._work(*arguments)
                client.desk.store.cancel(job[0])
                return found

        client, job = start(Late()), []
        client.desk.bounds = DeskBounds(open=1)
        real = client.desk.store.add
        client.desk.store.add = lambda new: (job.append((made := real(new))[0].id), made)[1]
        assert ended(client, submit(client, wav()))["status"] == "cancelled"
        job.clear()
        assert ended(client, submit(client, wav(3.0)))["status"] == "cancelled"

    def test_a_job_that_is_cancelled_while_it_is_leased_is_not_begun(self, start, scripted, wav):
        client = start(scripted)
        store, leased, go = client.desk.store, threading.Event(), threading.Event()
        real = store.lease

        def slow(*arguments):
            lease = real(*arguments)
            leased.set()
            go.wait(60)
            return lease

        store.lease = slow
        scripted.go.clear()
        job = submit(client, wav())
        leased.wait(60)
        assert client.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
        go.set()
        until(lambda: client.get("/health").json()["running"] == 0 and not client.desk._open)
        assert not scripted.begun or scripted.stopped == 1
        scripted.go.set()
        assert ended(client, submit(client, wav(3.0)))["status"] == "completed"

    def test_work_that_is_stopped_where_the_engines_are_is_failed(self, start, scripted, wav):
        client = start(scripted)
        scripted.failure = Cancelled()
        done = ended(client, submit(client, wav()))
        assert (done["status"], done["error"]["code"]) == ("failed", "stopped")

    def test_a_recording_that_is_gone_from_the_disk_is_told_without_its_place(self, start, scripted, wav, tmp_path):
        client = start(scripted, bounds=DeskBounds(open=1))
        scripted.go.clear()
        submit(client, wav())
        until(lambda: scripted.begun)
        before = set((tmp_path / "state" / "audio").iterdir())
        job = submit(client, wav(3.0))
        (gone,) = set((tmp_path / "state" / "audio").iterdir()) - before
        gone.unlink()
        scripted.go.set()
        done = ended(client, job)
        assert (done["status"], done["error"]["code"]) == ("failed", "audio_gone")
        assert str(tmp_path) not in str(done)


class TestClock:
    def test_a_machine_that_slept_for_a_month_goes_on_with_its_work(self, start, scripted, wav):
        client = start(scripted)
        scripted.go.clear()
        job = submit(client, wav())
        until(lambda: scripted.begun)
        client.desk.store._clock = lambda: time.time() + 30 * 86_400
        assert ended_after(client, scripted, submit(client, wav(3.0)))["status"] == "completed"
        done = ended(client, job)
        assert (done["status"], done["attempts"]) == ("completed", 1)
        assert len(scripted.begun) == 2


def ended_after(client, scripted, job):
    until(lambda: len(scripted.begun) == 2)
    scripted.go.set()
    return ended(client, job)


class TestStarting:
    def test_what_is_no_recording_among_them_ends_no_start(self, start, scripted, wav, tmp_path):
        (tmp_path / "state" / "audio" / "lost+found").mkdir(parents=True)
        client = start(scripted)
        assert client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"}).status_code == 200

    def test_engines_that_fail_in_a_way_of_their_own_are_told(self, tmp_path, caplog):
        from diarist.server.app import Server, Settings

        def broken(progress):
            raise ZeroDivisionError("a secret sentence")

        failures = []
        server = Server(Settings(state=tmp_path / "state"), broken, failed=failures.append)
        asyncio.run(server._load())
        assert [error.code for error in failures] == ["not_loaded"]
        assert "secret" not in str(failures[0]) + caplog.text


class TestTogether:
    def test_all_who_joined_get_the_answer_that_goes_with_it(self, start, scripted, wav, tmp_path):
        client = start(scripted, keep=Keep(audio=0, text=0))
        scripted.go.clear()
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(client.post, PLAIN, files={"file": wav()}, data={"model": "diarist"}) for _ in range(8)]
            until(lambda: sum(client.desk._waiting.values()) == 8)
            scripted.go.set()
            assert [each.result().status_code for each in sent] == [200] * 8
        assert len(scripted.begun) == 1
        until(lambda: not list((tmp_path / "state" / "audio").iterdir()))
        kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
        assert b"morning" not in kept

    def test_a_plain_request_takes_no_job_along_that_it_joined(self, start, scripted, wav):
        client = start(scripted, keep=Keep(text=0))
        job = submit(client, wav())
        assert ended(client, job)["status"] == "completed"
        assert client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"}).status_code == 200
        assert len(scripted.begun) == 1
        assert client.get(f"/v1/jobs/{job}/result?format=text").status_code == 200

    def test_no_more_are_taken_than_there_is_room_for_however_many_come_at_once(self, start, scripted, wav):
        client = start(scripted, bounds=DeskBounds(queued=5, open=1))
        scripted.go.clear()
        first = submit(client, wav())
        until(lambda: scripted.begun)
        with ThreadPoolExecutor(16) as pool:
            sent = [pool.submit(client.post, "/v1/jobs", files={"file": wav(3 + n / 10)}) for n in range(30)]
            statuses = [each.result().status_code for each in sent]
        assert sorted(statuses) == [202] * 5 + [429] * 25
        scripted.go.set()
        assert ended(client, first)["status"] == "completed"

    def test_one_key_leaves_room_in_the_queue_for_others(self, start, scripted, wav, tmp_path):
        (tmp_path / "state").mkdir()
        keys = [Keys(tmp_path / "state").add(name) for name in ("many", "few")]
        client = start(scripted, bounds=DeskBounds(queued=4, open=1), use_keys=True)
        many, few = ({"authorization": f"Bearer {key}"} for key in keys)
        scripted.go.clear()

        def send(seconds, headers):
            return client.post("/v1/jobs", files={"file": wav(seconds)}, headers=headers)

        send(2.0, many)
        until(lambda: scripted.begun)
        assert [send(3.0 + n, many).status_code for n in range(4)] == [202, 202, 202, 429]
        assert send(3.0, few).status_code == 202

    def test_nothing_of_a_request_stays_in_memory(self, start, scripted, wav):
        client = start(scripted)
        for number in range(20):
            recording = wav(1 + number / 10)
            client.post(PLAIN, files={"file": recording}, data={"model": "diarist"})
            with client.stream("POST", PLAIN, files={"file": recording}, data={"model": "diarist", "stream": "true"}):
                pass  # leaves before the answer
            submit(client, recording, diarize="true")
        desk = client.desk
        kept = (desk._live, desk._tickets, desk._open, desk._waiting, desk._room._today, desk._tasks)
        until(lambda: not any(kept))


class Windows(Scripted):
    """Work of so many windows, each of which takes one second of a clock that nothing else moves."""

    def __init__(self, windows):
        super().__init__()
        self.now = 0.0
        self.computed = []
        self._windows = windows

    def _work(self, recording, options, report, heard):
        while not self.go.wait(0.01):
            pass
        for window in range(self._windows(recording.name)):
            report("transcription", window / self._windows(recording.name))
            self.computed.append(recording.name)
            self.now += 1.0
        return super()._work(recording, options, report, heard)


class TestFairness:
    def test_a_key_that_sends_ten_times_as_much_gets_no_more_than_its_share(self, start, wav, tmp_path):
        (tmp_path / "state").mkdir()
        keys = [Keys(tmp_path / "state").add(name) for name in ("many", "few")]
        engine = Windows(lambda name: 60 if name.startswith("many") else 30)
        client = start(engine, use_keys=True)
        client.desk._turns = Turns(clock=lambda: engine.now)
        many, few = ({"authorization": f"Bearer {key}"} for key in keys)
        engine.go.clear()
        for number in range(20):
            client.post("/v1/jobs", files={"file": (f"many {number}", wav(2 + number / 10))}, headers=many)
        for number in range(2):
            client.post("/v1/jobs", files={"file": (f"few {number}", wav(2 + number / 10))}, headers=few)
        engine.go.set()
        until(lambda: client.get("/health").json()["running"] + client.get("/health").json()["queued"] == 0)
        for name in ("few 0", "few 1"):
            places = [place for place, each in enumerate(engine.computed) if each == name]
            between = engine.computed[places[0] : places[-1] + 1]
            others = sum(each.startswith("many") for each in between)
            assert abs(others - 30) <= 2, "window by window"
        assert engine.computed.index("few 1") < 20 * 60 / 2, "it does not wait until the many are done"

    def test_a_short_recording_beside_hours_of_others_does_not_wait_for_their_end(self, start, wav):
        """The long ones go on until the short one is done, so that if it waited for them, nothing would ever end."""
        done = threading.Event()

        class Endless(Scripted):
            def _work(self, recording, options, report, heard):
                while recording.name.startswith("long") and not done.is_set():
                    report("transcription", 0.1)
                    time.sleep(0.001)
                return super()._work(recording, options, report, heard)

        engine = Endless()
        client = start(engine)
        longs = [
            client.post("/v1/jobs", files={"file": (f"long {n}", wav(130 + n, 8_000))}).json()["id"] for n in range(6)
        ]
        until(lambda: engine.begun)
        try:
            answer = client.post(PLAIN, files={"file": ("short", wav(10))}, data={"model": "diarist"})
        finally:
            done.set()
        assert answer.status_code == 200
        assert [ended(client, job)["status"] for job in longs] == ["completed"] * 6
