"""What is said, and when, if a platform cannot be reached, refuses, stalls or answers nonsense: real sockets."""

import asyncio
import contextlib
import email.utils
import socket
import threading
import time

import anyio
import pytest

from diarist.model.errors import EndpointError, EngineError, InputError
from diarist.runpod.client import connect
from diarist.runpod.limits import Limits

from .test_client import DONE, QUEUED, QUICK, RUNNING, Platform, hang_up, refuse, run_job, use

SHORT = Limits(deadline=2.0, execution=60.0, poll_first=0.01, poll_most=0.05)


def at(url, *, limits=SHORT, size=10, **session):
    """Run a job at an address; returns what was noted."""
    notes = []

    async def run():
        async with connect("key", base_url=url, note=notes.append, **session) as endpoint:
            await endpoint("ep", "The endpoint").run({"audio": "x" * size}, limits)

    try:
        asyncio.run(run())
    except EndpointError as error:
        return error, notes
    raise AssertionError("it gave a result")


class Listener:
    """Accepts connections and does no more with them than ``treat`` says."""

    def __init__(self, treat):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/v2"
        self.held = []
        threading.Thread(target=self._accept, args=(treat,), daemon=True).start()

    def _accept(self, treat):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.held.append(connection)
            treat(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
        for connection in self.held:
            connection.close()


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/v2", "http://127.0.0.1:1/v2"])
def test_a_platform_that_cannot_be_reached_is_given_up_with_the_reason(url):
    error, notes = at(url, limits=Limits(deadline=60), give_up=1.0)
    assert error.code == "endpoint_unreachable"
    assert "cannot be reached: " in error.message
    assert len(error.message) > len("The endpoint cannot be reached: .")
    assert "network" in error.hint
    assert notes == []


def test_somebody_is_told_once_why_it_takes_longer():
    _, notes = at("http://127.0.0.1:1/v2", limits=Limits(deadline=60), give_up=4.0)
    assert len(notes) == 1
    assert notes[0].startswith("The endpoint: ")
    assert notes[0].endswith("; trying again.")


@pytest.mark.parametrize(
    ("status", "says"), [(429, "fewer requests (429)"), (500, "answers 500"), (503, "answers 503")]
)
def test_an_endless_refusal_is_named_when_the_deadline_passes(status, says):
    notes = []
    with pytest.raises(EndpointError) as caught:
        use(Platform(run=[refuse(status)]), lambda e: e.run({"audio": "x"}, Limits(deadline=4)), note=notes.append)
    assert says in caught.value.message
    assert caught.value.code == "endpoint_timeout"
    assert any(says in note for note in notes)


def test_trouble_while_waiting_is_named_too():
    with pytest.raises(EndpointError, match=r"no result in 2 s\. The last request failed: it answers 502\."):
        run_job(Platform(run=[QUEUED], status=[QUEUED, refuse(502)]), SHORT)


@pytest.mark.parametrize("ask", ["status", "cancel", "health"])
def test_a_short_question_is_not_asked_for_ever(ask, monkeypatch):
    monkeypatch.setattr("diarist.runpod.client.Endpoint._soon.__defaults__", (2.0,))
    platform = Platform(**{ask: [refuse(503)]})
    with pytest.raises(EndpointError, match="does not answer: it answers 503"):
        use(platform, lambda endpoint: getattr(endpoint, ask)(*(["job-1"] if ask != "health" else [])))


def test_a_stream_that_only_fails_ends_at_its_deadline():
    async def read(endpoint):
        return [piece async for piece in endpoint.stream("job-1", SHORT)]

    with pytest.raises(EndpointError, match="503"):
        use(Platform(stream=[refuse(503)]), read)


def test_a_connection_that_nobody_answers_on_is_named(monkeypatch):
    monkeypatch.setattr("diarist.runpod.calls._READ_SECONDS", 0.5)
    with Listener(lambda _: None) as listener:
        error, _ = at(listener.url, limits=Limits(deadline=30))
    assert error.code == "endpoint_silent"
    assert "no answer" in error.message


def test_an_upload_that_stalls_is_an_error_of_ours(monkeypatch):
    monkeypatch.setattr("diarist.runpod.calls._READ_SECONDS", 0.5)

    def read_little(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.recv(100)

    with Listener(read_little) as listener:
        error, _ = at(listener.url, limits=Limits(deadline=30), size=19_000_000)
    assert error.code == "endpoint_silent"
    assert "sending stalled" in error.message


@pytest.mark.parametrize(
    "noise", [b"", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b"SSH-2.0-x\r\n"]
)
def test_what_is_no_http_is_an_error_of_ours(noise):
    def babble(connection):
        connection.recv(100)
        connection.sendall(noise)
        connection.close()

    with Listener(babble) as listener:
        error, _ = at(listener.url, limits=Limits(deadline=30))
    assert error.code == "endpoint_silent"


def test_a_certificate_that_nobody_vouches_for_is_told_at_once(tmp_path):
    trustme = pytest.importorskip("trustme")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def greet(connection):
        with contextlib.suppress(ssl.SSLError, OSError):
            context.wrap_socket(connection, server_side=True)

    with Listener(greet) as listener:
        began = time.monotonic()
        error, _ = at(listener.url.replace("http:", "https:"), limits=Limits(deadline=60))
    assert "certificate" in error.message.lower()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [(402, "endpoint_unpaid", "402"), (409, "endpoint_conflict", "409"), (302, "endpoint_refused", "302")],
)
def test_refusals_by_number_have_their_own_story(status, code, says):
    platform = Platform(run=[refuse(status)])
    with pytest.raises(EndpointError, match=says) as caught:
        run_job(platform)
    assert caught.value.code == code
    assert platform.count("run") == 1


def test_a_refused_key_is_called_by_its_own_name_and_not_shown():
    async def echo(request):
        from aiohttp import web

        return web.json_response({"error": f"bad {request.headers['Authorization']}"}, status=400)

    with pytest.raises(EndpointError, match="CHILD_API_KEY") as caught:
        use(Platform(run=[refuse(401)]), lambda e: e.run({"audio": "x"}, QUICK), key_name="CHILD_API_KEY")
    with pytest.raises(EndpointError) as caught:
        use(Platform(run=[echo]), lambda e: e.run({"audio": "x"}, QUICK), key="rpa_0123456789")
    assert "rpa_0123456789" not in str(caught.value)


def test_space_around_a_key_does_no_harm():
    platform = Platform(run=[DONE])
    use(platform, lambda endpoint: endpoint.run({"audio": "x"}, QUICK), key="  rpa_0123\r\n")
    assert platform.asked[0][2]["Authorization"] == "Bearer rpa_0123"


@pytest.mark.parametrize("key", ["rpa_01\n23", "rpa_ключ", "rpa_01 23", "\ud800", "rpa_01\x0023", " ", "x" * 2000])
def test_what_is_no_key_is_refused_unseen(key):
    with pytest.raises(InputError, match="RUNPOD_API_KEY") as caught:
        use(Platform(), lambda endpoint: endpoint.run({"audio": "x"}, QUICK), key=key)
    assert key.strip() == "" or key not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_secret_that_was_not_filled_in_is_named():
    with pytest.raises(InputError, match="nobody filled in"):
        use(Platform(), lambda endpoint: endpoint.health(), key="{{ RUNPOD_SECRET_child }}")


def waited(*answers):
    platform = Platform(run=[*answers, DONE])
    began = time.monotonic()
    run_job(platform, Limits(deadline=30))
    return time.monotonic() - began


def test_a_server_may_ask_for_time_by_a_date():
    later = email.utils.formatdate(time.time() + 3, usegmt=True)
    assert waited(refuse(429, **{"Retry-After": later})) > 1.5


def test_pauses_grow_though_the_server_asks_for_none():
    times = []

    def refuse_and_note(request):
        times.append(time.monotonic())
        return refuse(429, **{"Retry-After": "0"})(request)

    run_job(Platform(run=[*[refuse_and_note] * 4, DONE]), Limits(deadline=30))
    assert times[3] - times[2] > times[1] - times[0]


@pytest.mark.parametrize("asked", ["soon", "-5", "9" * 400, "Fri, 99 Foo 2020", "1e9", "NaN"])
def test_an_odd_retry_after_is_passed_over(asked):
    assert waited(refuse(429, **{"Retry-After": asked})) < 10


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr("diarist.runpod.calls.MAX_ANSWER_BYTES", 1_000_000)
    sent = 0

    def pour(connection):
        nonlocal sent
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{")
        try:
            while sent < 300_000_000:
                sent += connection.send(b" " * (1 << 16))
        except OSError:
            pass

    with Listener(pour) as listener:
        error, _ = at(listener.url, limits=Limits(deadline=20))
    assert error.code == "endpoint_answer"
    assert "more than 1 MB" in error.message
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "answer",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"id": "1", "status": "FAILED", "error": %s}' % (b"[" * 900 + b"]" * 900)],
)
def test_an_answer_nested_without_end_is_an_error_of_ours(answer):
    async def nest(_):
        from aiohttp import web

        return web.Response(body=answer, content_type="application/json")

    with pytest.raises(EndpointError):
        run_job(Platform(run=[nest]))


def test_a_workers_error_nested_without_end_is_an_error_of_ours():
    failed = {"id": "job-1", "status": "FAILED", "error": "[" * 100_000}
    with pytest.raises(EndpointError, match="failed"):
        run_job(Platform(run=[QUEUED], status=[failed]))


async def never(request):
    await asyncio.sleep(60)


def test_a_cancel_that_hangs_does_not_extend_the_deadline():
    began = time.monotonic()
    with pytest.raises(EndpointError, match="no result in 2 s"):
        run_job(Platform(run=[QUEUED], status=[QUEUED], cancel=[never]), SHORT)
    assert time.monotonic() - began < 6


def test_a_submission_whose_caller_left_is_cancelled_once_its_id_is_known():
    async def slow(request):
        from aiohttp import web

        await asyncio.sleep(1)
        return web.json_response(QUEUED)

    platform = Platform(run=[slow], status=[QUEUED])

    async def leave(endpoint):
        with anyio.move_on_after(0.3):
            await endpoint.run({"audio": "x"}, QUICK)

    use(platform, leave)
    assert platform.count("cancel") == 1


def error(code, status):
    import json

    return {"id": "job-1", "status": "FAILED", "error": json.dumps({"code": code, "message": "M", "status": status})}


def test_a_failure_that_may_pass_is_tried_once_more():
    platform = Platform(run=[error("internal", 500), DONE])
    assert run_job(platform).output == {"text": "hello"}
    platform = Platform(run=[error("internal", 500)])
    with pytest.raises(Exception, match="M"):
        run_job(platform)
    assert platform.count("run") == 2


def test_a_job_that_failed_and_then_was_lost_tells_why_it_failed():
    platform = Platform(run=[error("internal", 500), {"id": "job-2", "status": "TIMED_OUT"}])
    with pytest.raises(EngineError, match="M"):
        run_job(platform)
    assert platform.count("run") == 2


@pytest.mark.parametrize(("code", "status"), [("result_too_large", 500), ("bad_result", 500), ("bad_field", 422)])
def test_a_failure_that_would_repeat_is_told_at_once(code, status):
    platform = Platform(run=[error(code, status)])
    with pytest.raises(Exception, match="M") as caught:
        run_job(platform)
    assert caught.value.code == code
    assert platform.count("run") == 1


def test_a_job_that_never_began_waited_behind_others():
    decoded = RUNNING | {"output": {"progress": {"decode": 1.0}}}
    with pytest.raises(EndpointError, match="waited behind others") as caught:
        run_job(Platform(run=[QUEUED], status=[decoded, {"id": "job-1", "status": "TIMED_OUT"}]))
    assert caught.value.code == "job_lost"
    assert "more workers" in caught.value.hint
    with pytest.raises(EndpointError, match=r"no result in 2 s\. It waited behind others"):
        run_job(Platform(run=[QUEUED], status=[RUNNING]), SHORT)


def test_a_job_that_falls_silent_in_the_middle_of_its_work_is_submitted_once_more():
    halves = [RUNNING | {"output": {"progress": {"transcription": done}}} for done in (0.4, 0.5)]
    platform = Platform(run=[QUEUED, DONE], status=halves, cancel=[{}])
    notes = []
    limits = Limits(deadline=30, execution=60, silence=0.5, poll_first=0.01, poll_most=0.05)
    result = use(platform, lambda endpoint: endpoint.run({"audio": "x"}, limits), note=notes.append)
    assert result.output == {"text": "hello"}
    assert [kind for kind, *_ in platform.asked if kind != "status"] == ["run", "cancel", "run"]
    assert any("no news" in note for note in notes)


@pytest.mark.parametrize(
    "stages",
    [
        [{"transcription": 0.4}],  # a platform that passes on one
        [
            {"transcription": 0.4},
            {"transcription": 1.0, "diarization": 0.0},
        ],  # an engine that does not tell how far it is
        [{"decode": 0.4}, {"decode": 0.9}],  # a job that waits for another
    ],
)
def test_a_job_that_may_have_nothing_to_tell_is_left_alone(stages):
    first, *_, half = [RUNNING | {"output": {"progress": progress}} for progress in [*stages, stages[-1]]]
    limits = Limits(deadline=30, execution=60, silence=0.1, poll_first=0.05, poll_most=0.05)
    platform = Platform(run=[QUEUED], status=[first, *[half] * 10, DONE])
    assert use(platform, lambda endpoint: endpoint.run({"audio": "x"}, limits)).output == {"text": "hello"}
    assert platform.count("run") == 1


def asked(platform):
    return [body["input"]["request_id"] for kind, body, _ in platform.asked if kind == "run"]


def test_the_same_question_has_the_same_name_and_any_other_another():
    platform = Platform(run=[DONE])

    async def ask(endpoint):
        for question in (
            {"audio": "x", "language": "en"},
            {"language": "en", "audio": "x"},
            {"audio": "x", "language": "en", "result_put_url": "https://example.org/1"},
            {"audio": "x", "language": "de"},
            {"audio": "y", "language": "en"},
        ):
            await endpoint.run(question, QUICK)

    use(platform, ask)
    first, *others = asked(platform)
    assert others[:2] == [first, first]
    assert len({first, *others}) == 3


def test_a_job_that_nobody_waits_for_is_waited_for_instead_of_a_new_one():
    platform = Platform(run=[DONE], status=[RUNNING, {**DONE, "id": "old"}])
    result = use(platform, lambda endpoint: endpoint.run({"audio": "x"}, QUICK, resume="old"))
    assert result.job_id == "old"
    assert platform.count("run") == 0


@pytest.mark.parametrize("gone", [refuse(404), {"id": "old", "status": "CANCELLED"}, error("internal", 500)])
def test_where_that_job_is_gone_a_new_one_is_submitted(gone):
    platform = Platform(run=[DONE], status=[gone], cancel=[{}])
    result = use(platform, lambda endpoint: endpoint.run({"audio": "x"}, QUICK, resume="old"))
    assert result.job_id == "job-1"


def test_a_submission_that_loses_its_answer_twice_says_so():
    with pytest.raises(EndpointError, match="gave no answer: the connection broke") as caught:
        run_job(Platform(run=[hang_up]))
    assert caught.value.code == "endpoint_silent"
