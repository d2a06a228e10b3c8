"""The endpoint client against a real HTTP server that answers as the platform may: late, wrongly, or not at all."""

import asyncio
import contextlib
import itertools
import socket
import time

import anyio
import pytest
from aiohttp import web

from diarist.model.errors import EndpointError, InputError
from diarist.runpod.client import connect
from diarist.runpod.emulator.control_plane import serve
from diarist.runpod.limits import Limits
from diarist.runpod.watching import pause

QUICK = Limits(deadline=5.0, execution=1.0, grace=0.1, sync_wait=0.0, poll_first=0.01, poll_most=0.05)
DONE = {"id": "job-1", "status": "COMPLETED", "output": {"text": "hello"}, "delayTime": 20, "executionTime": 1500}
QUEUED = {"id": "job-1", "status": "IN_QUEUE"}
RUNNING = {"id": "job-1", "status": "IN_PROGRESS"}


class Platform:
    """Answers each kind of request with the next of its script, the last one for ever."""

    def __init__(self, **script):
        self.script = {kind: list(answers) for kind, answers in script.items()}
        self.asked = []

    async def answer(self, request):
        kind = request.path.split("/")[3]
        self.asked.append((kind, await request.json() if request.can_read_body else None, request.headers))
        answers = self.script.get(kind, [{}])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response(answer)

    def count(self, kind):
        return sum(1 for asked, *_ in self.asked if asked == kind)


def refuse(status, **headers):
    async def answer(request):
        return web.json_response({"error": "no"}, status=status, headers=headers)

    return answer


async def hang_up(request):
    request.transport.abort()
    return web.Response()


def use(platform, action, key="key", **session):
    """Run ``action(endpoint)`` against the platform."""

    async def run():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", platform.answer)
        listener = socket.create_server(("127.0.0.1", 0))
        runner = await serve(app, listener)
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
        try:
            async with connect(key, base_url=url, **session) as endpoint:
                return await action(endpoint("ep", "The endpoint"))
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def run_job(platform, limits=QUICK, **options):
    return use(platform, lambda endpoint: endpoint.run({"audio": "x"}, limits, **options))


def test_a_job_is_submitted_and_looked_at_until_done():
    platform = Platform(run=[QUEUED], status=[QUEUED, RUNNING, DONE])
    result = run_job(platform)
    assert (result.output, result.queued, result.executed) == ({"text": "hello"}, 0.02, 1.5)
    kind, body, headers = platform.asked[0]
    assert kind == "run"
    assert headers["Authorization"] == "Bearer key"
    assert body["input"]["audio"] == "x"
    assert len(body["input"]["request_id"]) == 64
    assert body["policy"] == {"executionTimeout": 5000, "ttl": 10000}


def test_a_short_job_is_answered_by_its_submission():
    platform = Platform(runsync=[DONE])
    assert run_job(platform, Limits(sync_wait=2.0)).output == {"text": "hello"}
    assert [kind for kind, *_ in platform.asked] == ["runsync"]


def test_progress_is_passed_on_and_before_it_comes_each_look_is_told():
    seen = []
    progress = RUNNING | {"output": {"progress": {"transcription": 0.5}}}
    run_job(Platform(run=[QUEUED], status=[progress, DONE]), on_progress=lambda stages: seen.append(dict(stages)))
    assert seen == [{}, {"transcription": 0.5}]


@pytest.mark.parametrize("trouble", [refuse(429), refuse(500), refuse(502), refuse(503, **{"Retry-After": "0"})])
def test_refusals_that_pass_are_tried_again(trouble):
    platform = Platform(run=[trouble, QUEUED], status=[trouble, trouble, DONE])
    assert run_job(platform).output == {"text": "hello"}
    assert platform.count("run") == 2


def test_a_server_that_asks_for_time_gets_it():
    platform = Platform(run=[refuse(429, **{"Retry-After": "1"}), DONE])
    began = time.monotonic()
    run_job(platform)
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [(401, "endpoint_key", "API key"), (404, "endpoint_missing", "does not exist"), (400, "endpoint_refused", "400: ")],
)
def test_refusals_that_stay_are_told_at_once(status, code, says):
    platform = Platform(run=[refuse(status)])
    with pytest.raises(EndpointError, match=says) as caught:
        run_job(platform)
    assert caught.value.code == code
    assert platform.count("run") == 1


def test_the_workers_own_words_are_kept():
    error = '{"code": "audio_empty", "message": "It is empty.", "hint": "Record it.", "status": 422, "field": "audio"}'
    with pytest.raises(InputError, match="It is empty") as caught:
        run_job(Platform(run=[QUEUED], status=[{"id": "job-1", "status": "FAILED", "error": error}]))
    assert (caught.value.code, caught.value.field) == ("audio_empty", "audio")


@pytest.mark.parametrize(
    "odd",
    [
        {"status": ["IN_PROGRESS"]},
        {"status": None},
        {"status": "IN_PROGRESS", "output": {"progress": {"a": 10**400, "b": "1", "c": None, "d": -1, "e": [1]}}},
        {"status": "IN_PROGRESS", "output": {"progress": [1]}},
        {"status": "IN_PROGRESS", "output": "half"},
    ],
)
def test_an_odd_answer_in_between_does_no_harm(odd):
    done = DONE | {"delayTime": 10**400, "executionTime": "soon"}
    seen = []
    result = run_job(Platform(run=[QUEUED], status=[odd, done]), on_progress=lambda stages: seen.append(dict(stages)))
    assert (result.queued, result.executed) == (None, None)
    assert not any(seen)


LOST = {
    "completed without output": [{"id": "job-1", "status": "COMPLETED"}],
    "stopped by the platform": [{"id": "job-1", "status": "TIMED_OUT"}],
    "forgotten": [refuse(404)],
    "in a worker for ever": [RUNNING],
}


@pytest.mark.parametrize("answers", LOST.values(), ids=LOST)
def test_a_lost_job_is_cancelled_then_submitted_once_more(answers):
    # The first attempt's looks are lost; the second submission is answered at once.
    platform = Platform(run=[QUEUED, DONE], status=list(answers), cancel=[{"status": "CANCELLED"}])
    assert run_job(platform).output == {"text": "hello"}
    kinds = [kind for kind, *_ in platform.asked if kind != "status"]
    assert kinds == ["run", "cancel", "run"]
    first, second = (body["input"]["request_id"] for kind, body, _ in platform.asked if kind == "run")
    assert first == second


def test_a_job_that_is_lost_twice_is_an_error():
    platform = Platform(run=[QUEUED], status=[{"id": "job-1", "status": "COMPLETED"}])
    with pytest.raises(EndpointError, match="lost the job twice") as caught:
        run_job(platform)
    assert caught.value.code == "job_lost"
    assert platform.count("run") == 2


def test_a_submission_without_an_answer_is_made_once_more():
    platform = Platform(run=[hang_up, DONE])
    assert run_job(platform).output == {"text": "hello"}
    assert platform.count("run") == 2


def test_looking_goes_on_when_the_connection_breaks():
    assert run_job(Platform(run=[QUEUED], status=[hang_up, hang_up, DONE])).output == {"text": "hello"}


def test_the_deadline_holds_and_the_job_is_cancelled():
    platform = Platform(run=[QUEUED], status=[QUEUED])
    began = time.monotonic()
    with pytest.raises(EndpointError, match="no result in 1 s") as caught:
        run_job(platform, Limits(deadline=0.6, poll_first=0.01))
    assert time.monotonic() - began < 2
    assert caught.value.http_status == 504
    assert platform.count("cancel") == 1


def test_a_caller_who_gives_up_cancels_the_job():
    platform = Platform(run=[QUEUED], status=[QUEUED])

    async def give_up(endpoint):
        with contextlib.suppress(TimeoutError), anyio.fail_after(0.2):
            await endpoint.run({"audio": "x"}, QUICK)

    use(platform, give_up)
    assert platform.count("cancel") == 1


def test_a_request_over_the_limit_is_not_sent():
    platform = Platform(run=[DONE])
    with pytest.raises(EndpointError, match="20 MB") as caught:
        use(platform, lambda endpoint: endpoint.run({"audio": "x" * 21_000_000}, QUICK))
    assert caught.value.http_status == 413
    assert "URL" in caught.value.hint
    assert platform.asked == []


def test_a_stream_gives_its_pieces_until_the_job_ends():
    platform = Platform(
        stream=[
            {"status": "IN_PROGRESS", "stream": [{"output": 1}, {"output": 2}]},
            {"status": "COMPLETED", "stream": [{"output": 3}]},
            {"status": "COMPLETED", "stream": []},
        ]
    )

    async def read(endpoint):
        return [piece async for piece in endpoint.stream("job-1", QUICK)]

    assert use(platform, read) == [1, 2, 3]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "TIMED_OUT"])
def test_a_stream_that_ends_badly_says_so(status):
    platform = Platform(stream=[{"status": status, "stream": []}])

    async def read(endpoint):
        return [piece async for piece in endpoint.stream("job-1", QUICK)]

    with pytest.raises(EndpointError):
        use(platform, read)


def test_pauses_grow_with_the_time_waited():
    limits = Limits()
    for waited, low, high in [(0, 0.04, 0.05), (10, 0.4, 0.5), (1000, 4.0, 5.0)]:
        assert all(low <= pause(waited, limits) <= high for _ in itertools.repeat(None, 50))
