"""Webhooks: who submitted a job is called at its end, signed as Standard Webhooks says, by real servers on loopback."""

import base64
import contextlib
import itertools
import json
import secrets
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
import standardwebhooks

from diarist.audio.url_rules import UrlRules
from diarist.jobs.job import NewJob
from diarist.jobs.sqlite_store import SQLiteJobStore
from diarist.server.webhooks import Caller, check_secret

OPEN = UrlRules(allow_http=True, allow_private=True)
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
DAY = 86_400


class Receiver:
    """Takes calls and answers each as ``statuses`` say, the last one for ever."""

    def __init__(self, *statuses):
        self.calls = []
        self.came = threading.Event()
        statuses = list(statuses or (204,))

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["content-length"]))
                self.calls.append((handler.path, dict(handler.headers.items()), body))
                handler.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                handler.send_header("location", "/elsewhere")
                handler.send_header("content-length", "0")
                handler.end_headers()
                self.came.set()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=SECRET"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = []

    def receiver(*statuses):
        made.append(Receiver(*statuses))
        return made[-1]

    yield receiver
    for each in made:
        each.close()


def submit(client, wav, **fields):
    return client.post("/v1/jobs", files={"file": ("talk.wav", wav)}, data=fields)


class TestCalls:
    def test_the_end_of_a_job_is_told_signed_and_without_a_word_of_it(self, start, scripted, receiver, wav):
        client, hook = start(scripted, rules=OPEN), receiver()
        job = submit(client, wav(), webhook_url=hook.url, webhook_secret=SECRET).json()["id"]
        assert hook.came.wait(20)
        ((path, headers, body),) = hook.calls
        assert path == "/hook?token=SECRET"
        assert headers["Content-Type"] == "application/json"
        event = standardwebhooks.Webhook(SECRET).verify(body, headers)
        assert event["type"] == "job.completed"
        assert event["data"] == {
            "id": job,
            "object": "job",
            "status": "completed",
            "url": f"{client.base_url}/v1/jobs/{job}",
            "result_url": f"{client.base_url}/v1/jobs/{job}/result",
            "transcript_url": f"{client.base_url}/v1/jobs/{job}/transcript",
        }
        assert client.get(event["data"]["transcript_url"]).status_code == 200
        assert b"morning" not in body
        assert b"talk" not in body

    def test_the_official_client_verifies_it(self, start, scripted, receiver, wav):
        client, hook = start(scripted, rules=OPEN), receiver()
        submit(client, wav(), webhook_url=hook.url, webhook_secret=SECRET)
        assert hook.came.wait(20)
        ((_, headers, body),) = hook.calls
        with openai.OpenAI(api_key="none", webhook_secret=SECRET) as official:
            assert official.webhooks.unwrap(body, headers).type == "job.completed"
            forged = body.replace(b"completed", b"failed")
            with pytest.raises(openai.InvalidWebhookSignatureError):
                official.webhooks.verify_signature(forged, headers)

    def test_failures_and_cancelled_jobs_are_told_too(self, start, scripted, receiver, wav):
        from diarist.model.errors import EngineError

        client, hook = start(scripted, rules=OPEN), receiver()
        scripted.failure = EngineError("engine_failed", "It broke.")
        submit(client, wav(), webhook_url=hook.url, webhook_secret=SECRET)
        assert hook.came.wait(20)
        assert json.loads(hook.calls[0][2])["type"] == "job.failed"
        hook.came.clear()
        scripted.go.clear()
        job = submit(client, wav(3), webhook_url=hook.url, webhook_secret=SECRET).json()["id"]
        client.post(f"/v1/jobs/{job}/cancel")
        assert hook.came.wait(20)
        event = json.loads(hook.calls[1][2])
        assert event["type"] == "job.cancelled"
        assert set(event["data"]) == {"id", "object", "status", "url"}

    def test_the_server_signs_for_who_brings_no_secret(self, start, scripted, receiver, wav):
        client, hook = start(scripted, rules=OPEN, webhook_secret=SECRET), receiver()
        assert submit(client, wav(), webhook_url=hook.url).status_code == 202
        assert hook.came.wait(20)
        standardwebhooks.Webhook(SECRET).verify(hook.calls[0][2], hook.calls[0][1])

    def test_a_call_that_was_due_when_the_server_stopped_is_made_by_the_next(self, start, scripted, receiver, wav):
        hook = receiver()
        scripted.go.clear()
        first = start(scripted, rules=OPEN)
        submit(first, wav(), webhook_url=hook.url, webhook_secret=SECRET)
        first.stop()
        assert hook.calls == []
        scripted.go.set()
        start(scripted, rules=OPEN)
        assert hook.came.wait(30)
        assert json.loads(hook.calls[0][2])["type"] == "job.completed"


class TestFields:
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"webhook_url": "https://example.org/hook"}, "webhook_secret"),
            ({"webhook_secret": SECRET}, "webhook_secret"),
            ({"webhook_url": "http://example.org/hook", "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "https://user:pass@example.org/", "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "file:///etc/passwd", "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "https://10.0.0.1/hook", "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "https://[::1]/hook", "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "https://169.254.169.254/", "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "https://" + "a" * 5000, "webhook_secret": SECRET}, "webhook_url"),
            ({"webhook_url": "https://example.org/", "webhook_secret": "short"}, "webhook_secret"),
            ({"webhook_url": "https://example.org/", "webhook_secret": "whsec_" + "A" * 200}, "webhook_secret"),
            ({"webhook_url": "https://example.org/", "webhook_secret": "whsec_ü"}, "webhook_secret"),
            (
                {"webhook_url": ["https://example.org/", "https://example.com/"], "webhook_secret": SECRET},
                "webhook_url",
            ),
        ],
    )
    def test_what_cannot_be_called_or_signed_is_refused_by_its_field(self, start, scripted, wav, fields, param):
        answer = submit(start(scripted), wav(), **fields)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param
        assert SECRET not in answer.text

    def test_secrets_are_taken_with_and_without_prefix_and_padding(self):
        for size in (24, 25, 26, 64):
            text = base64.b64encode(secrets.token_bytes(size)).decode()
            for written in (text, f"whsec_{text}", text.rstrip("=")):
                check_secret(written)

    def test_empty_fields_are_absent(self, start, scripted, wav):
        assert submit(start(scripted), wav(), webhook_url="", webhook_secret="").status_code == 202


class TestTries:
    """By a scripted clock: tries are told apart by what the store says is due."""

    @pytest.fixture
    def due(self, tmp_path):
        """A store with one ended job whose webhook goes to ``url``, and its clock."""

        def due(url, rules=OPEN, secret=SECRET):
            clock = [1_000_000.0]
            store = SQLiteJobStore(tmp_path / "jobs.db", clock=lambda: clock[0])
            target = json.dumps({"url": url, "secret": secret, "server": "https://notes.example"})
            job, _ = store.add(NewJob(owner="", request="{}", digest="d", webhook=target))
            store.fail(store.lease(job.id, "w", 60), '{"code": "x"}')
            return store, clock, Caller(store, rules, clock=lambda: clock[0])

        return due

    def test_eight_in_a_day_each_pause_longer_than_the_one_before(self, due, receiver):
        hook = receiver(500)
        store, clock, caller = due(hook.url)
        tried = []
        for _ in range(3 * DAY):
            for webhook in store.due(hold=10):
                tried.append(clock[0])
                caller.call(webhook)
            if len(tried) > len(hook.calls) or clock[0] > 1_000_000 + 2 * DAY:
                break
            clock[0] += 5
        assert len(hook.calls) == len(tried) == 8
        assert tried[-1] - tried[0] == pytest.approx(DAY, abs=60)
        pauses = [after - before for before, after in itertools.pairwise(tried)]
        assert pauses == sorted(pauses)
        ids = {headers["webhook-id"] for _, headers, _ in hook.calls}
        assert len(ids) == 1
        assert ids.pop().startswith("msg_")

    def test_one_that_arrived_is_not_made_again(self, due, receiver):
        hook = receiver(503, 200)
        store, clock, caller = due(hook.url)
        for _ in range(100):
            for webhook in store.due(hold=10):
                caller.call(webhook)
            clock[0] += 3600
        assert len(hook.calls) == 2

    @pytest.mark.parametrize("status", [301, 302, 400, 404, 429, 500])
    def test_any_answer_but_success_is_tried_again_and_no_redirect_followed(self, due, receiver, status):
        hook = receiver(status, 200)
        store, clock, caller = due(hook.url)
        for _ in range(3):
            for webhook in store.due(hold=10):
                caller.call(webhook)
            clock[0] += 30
        assert [path for path, _, _ in hook.calls] == ["/hook?token=SECRET"] * 2

    def test_who_says_gone_is_left_alone(self, due, receiver):
        hook = receiver(410)
        store, clock, caller = due(hook.url)
        for _ in range(20):
            for webhook in store.due(hold=10):
                caller.call(webhook)
            clock[0] += 7200
        assert len(hook.calls) == 1

    def test_nobody_inside_is_called(self, due, receiver, caplog):
        hook = receiver()
        store, clock, caller = due(
            hook.url.replace("127.0.0.1", "intern.example"),
            UrlRules(allow_http=True, resolve=lambda host, port: ["127.0.0.1"]),
        )
        for webhook in store.due(hold=10):
            caller.call(webhook)
        clock[0] += DAY
        assert hook.calls == []
        assert store.due() == ()
        assert "url_refused" in caplog.text
        assert "SECRET" not in caplog.text

    def test_no_connection_is_tried_again(self, due):
        store, clock, caller = due("http://127.0.0.1:9/")
        for webhook in store.due(hold=10):
            caller.call(webhook)
        clock[0] += 10
        assert [webhook.tries for webhook in store.due()] == [1]


@pytest.mark.slow
def test_a_receiver_that_never_answers_does_not_hold_up_the_others(start, scripted, receiver, wav, monkeypatch):
    monkeypatch.setattr("diarist.jobs.outbound.CALL_SECONDS", 600)
    hook, gave_up = receiver(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def listen():
            connection, _ = silent.accept()
            with connection, contextlib.suppress(OSError):
                while connection.recv(1 << 16):
                    pass
            gave_up.set()

        listening = threading.Thread(target=listen)
        listening.start()
        client = start(scripted, rules=OPEN)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        submit(client, wav(), webhook_url=url, webhook_secret=SECRET)
        submit(client, wav(3), webhook_url=hook.url, webhook_secret=SECRET)
        assert hook.came.wait(60)
        assert not gave_up.is_set()
        client.stop()
        listening.join()
