"""Whatever goes wrong, clients read one shape, and nothing that was private."""

import json
import logging

import httpx
import openai
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import Cancelled, EndpointError, EngineError, InputError, WeightsError
from diarist.server.admission import Admission
from diarist.server.errors import Busy, DiskFullError, add_handlers, error_response


def read(error, request_id="req_1"):
    answer = error_response(error, request_id)
    return answer.status_code, json.loads(answer.body)["error"], answer.headers


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InputError("audio_empty", "It is empty.", "Record it again."), 400, "invalid_request_error"),
        (InputError("too_large", "It is too large.", http_status=413), 413, "invalid_request_error"),
        (InputError("invalid_api_key", "No.", http_status=401), 401, "invalid_request_error"),
        (Busy("queue_full", "There is no room."), 429, "rate_limit_error"),
        (Busy("loading", "Models load.", http_status=503, retry_after=5), 503, "server_error"),
        (DiskFullError("disk_full", "The disk is full."), 507, "server_error"),
        (WeightsError("no_weights", "Files are missing."), 503, "server_error"),
        (EngineError("engine_failed", "It failed."), 500, "server_error"),
        (EndpointError("timeout", "It took too long.", http_status=504), 504, "server_error"),
        (Cancelled(), 499, "invalid_request_error"),
    ],
)
def test_every_error_of_the_tree_is_openais_json(error, status, kind):
    found, body, headers = read(error)
    assert (found, body["type"], body["code"]) == (status, kind, error.code)
    assert list(body) == ["message", "type", "param", "code"]
    assert body["message"] == str(error)
    assert headers["x-request-id"] == "req_1"


def test_a_field_at_fault_is_named_and_the_hint_is_part_of_the_message():
    error = FieldError("bad_count", "num_speakers is -1.", "Give 1 or more.", field="num_speakers", http_status=400)
    _, body, _ = read(error)
    assert body["param"] == "num_speakers"
    assert body["message"] == "num_speakers is -1. Give 1 or more."


@pytest.mark.parametrize(("pause", "told"), [(0.01, "1"), (4.2, "5"), (3600, "30")])
def test_a_client_waits_one_to_thirty_seconds(pause, told):
    _, _, headers = read(Busy("queue_full", "There is no room.", retry_after=pause))
    assert headers["retry-after"] == told
    assert "x-should-retry" not in headers


@pytest.mark.parametrize(
    "error", [Busy("hours_used", "No hours are left today."), EngineError("engine_failed", "It failed."), KeyError("a")]
)
def test_where_another_try_cannot_help_clients_are_told_so(error):
    _, _, headers = read(error)
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers


def test_of_an_error_that_nobody_foresaw_nothing_is_told():
    status, body, _ = read(KeyError("the secret words"))
    assert (status, body["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(body)


def test_a_message_is_one_line():
    _, body, _ = read(HTTPException(418, "two\nlines"))
    assert body["message"] == "two lines"


class Edit(BaseModel):
    revision: int


@pytest.fixture
def client(serve):
    app = FastAPI()
    add_handlers(app)

    @app.post("/edit")
    def edit(body: Edit):
        raise InputError("audio_empty", f"Revision {body.revision} is empty.", "Record it again.")

    @app.get("/count")
    def count(most: int):
        raise KeyError("the secret words")

    with httpx.Client(base_url=f"http://127.0.0.1:{serve(Admission(app))}") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code", "param"),
    [
        ("GET", "/nowhere", {}, 404, "not_found", None),
        ("GET", "/edit", {}, 405, "method_not_allowed", None),
        ("POST", "/edit", {"json": {"revision": "x"}}, 400, "bad_field", "revision"),
        ("POST", "/edit", {"json": {}}, 400, "bad_field", "revision"),
        ("POST", "/edit", {"content": "{", "headers": {"content-type": "application/json"}}, 400, "bad_request", None),
        ("POST", "/edit", {"json": {"revision": 3}}, 400, "audio_empty", None),
        ("GET", "/count?most=x", {}, 400, "bad_field", "most"),
        ("GET", "/count?most=1", {}, 500, "internal_error", None),
    ],
)
def test_a_route_answers_in_this_shape_whatever_is_wrong(client, method, path, sent, status, code, param):
    answer = client.request(method, path, **sent)
    body = answer.json()
    assert (answer.status_code, body["error"]["code"], body["error"]["param"]) == (status, code, param)
    assert list(body) == ["error"]
    assert answer.headers["x-request-id"].startswith("req_")


def test_the_methods_that_an_address_takes_are_told(client):
    answer = client.get("/edit")
    assert answer.headers["allow"] == "POST"
    assert "Use POST." in answer.json()["error"]["message"]


def test_the_log_has_the_place_of_what_nobody_foresaw_and_no_word_of_it(client, caplog):
    with caplog.at_level(logging.DEBUG):
        answer = client.get("/count?most=1")
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("diarist")]
    assert line.startswith(f"{answer.headers['x-request-id']}: KeyError in test_errors.py:")
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_openais_client_raises_its_own_error_with_our_reason(client):
    ours = openai.OpenAI(api_key="none", base_url=f"{client.base_url}", max_retries=0)
    with pytest.raises(openai.NotFoundError) as caught:
        ours.models.list()
    assert caught.value.code == "not_found"
    assert caught.value.request_id.startswith("req_")
    assert "There is nothing at this address." in str(caught.value)
