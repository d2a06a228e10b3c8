"""Many recordings in one job: each for itself, in order, and what fails or does not fit fails alone."""

import asyncio
import json
import threading

import pytest

from diarist.jobs.runner import Worker
from diarist.model.errors import EngineError

from .test_runner import Service, error_of, handle


def job(*recordings, **more):
    return {"id": "1", "input": {"recordings": [{"audio": audio} for audio in recordings], **more}}


def echo(job, *_):
    return {"text": f"{job.audio} in {job.language}"}


def test_results_come_in_the_order_of_the_recordings_and_say_what_was_asked_for_all_or_for_one():
    asked = {"id": "1", "input": {"recordings": [{"audio": "YQ=="}, {"audio": "Yg==", "language": "de"}]}}
    asked["input"]["language"] = "en"
    (answer,) = handle(Service(echo), asked)
    assert answer == {"results": [{"output": {"text": "YQ== in en"}}, {"output": {"text": "Yg== in de"}}]}


def test_one_that_is_wrong_or_fails_does_not_spoil_the_others():
    def work(job, *_):
        if job.audio == "Yg==":
            raise EngineError("engine_failed", "It broke.")
        return job.audio

    asked = job("YQ==", "Yg==", "Yw==")
    asked["input"]["recordings"].append({"audio": "ZA==", "langauge": "en"})
    (answer,) = handle(Service(work), asked)
    outcomes = [result.get("output") or result["error"]["code"] for result in answer["results"]]
    assert outcomes == ["YQ==", "engine_failed", "Yw==", "unknown_field"]
    assert answer["results"][3]["error"]["hint"] == "Did you mean 'language'?"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"recordings": []}, "recordings"),
        ({"recordings": "YQ=="}, "recordings"),
        ({"recordings": ["YQ=="]}, "recordings"),
        ({"recordings": [{"audio": "YQ=="}] * 101}, "recordings"),
        ({"recordings": [{"recordings": [{"audio": "YQ=="}]}]}, "recordings"),
        ({"recordings": [{"audio": "YQ=="}], "stream": True}, "stream"),
        ({"recordings": [{"audio": "YQ=="}], "result_put_url": 5}, "result_put_url"),
    ],
)
def test_what_is_no_list_of_recordings_is_refused_by_field(value, field):
    (answer,) = handle(Service(echo), {"id": "1", "input": value})
    assert error_of(answer)["field"] == field
    assert error_of(answer)["status"] == 422


def test_no_more_are_prepared_at_once_than_the_worker_would_hold_jobs():
    here, most, lock = 0, 0, threading.Lock()

    def change(by):
        nonlocal here, most
        with lock:
            here += by
            most = max(most, here)

    def work(*_):
        change(-1)
        return "done"

    handle(Service(work, prepare=lambda _: change(1)), job(*["YQ=="] * 20))
    assert most <= 2


def test_results_that_do_not_fit_are_errors_and_the_others_come():
    asked = job("YQ==", "Yg==", "Yw==")
    (answer,) = handle(
        Service(lambda job, *_: "x" * 2000 if job.audio == "Yg==" else job.audio), asked, max_result_bytes=1000
    )
    outcomes = [result.get("output") or result["error"]["code"] for result in answer["results"]]
    assert outcomes == ["YQ==", "result_too_large", "Yw=="]
    assert len(json.dumps(answer)) < 1000


def test_each_may_say_where_its_own_large_result_goes_and_the_job_where_all_go():
    uploaded = []
    options = {"max_result_bytes": 1000, "upload": lambda url, body, _: uploaded.append((url, len(body)))}
    own = {"id": "1", "input": {"recordings": [{"audio": "YQ==", "result_put_url": "https://b.example.org/1"}]}}
    (answer,) = handle(Service(lambda *_: "x" * 2000), own, **options)
    assert answer == {"results": [{"output": {"result_uploaded": True, "bytes": 2002}}]}
    whole = job("YQ==", "Yg==", result_put_url="https://b.example.org/all")
    (answer,) = handle(Service(lambda *_: "x" * 600), whole, **options)
    assert answer == {"result_uploaded": True, "bytes": uploaded[1][1]}
    assert [url for url, _ in uploaded] == ["https://b.example.org/1", "https://b.example.org/all"]


def test_the_platform_hears_how_many_are_done_and_nothing_of_the_parts(monkeypatch):
    monkeypatch.setattr("diarist.jobs.progress_sender.PROGRESS_SECONDS", 0.0)
    sent = []

    async def send(job, output):
        sent.append((job["id"], output))

    handle(Service(echo), job("YQ==", "Yg=="), send_progress=send)
    assert {name for name, _ in sent} == {"1"}
    assert {stage for _, output in sent for stage in output["progress"]} == {"recordings"}


def test_a_job_delivered_twice_is_done_once_and_a_failed_part_once_more():
    done = []

    def work(job, *_):
        done.append(job.audio)
        if job.audio == "Yg==" and done.count("Yg==") == 1:
            raise EngineError("engine_failed", "It broke.")
        return job.audio

    async def run():
        worker = Worker(Service(work))
        await asyncio.gather(worker.handle(job("YQ==")), worker.handle(job("YQ==")))
        assert done == ["YQ=="]
        again = {**job("YQ==", "Yg=="), "id": "2"}
        first, second = await worker.handle(again), await worker.handle(again)
        return first, second

    first, second = asyncio.run(run())
    assert "error" in first["results"][1]
    assert second["results"] == [{"output": "YQ=="}, {"output": "Yg=="}]
    assert done == ["YQ==", "YQ==", "Yg==", "Yg=="]  # the one that went well was not done again
