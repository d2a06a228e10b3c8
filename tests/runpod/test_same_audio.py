"""Words and turns of different recordings are never joined, nor words that cannot be where they say they are."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from diarist.audio.recording import Recording
from diarist.audio.transport import encode_flac
from diarist.model.errors import EndpointError
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.place import open_pipeline

from .conftest import sound

pytestmark = pytest.mark.slow

SHORT, LONG = (100, 200), (300, 400, 500)


@pytest.fixture
def fickle():
    """A URL that gives each caller what the test says, by the number of the request from 0."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = encode_flac(sound(*self.server.answer(next(self.server.requests))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = count()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def transcribe(architecture, emulator, server):
    url = f"http://127.0.0.1:{server.server_port}/call.flac"
    return open_pipeline(f"runpod:{architecture}", emulator.environ).transcribe(Recording("call", None, wire=url))


@pytest.mark.parametrize("architecture", ["split", "orchestrator"])
def test_a_url_that_gives_each_leg_another_recording_is_an_error_that_says_so(architecture, handlers, fickle):
    with emulate(architecture, handlers=handlers, env={"DIARIST_STUB_OPEN": "1"}) as emulator:
        fickle.answer = lambda request: SHORT if request % 2 else LONG
        with pytest.raises(EndpointError, match=r"read other audio \([23]\.0 s, .*\) than .* \([23]\.0 s") as caught:
            transcribe(architecture, emulator, fickle)
        assert caught.value.code == "different_recordings"
        legs = [job for job in emulator.jobs.all() if job.endpoint != "emulated-orchestrator"]
        assert len(legs) == 4  # it was tried once more

        # Of the same length, and yet another: the samples' number alone would not tell.
        fickle.answer = lambda request: (100, 200) if request % 2 else (300, 400)
        with pytest.raises(EndpointError, match="read other audio"):
            transcribe(architecture, emulator, fickle)


def test_a_url_whose_file_is_replaced_between_the_downloads_gives_the_new_one(handlers, fickle):
    with emulate("split", handlers=handlers, env={"DIARIST_STUB_OPEN": "1"}) as emulator:
        fickle.answer = lambda request: LONG if request == 0 else SHORT
        transcript = transcribe("split", emulator, fickle)
    assert transcript.text == "100 200"
    assert len(transcript.speakers) == 2


@pytest.mark.parametrize(("first", "problem"), [(996, "after the end of the recording"), (995, "not in order of time")])
def test_words_that_cannot_be_where_they_say_are_refused(first, problem, handlers):
    with emulate("split", handlers=handlers) as emulator:
        pipeline = open_pipeline("runpod:split", emulator.environ)
        with pytest.raises(EndpointError, match=problem):
            pipeline.transcribe(sound(first, 200))
