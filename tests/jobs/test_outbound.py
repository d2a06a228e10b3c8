"""Large results go where the caller said: against real servers on loopback that answer as they like."""

import socket
import threading
import time

import pytest

from diarist.audio.url_rules import UrlRules
from diarist.jobs import outbound
from diarist.jobs.wire_errors import FieldError

OPEN = UrlRules(allow_http=True, allow_private=True)


class Bucket:
    """Takes one upload; ``answer`` is given the connection once all of it has come."""

    def __init__(self, answer):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/key?signature=SECRET"
        self.request = b""
        self.thread = threading.Thread(target=self._serve, args=(answer,), daemon=True)
        self.thread.start()

    def _serve(self, answer):
        with self.server:
            connection, _ = self.server.accept()
        with connection:
            while b"{}" not in self.request:
                self.request += connection.recv(1 << 16)
            try:
                answer(connection)
            except OSError:
                self.left = True

    def put(self, **options):
        outbound.put(self.url, b"{}", OPEN, **options)


def say(text):
    return lambda connection: connection.sendall(text)


def test_a_result_is_put_whole_and_signed():
    bucket = Bucket(say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    bucket.put()
    assert bucket.request.startswith(b"PUT /key?signature=SECRET HTTP/1.1\r\n")
    assert b"Content-Length: 2\r\n" in bucket.request


def test_an_answer_without_end_is_not_read():
    sent = 0

    def pour(connection):
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 200_000_000:
            connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
            sent += 1 << 16

    bucket = Bucket(pour)
    bucket.put()
    bucket.thread.join(30)
    assert bucket.left
    assert sent < 100_000_000


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\n", b"HTTP/1.1 307 X\r\n\r\n"]
)
def test_a_refusal_is_told_without_the_signature(answer):
    with pytest.raises(FieldError, match=r"answers [43]0") as caught:
        Bucket(say(answer)).put()
    assert caught.value.field == "result_put_url"
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 "])
def test_a_server_that_breaks_off_is_told(answer):
    with pytest.raises(FieldError, match="no connection"):
        Bucket(say(answer)).put()


def test_a_server_that_drips_is_left_at_the_deadline(monkeypatch):
    monkeypatch.setattr(outbound, "MAX_SECONDS", 1.0)

    def drip(connection):
        for letter in b"HTTP/1.1 200 OK\r\nA: " + bytes(1000):
            connection.sendall(bytes([letter]))
            time.sleep(0.1)

    with pytest.raises(FieldError, match="no connection"):
        Bucket(drip).put()
