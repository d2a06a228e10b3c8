"""Who is let in is decided before the body; those who are not still read why."""

import asyncio
import socket
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from diarist.server.admission import Admission, Bounds
from diarist.server.connections import Connection
from diarist.server.errors import Busy, add_handlers
from diarist.server.keys import Keys, Limits
from diarist.server.uploads import read_form

PATH = "/v1/audio/transcriptions"
MB = 1_000_000


class Note(BaseModel):
    text: str


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "uploads"


@pytest.fixture
def keys(tmp_path):
    with Keys(tmp_path / "state") as keys:
        yield keys


@pytest.fixture
def app(folder):
    """An application that reads forms, notes, and says who asks."""
    app = FastAPI()
    add_handlers(app)

    @app.post(PATH)
    async def transcribe(request: Request):
        with await read_form(request, folder=folder) as form:
            return {"text": f"{form.files[0].num_bytes} bytes"}

    @app.post("/notes")
    async def note(note: Note):
        return {"letters": len(note.text)}

    @app.get("/who")
    @app.get("/web/page.js")
    @app.get("/health")
    @app.delete("/jobs")
    @app.post("/jobs")
    async def who(request: Request):
        return {"name": request.state.caller and request.state.caller.name}

    return app


@pytest.fixture
def open_door(serve, app, keys):
    """Serve the application behind the door: ``open_door(…)`` gives a client without a key."""
    clients = []

    def serve_it(http=Connection, **settings):
        port = serve(Admission(app, **{"keys": keys} | settings), http=http)
        clients.append(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
        return clients[-1]

    yield serve_it
    for client in clients:
        client.close()


@pytest.fixture
def client(open_door):
    return open_door()


@pytest.fixture
def anna(keys):
    """The header of a key."""
    return {"authorization": f"Bearer {keys.add('anna')}"}


@contextmanager
def connected(client):
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=60) as connection:
        yield connection


def until_closed(connection):
    told = b""
    while piece := connection.recv(65536):
        told += piece
    return told


def pieces(num_bytes):
    """A body that is sent in chunks, without a length."""
    for _ in range(0, num_bytes, 50_000):
        yield bytes(50_000)


def form(num_bytes):
    """A form with one file, in chunks."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    yield from pieces(num_bytes)
    yield b"\r\n--b--\r\n"


FORM = {"content-type": "multipart/form-data; boundary=b"}


# Keys


@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "authorization: bearer {}", "api-key: {}"])
def test_a_key_lets_in(client, keys, header):
    name, value = header.format(keys.add("anna")).split(": ")
    answer = client.get("/who", headers={name: value})
    assert answer.json() == {"name": "anna"}
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("header", ["Authorization: Token {}", "Authorization: {}", "Authorization: Bearer", "X: {}"])
def test_another_kind_of_credential_does_not(client, keys, header):
    name, _, value = header.format(keys.add("anna")).partition(": ")
    answer = client.get("/who", headers={name: value})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-request-id"].startswith("req_")


def test_no_key_is_in_an_answer_or_the_log(client, keys, caplog):
    key = keys.add("anna")
    keys.revoke("anna")
    with caplog.at_level("DEBUG", logger="diarist"):
        answer = client.get("/who", headers={"authorization": f"Bearer {key}"})
    assert key not in answer.text
    assert [record for record in caplog.records if record.name.startswith("diarist")] == []


def test_an_open_path_needs_no_key_and_its_neighbours_do(open_door, anna):
    client = open_door(open_paths=["/health", "/web/*"])
    for path in ("/health", "/web/page.js"):
        assert client.get(path).json() == {"name": None}
        assert client.get(path, headers=anna).json() == {"name": "anna"}
    for path in ("/who", "/health/", "/healthy", "/web", "/website", "/nowhere"):
        assert client.get(path).status_code == 401


def test_without_keys_all_are_let_in_whatever_they_send(open_door):
    client = open_door(keys=None)
    assert client.get("/who", headers={"authorization": "Bearer none"}).json() == {"name": ""}


# Before the body


@pytest.mark.parametrize("http", [Connection, "httptools"])
def test_openais_client_reads_that_its_key_is_bad_and_nothing_is_written(open_door, folder, http):
    ours = openai.OpenAI(api_key="bad", base_url=f"{open_door(http).base_url}/v1", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        ours.audio.transcriptions.create(model="whisper-1", file=bytes(8 * MB))
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id.startswith("req_")
    assert not folder.exists()


def written():
    """Bytes that this process, with the server in it, has given to disks."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["write_bytes"])


@pytest.mark.slow
def test_openais_client_reads_it_after_200_megabytes_and_less_than_one_is_written(client, folder, tmp_path):
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(200 * MB)
    ours = openai.OpenAI(api_key="bad", base_url=f"{client.base_url}/v1", max_retries=0)
    before = written()
    with pytest.raises(openai.AuthenticationError):
        ours.audio.transcriptions.create(model="whisper-1", file=large)
    assert written() - before < MB
    assert not folder.exists()


@pytest.mark.parametrize("http", [Connection, "httptools"])
def test_a_body_in_chunks_is_taken_in_before_the_answer(open_door, http):
    client = open_door(http)
    answer = client.post(PATH, content=form(5 * MB), headers=FORM)
    assert answer.status_code == 401
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("http", [Connection, "httptools"])
def test_an_answer_of_the_application_waits_for_the_body_too(open_door, anna, http):
    client = open_door(http)
    assert client.post("/nowhere", content=bytes(5 * MB), headers=anna).status_code == 404
    assert client.post(PATH, content=bytes(5 * MB), headers=anna).status_code == 415


@pytest.mark.parametrize("http", [Connection, "httptools"])
def test_who_asks_before_sending_is_not_told_to_send(open_door, http):
    with connected(open_door(http)) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 200000000\r\n\r\n"
        connection.sendall(head.encode())
        told = until_closed(connection)
    assert told.startswith(b"HTTP/1.1 401")


def test_who_announces_a_body_and_sends_none_is_answered_in_the_end(open_door):
    with connected(open_door(bounds=Bounds(drain_seconds=0.1))) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n".encode())
        told = until_closed(connection)
    assert told.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in told.lower()


@pytest.mark.parametrize("named", ["evil.example", "localhost.evil.example:80"])
def test_a_name_that_a_stranger_made_lead_here_is_refused_before_the_key_is_read(client, anna, named):
    answer = client.post(PATH, content=bytes(MB), headers=anna | {"host": named})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_host")


def test_a_form_that_another_sites_page_sends_is_refused(open_door, folder):
    client = open_door(keys=None)
    for sent in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = client.post(PATH, files={"file": bytes(MB)}, headers=sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
    assert not folder.exists()
    assert client.post(PATH, files={"file": b"a"}, headers={"origin": f"{client.base_url}"}).status_code == 200


# Sizes and paces


def test_a_length_that_is_too_much_is_refused_before_the_body(open_door, anna):
    with connected(open_door(bounds=Bounds(form_bytes=MB))) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000001\r\n"
        lines = [f"{name}: {value}\r\n" for name, value in (FORM | anna).items()]
        connection.sendall(f"{head}{''.join(lines)}\r\n".encode())
        told = until_closed(connection)
    assert told.startswith(b"HTTP/1.1 413")


def test_openais_client_reads_that_its_file_is_too_large(open_door, keys):
    client = open_door(bounds=Bounds(form_bytes=MB))
    ours = openai.OpenAI(api_key=keys.add("anna"), base_url=f"{client.base_url}/v1", max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        ours.audio.transcriptions.create(model="whisper-1", file=bytes(6 * MB))
    assert (caught.value.status_code, caught.value.code) == (413, "too_large")


@pytest.mark.parametrize("http", [Connection, "httptools"])
def test_a_body_without_a_length_is_cut_where_it_is_too_much(open_door, anna, folder, http):
    client = open_door(http, bounds=Bounds(form_bytes=2 * MB))
    assert client.post(PATH, content=form(MB), headers=FORM | anna).status_code == 200
    answer = client.post(PATH, content=form(3 * MB), headers=FORM | anna)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert list(folder.iterdir()) == []


def test_what_goes_to_memory_may_be_less_than_a_form(open_door, anna):
    client = open_door(bounds=Bounds(document_bytes=100_000))
    kind = {"content-type": "application/json"}
    assert client.post("/notes", json={"text": "a" * 90_000}, headers=anna).json() == {"letters": 90_000}
    answer = client.post("/notes", content=pieces(MB), headers=kind | anna)  # FastAPI sees a body that breaks off
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_body_that_stops_is_given_up_and_leaves_nothing(open_door, anna, folder):
    with connected(open_door(bounds=Bounds(idle_seconds=0.2, drain_seconds=0.1))) as connection:
        lines = [f"{name}: {value}\r\n" for name, value in (FORM | anna).items()]
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n{''.join(lines)}\r\n"
        connection.sendall(head.encode() + next(form(1)) + bytes(300_000))
        told = until_closed(connection)
    assert told.startswith(b"HTTP/1.1 408")
    assert list(folder.iterdir()) == []


def test_drops_buy_no_time_and_a_slow_line_has_enough():
    bounds = Bounds(idle_seconds=60, grace_seconds=60, bytes_per_second=1000)
    assert bounds.patience(0, 0) == 60
    assert bounds.patience(50, 5) == pytest.approx(10, abs=0.01)  # a byte every ten seconds
    assert bounds.patience(61, 6) <= 0
    assert bounds.patience(3600, 36_000_000) == 60  # an hour at 80 kbit/s


# Rates and room


def test_a_key_has_its_rate_and_what_begins_no_work_is_free(open_door, keys):
    clock = Clock()
    client = open_door(clock=clock)
    slow, other = ({"authorization": f"Bearer {keys.add(name, Limits(rpm=3))}"} for name in ("slow", "other"))
    assert [client.post("/jobs", headers=slow).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.post("/jobs", headers=slow)
    assert refused.headers["retry-after"] == "20"
    assert "x-should-retry" not in refused.headers
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert client.get("/who", headers=slow).status_code == 200
    assert client.delete("/jobs", headers=slow).status_code == 200
    assert client.post("/jobs", headers=other).status_code == 200
    clock.now += 20
    assert [client.post("/jobs", headers=slow).status_code for _ in range(2)] == [200, 429]
    clock.now += 3600
    assert [client.post("/jobs", headers=slow).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_changed_limit_holds_at_once(open_door, keys):
    client = open_door()
    keys.add("anna", Limits(rpm=1))
    keys.revoke("anna")
    again = {"authorization": f"Bearer {keys.add('anna')}"}
    assert {client.post("/jobs", headers=again).status_code for _ in range(5)} == {200}


def test_where_there_is_no_room_the_body_is_not_taken(open_door, anna, folder):
    asked = []

    async def room(caller, path):
        asked.append((caller.name, path))
        if path == PATH:
            raise Busy("queue_full", "200 jobs wait.", "Try again later.", retry_after=7)

    client = open_door(room=room)
    answer = client.post(PATH, files={"file": bytes(3 * MB)}, headers=anna)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert not folder.exists()
    assert client.post("/jobs", headers=anna).status_code == 200
    assert client.get("/who", headers=anna).status_code == 200
    assert asked == [("anna", PATH), ("anna", "/jobs")]


# Browsers


def test_a_browser_swaps_its_key_for_a_cookie_that_scripts_cannot_read(client, anna):
    answer = client.post("/session", headers=anna)
    assert answer.status_code == 204
    said = answer.headers["set-cookie"].lower()
    assert said.startswith("diarist_session=")
    assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} <= {part.strip() for part in said.split(";")}
    assert anna["authorization"].split()[1].lower() not in said
    assert client.get("/who").json() == {"name": "anna"}
    token = client.cookies["diarist_session"]
    own = {"origin": str(client.base_url).rstrip("/")}
    assert client.delete("/session", headers=own).status_code == 204
    assert client.get("/who").status_code == 401
    assert client.get("/who", headers={"cookie": f"diarist_session={token}"}).status_code == 401


def test_a_cookie_begins_work_only_for_the_servers_own_page(client, anna):
    client.post("/session", headers=anna)
    own = {"origin": str(client.base_url).rstrip("/")}
    assert client.post("/jobs", headers=own).status_code == 200
    assert client.post("/jobs", headers={"sec-fetch-site": "same-origin"}).status_code == 200
    for sent in ({}, {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}):
        assert client.post("/jobs", headers=sent).status_code == 403
        assert client.delete("/session", headers=sent).status_code == 403
    assert client.get("/who").status_code == 200


def test_a_cookie_is_not_swapped_for_another(client, anna):
    client.post("/session", headers=anna)
    answer = client.post("/session", headers={"sec-fetch-site": "same-origin"})
    assert "set-cookie" not in answer.headers


def test_a_bad_key_or_none_gets_no_cookie(client):
    for sent in (
        {},
        {"authorization": "Bearer bad"},
        {"cookie": "diarist_session=bad"},
        {"cookie": 'a["x]; =; diarist_session'},
    ):
        answer = client.post("/session", headers=sent)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


def test_a_cookie_that_another_program_set_does_not_hide_ours(client, anna):
    client.post("/session", headers=anna)
    token = client.cookies.pop("diarist_session")
    sent = {"cookie": f'a b={{"c": [1]}}; ="; diarist_session={token}; d'}
    assert client.get("/who", headers=sent).json() == {"name": "anna"}


def test_a_revoked_key_signs_its_browsers_out(client, anna, keys):
    client.post("/session", headers=anna)
    keys.revoke("anna")
    assert client.get("/who").status_code == 401


def asgi(app, scope):
    """Run one request without a server; gives what was sent."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_over_tls_the_cookie_is_sent_over_tls_only(app, keys, anna):
    headers = [(b"host", b"localhost"), (b"authorization", anna["authorization"].encode())]
    scope = {"type": "http", "method": "POST", "path": "/session", "scheme": "https", "headers": headers}
    start, *_ = asgi(Admission(app, keys=keys), scope)
    assert b"Secure" in dict(start["headers"])[b"set-cookie"]


def test_there_are_no_websockets(app):
    assert [sent["type"] for sent in asgi(Admission(app), {"type": "websocket", "path": "/"})] == ["websocket.close"]
