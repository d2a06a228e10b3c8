"""A connection that never gets to the point ends, and costs little until then."""

import asyncio
import json
import socket
from contextlib import suppress

import pytest

from diarist.server.admission import Admission
from diarist.server.connections import Connection

WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Hasty(Connection):
    head_seconds = 0.3


@pytest.fixture
def connect(serve):
    """Connect to a server that answers after twice the time that a head may take."""

    async def app(scope, receive, send):
        await asyncio.sleep(0.6)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    port = serve(Admission(app), http=Hasty, ws="none", lifespan="off", timeout_keep_alive=60)
    opened = []

    def connect():
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def until_closed(connection):
    told = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            told += piece
    return told


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_head_that_does_not_come_ends_the_connection(connect, sent):
    connection = connect()
    connection.sendall(sent)
    assert until_closed(connection) == b""


def test_a_head_that_comes_in_drops_ends_it_too(connect):
    connection = connect()
    connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    connection.settimeout(0.05)
    told = None
    while told != b"":
        try:
            connection.sendall(b"a")
            told = connection.recv(1)
        except TimeoutError:  # nothing yet, and it is still open
            continue
        except (ConnectionResetError, BrokenPipeError):
            break


def test_an_answer_may_take_longer_and_the_next_request_begins_anew(connect):
    connection = connect()
    for _ in range(2):
        connection.sendall(WHOLE)
        told = b""
        while not told.endswith(b"ok"):
            told += connection.recv(65536)
        assert told.startswith(b"HTTP/1.1 200")
    connection.sendall(WHOLE[:-2])
    assert until_closed(connection) == b""


@pytest.mark.parametrize(
    "sent", [b"no http at all\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_answered_in_the_shape_of_all_errors(connect, sent):
    connection = connect()
    connection.sendall(sent)
    head, _, body = until_closed(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"x-request-id: req_" in head
    assert json.loads(body)["error"]["code"] == "bad_http"


def test_a_head_that_never_ends_is_not_taken_in(connect):
    connection = connect()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000_000)
