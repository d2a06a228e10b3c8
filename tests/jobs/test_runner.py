"""What a worker does with a job, whatever the engines: cancel, join, refuse to lose results, keep secrets."""

import asyncio
import json
import logging
import threading
import time

import pytest

from diarist.audio.recording import Recording
from diarist.jobs import progress_sender
from diarist.jobs.request import SpeakerTextJob, read_job
from diarist.jobs.runner import Doubtful, Prepared, Worker
from diarist.model.errors import Cancelled, EngineError, InputError
from diarist.pipelines.bridge import in_thread

INPUT = {"audio": "https://example.org/call.mp3?X-Signature=secret"}


class Service:
    """Does what the test says."""

    slots = 1
    concurrency = 2

    def __init__(self, work, prepare=lambda job: None, check=lambda failure: None):
        self.work_as = work
        self.prepare_as = prepare
        self.check_as = check

    def read(self, value):
        return read_job(SpeakerTextJob, value)

    async def prepare(self, job, report):
        await in_thread(lambda _: self.prepare_as(job), report)
        return Prepared(Recording("call.mp3", None, wire=job.audio), seconds=10.0, num_bytes=160_000)

    async def work(self, job, prepared, report, heard=None):
        return await in_thread(lambda inner: self.work_as(job, prepared, inner), report)

    async def check(self, failure):
        self.check_as(failure)


def handle(service, *jobs, **options):
    """Handle jobs at the same time; returns what the SDK would get."""

    async def run():
        worker = Worker(service, **options)
        return await asyncio.gather(*(worker.handle(job) for job in jobs))

    return asyncio.run(run())


def error_of(answer):
    return json.loads(answer["error"])


def test_an_output_comes_back_as_it_is():
    (answer,) = handle(Service(lambda *_: {"text": "Grüße"}), {"id": "1", "input": INPUT})
    assert answer == {"text": "Grüße"}


def test_errors_are_one_json_string_because_the_platform_loses_objects():
    def work(*_):
        raise InputError("bad_language", "No.", "Try en.")

    (answer,) = handle(Service(work), {"id": "1", "input": INPUT})
    assert list(answer) == ["error"]
    assert error_of(answer) == {"code": "bad_language", "message": "No.", "hint": "Try en.", "status": 400}


def test_an_accident_tells_neither_its_message_nor_a_path(caplog):
    def work(*_):
        raise RuntimeError(f"cannot read {INPUT['audio']}")

    with caplog.at_level(logging.DEBUG, "diarist.worker"):
        (answer,) = handle(Service(work), {"id": "job-7", "input": INPUT})
    assert error_of(answer)["code"] == "internal"
    assert "job-7" in error_of(answer)["hint"]
    assert "secret" not in caplog.text + json.dumps(answer)
    assert "work:" in caplog.text  # where it happened


@pytest.mark.parametrize("output", [{"p": float("nan")}, {"p": float("inf")}, {"p": b"bytes"}, {"p": {1, 2}}])
def test_what_is_not_json_becomes_an_error_for_the_sdk_would_lose_it(output):
    (answer,) = handle(Service(lambda *_: output), {"id": "1", "input": INPUT})
    assert error_of(answer)["code"] == "bad_result"


def test_a_result_over_the_limit_says_what_to_do():
    (answer,) = handle(Service(lambda *_: "x" * 2000), {"id": "1", "input": INPUT}, max_result_bytes=1000)
    assert error_of(answer)["code"] == "result_too_large"
    assert "result_put_url" in error_of(answer)["hint"]


def test_a_result_over_the_limit_is_uploaded_where_the_caller_said():
    uploaded = []
    job = {"id": "1", "input": INPUT | {"result_put_url": "https://bucket.example.org/r?sig=1"}}
    (answer,) = handle(
        Service(lambda *_: "x" * 2000),
        job,
        max_result_bytes=1000,
        upload=lambda url, body, _: uploaded.append((url, body)),
    )
    assert answer == {"result_uploaded": True, "bytes": 2002}
    assert uploaded == [("https://bucket.example.org/r?sig=1", b'"' + b"x" * 2000 + b'"')]


def raiser(error):
    def fail(*_):
        raise error

    return fail


class TestAFailure:
    """Whether it was the recording's or the worker's: the service checks itself, and a sick worker makes way."""

    @pytest.mark.parametrize("error", [EngineError("model_failed", "No."), RuntimeError("CUDA error"), MemoryError()])
    @pytest.mark.parametrize("stage", ["prepare", "work"])
    def test_that_the_check_repeats_asks_for_another_worker_and_takes_no_more_jobs(self, error, stage):
        async def run():
            stages = {"work": lambda *_: "done", "prepare": lambda _: None, stage: raiser(error)}
            worker = Worker(Service(**stages, check=raiser(error)))
            assert worker.concurrency == 2
            answer = await worker.handle({"id": "1", "input": INPUT})
            assert worker.concurrency == 0
            return answer, await worker.handle({"id": "2", "input": INPUT})

        answer, later = asyncio.run(run())
        assert answer["refresh_worker"] is True
        assert later["refresh_worker"] is True
        assert (error_of(later)["code"], error_of(later)["status"]) == ("worker_sick", 500)

    def test_that_the_check_does_not_repeat_leaves_the_worker_at_work(self):
        checks = []

        async def run():
            worker = Worker(Service(raiser(EngineError("model_failed", "No.")), check=checks.append))
            return await worker.handle({"id": "1", "input": INPUT}), worker.concurrency

        answer, concurrency = asyncio.run(run())
        assert list(answer) == ["error"]
        assert concurrency == 2
        assert [failure.code for failure in checks] == ["model_failed"]

    @pytest.mark.parametrize("error", [InputError("bad", "No."), Cancelled()])
    def test_of_the_callers_own_is_no_reason_to_check(self, error):
        (answer,) = handle(Service(raiser(error), check=raiser(AssertionError())), {"id": "1", "input": INPUT})
        assert "refresh_worker" not in answer

    def test_is_checked_before_the_next_job_computes(self):
        computed = []

        def work(job, *_):
            computed.append(job.audio[-1])
            raise EngineError("model_failed", "No.")

        jobs = [{"id": name, "input": {"audio": f"https://example.org/{name}"}} for name in "abc"]
        answers = handle(Service(work, check=raiser(EngineError("model_failed", "Still."))), *jobs)
        assert len(computed) == 1
        assert all(answer["refresh_worker"] for answer in answers)

    def test_that_left_a_result_returns_it_and_asks_for_another_worker_all_the_same(self):
        doubtful = Doubtful({"text": "words without speakers"}, EngineError("model_failed", "No."))
        (answer,) = handle(Service(lambda *_: doubtful, check=raiser(MemoryError())), {"id": "1", "input": INPUT})
        assert answer == {"text": "words without speakers", "refresh_worker": True}

    def test_that_left_a_result_which_cannot_carry_the_wish_is_followed_by_one_that_can(self):
        async def run():
            doubtful = Doubtful("words without speakers", EngineError("model_failed", "No."))
            worker = Worker(Service(lambda *_: doubtful, check=raiser(MemoryError())))
            first = await worker.handle({"id": "1", "input": INPUT})
            assert worker.concurrency == 2  # it must still get a job to say it with
            second = await worker.handle({"id": "2", "input": INPUT})
            return first, second, worker.concurrency

        first, second, concurrency = asyncio.run(run())
        assert first == "words without speakers"
        assert second["refresh_worker"] is True
        assert concurrency == 0


class TestTheLog:
    def test_has_one_line_a_job_with_figures_and_no_content(self, caplog):
        def work(*_):
            time.sleep(0.02)
            return {"text": "Grüße aus dem Geheimnis"}

        with caplog.at_level(logging.INFO, "diarist.worker"):
            handle(Service(work), {"id": "job-7", "input": INPUT})
        (line,) = caplog.messages
        figures = dict(pair.split("=") for pair in line.split())
        assert (figures["job"], figures["ended"]) == ("job-7", "done")
        assert float(figures["compute_s"]) >= 0.02
        assert float(figures["rtf"]) == pytest.approx(float(figures["compute_s"]) / 10, abs=0.001)
        assert {"prepare_s", "wait_s", "total_s", "peak_mb"} <= figures.keys()
        assert (figures["audio_s"], figures["bytes_in"]) == ("10.000", "160000")
        assert int(figures["bytes_out"]) == len('{"text": "Grüße aus dem Geheimnis"}'.encode())
        assert "Geheimnis" not in line
        assert "example.org" not in line

    def test_names_the_accident_behind_an_engines_failure(self, caplog):
        def work(*_):
            try:
                raise KeyError("what was said")
            except KeyError as error:
                raise EngineError("engine_failed", "whisper failed.") from error

        with caplog.at_level(logging.INFO, "diarist.worker"):
            handle(Service(work), {"id": "job-7", "input": INPUT})
        assert "KeyError in work:" in caplog.text
        assert "ended=engine_failed" in caplog.text
        assert "what was said" not in caplog.text


@pytest.mark.parametrize("name", ["out of memory.mp3", "CUDA out of memory"])
def test_the_name_of_a_bad_recording_asks_for_no_new_worker(name):
    def prepare(_):
        raise InputError("audio_damaged", f"{name} is damaged: no sound can be decoded.", http_status=422)

    (answer,) = handle(Service(lambda *_: {}, prepare), {"id": "1", "input": INPUT})
    assert name in error_of(answer)["message"]
    assert "refresh_worker" not in answer


def test_one_computes_while_the_next_prepare():
    computing, most, prepared_while_computing = [], [], []

    def prepare(job):
        time.sleep(0.03)
        prepared_while_computing.append(bool(computing))

    def work(*_):
        computing.append(1)
        most.append(len(computing))
        time.sleep(0.1)
        computing.pop()
        return "done"

    jobs = [{"id": str(number), "input": INPUT} for number in range(6)]
    assert handle(Service(work, prepare), *jobs) == ["done"] * 6
    assert max(most) == 1
    assert any(prepared_while_computing)


@pytest.mark.parametrize(
    "jobs",
    [
        [{"id": "same", "input": INPUT}] * 2,
        [{"id": n, "input": INPUT | {"request_id": "mine"}} for n in "ab"],
    ],
)
def test_the_same_job_delivered_twice_is_done_once(jobs):
    count = []

    def work(*_):
        count.append(1)
        time.sleep(0.05)
        return {"text": "once"}

    assert handle(Service(work), *jobs) == [{"text": "once"}] * 2
    assert len(count) == 1


def test_a_request_id_used_for_another_recording_is_not_answered_with_the_first():
    jobs = [{"id": n, "input": {"audio": f"https://example.org/{n}", "request_id": "mine"}} for n in "ab"]
    assert handle(Service(lambda job, *_: job.audio[-1]), *jobs) == ["a", "b"]


def test_a_failed_job_may_be_tried_again():
    tries = []

    def work(*_):
        tries.append(1)
        if len(tries) == 1:
            raise EngineError("model_failed", "Once.")
        return "better"

    async def run():
        worker = Worker(Service(work))
        return [await worker.handle({"id": "1", "input": INPUT}) for _ in range(2)]

    first, second = asyncio.run(run())
    assert error_of(first)["code"] == "model_failed"
    assert second == "better"


@pytest.mark.parametrize(("audio", "times"), [("https://example.org/a.mp3", 2), ("volume:a.mp3", 2), ("aGVsbG8=", 1)])
def test_what_a_url_names_may_change_so_it_is_read_again_for_the_next_who_asks(audio, times):
    tries = []

    async def run():
        worker = Worker(Service(lambda *_: tries.append(1) or {"text": str(len(tries))}))
        question = {"audio": audio, "request_id": "mine"}
        return [await worker.handle({"id": job_id, "input": question}) for job_id in ("a", "a", "b", "b", "a")]

    first, again, other, other_again, late = asyncio.run(run())
    assert first == again == late
    assert other == other_again
    assert len(tries) == times


@pytest.mark.parametrize(
    ("warning", "times"),
    [
        ("Diarization failed, so words carry no speaker: out of memory", 2),
        ("call.mp3 is cut short.", 1),
        ("There may be 2 or 3 people: say how many with --speakers.", 1),
    ],
)
def test_words_that_lack_their_speakers_are_done_anew_when_asked_later_and_other_warnings_stand(warning, times):
    tries = []

    def work(*_):
        tries.append(1)
        return {"text": "words", "warnings": [warning] if len(tries) == 1 else []}

    async def run():
        worker = Worker(Service(work))
        jobs = [{"id": n, "input": {"audio": "aGVsbG8=", "request_id": "mine"}} for n in "abc"]
        return [await worker.handle(job) for job in jobs]

    first, second, third = asyncio.run(run())
    assert first["warnings"] == [warning]
    assert second["warnings"] == third["warnings"] == ([] if times == 2 else [warning])
    assert len(tries) == times


def test_cancelling_stops_the_engine_and_frees_the_slot():
    stopped = threading.Event()

    def work(job, prepared, report):
        if job.audio.endswith("next"):
            return "next"
        try:
            while True:
                report("transcription", 0.5)
                time.sleep(0.01)
        except Cancelled:
            stopped.set()
            raise

    async def run():
        worker = Worker(Service(work))
        task = asyncio.create_task(worker.handle({"id": "1", "input": INPUT}))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.wait_for(worker.handle({"id": "2", "input": {"audio": "https://example.org/next"}}), 5)

    assert asyncio.run(run()) == "next"
    assert stopped.is_set()


def test_who_joined_a_job_that_is_cancelled_does_it_alone():
    def work(job, prepared, report):
        for _ in range(20):
            report("transcription", 0.5)
            time.sleep(0.01)
        return "whole"

    async def run():
        worker = Worker(Service(work))
        first, second = (
            asyncio.create_task(worker.handle({"id": n, "input": INPUT | {"request_id": "mine"}})) for n in "ab"
        )
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await asyncio.wait_for(second, 5)

    assert asyncio.run(run()) == "whole"


def test_progress_never_arrives_after_the_result(monkeypatch):
    monkeypatch.setattr(progress_sender, "PROGRESS_SECONDS", 0.01)
    events = []

    async def send(job, output):
        await asyncio.sleep(0.05)  # a slow network
        events.append(output["progress"])

    def work(job, prepared, report):
        for step in range(20):
            report("transcription", step / 20)
            time.sleep(0.005)
        return "result"

    async def run():
        events.append(await Worker(Service(work), send_progress=send).handle({"id": "1", "input": INPUT}))
        await asyncio.sleep(0.2)

    asyncio.run(run())
    assert len(events) >= 2
    assert events[-1] == "result"
