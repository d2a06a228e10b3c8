"""Whatever a proxy or a captive portal answers in the platform's name, it is read within bounds."""

import contextlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from diarist.model.errors import EndpointError
from diarist.runpod.deploy.api import RunpodApi


class Answer:
    """What a platform answers to everything: a beginning, and then up to 100 MB more of the same."""

    def __init__(self, status=200, head=b"", piece=b"x" * 100_000):
        self.status, self.head, self.piece, self.sent = status, head, piece, 0


@contextmanager
def answering(answer):
    """An API whose platform is on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(answer.status)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(answer.head)
                while answer.piece and answer.sent < 100_000_000:
                    self.wfile.write(answer.piece)
                    answer.sent += len(answer.piece)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            with RunpodApi("key", url, url) as api:
                yield api
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, "bad_answer"), (418, "runpod_refused")])
def test_an_answer_without_end_is_left(status, code):
    answer = Answer(status)
    with answering(answer) as api, pytest.raises(EndpointError) as caught:
        api.endpoints()
    assert caught.value.code == code
    assert len(str(caught.value)) < 500
    assert answer.sent < 60_000_000


@pytest.mark.parametrize("status", [200, 418])
def test_one_nested_without_end_is_no_answer(status):
    with answering(Answer(status, b"[" * 1_000_000, b"")) as api, pytest.raises(EndpointError):
        api.endpoints()


def test_a_log_whose_line_does_not_end_is_left():
    answer = Answer(head=b'data: {"line": "ready"}\n')
    with answering(answer) as api:
        assert api.log_tail("endpoint", "worker") == ["ready"]
    assert answer.sent < 60_000_000


def test_what_a_refusal_says_is_still_told():
    said = b'{"title": "No", "detail": "the pool is full"}'
    with answering(Answer(418, said, b"")) as api, pytest.raises(EndpointError, match="the pool is full"):
        api.endpoints()
