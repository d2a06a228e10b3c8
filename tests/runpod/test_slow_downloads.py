"""Hosts that drip hold no worker: a job that is cancelled lets go of its download at once."""

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from diarist.audio.transport import encode_flac
from diarist.runpod.emulator.emulator import emulate

from .conftest import sound


@pytest.fixture
def dripping():
    """A host that promises a recording, and sends next to nothing for two minutes."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not stop.wait(5):
                self.wfile.write(b"x")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # it is hung up on
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/call.wav"
        stop.set()
        server.shutdown()


def test_cancelled_jobs_leave_the_worker_to_others(dripping, handlers):
    with emulate("single", handlers=handlers, env={"DIARIST_STUB_OPEN": "1"}) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=60) as client:

            def submit(audio):
                return client.post("/run", json={"input": {"audio": audio}}).json()["id"]

            slow = [submit(f"{dripping}?{number}") for number in range(2)]
            deadline = time.monotonic() + 60
            while {client.get(f"/status/{job}").json()["status"] for job in slow} != {"IN_PROGRESS"}:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(1)  # the downloads are under way
            quick = submit(base64.b64encode(encode_flac(sound(100))).decode())
            assert client.get(f"/status/{quick}").json()["status"] == "IN_QUEUE"  # the worker holds as many as it may
            for job in slow:
                client.post(f"/cancel/{job}")
            cancelled = time.monotonic()
            while client.get(f"/status/{quick}").json()["status"] != "COMPLETED":
                assert time.monotonic() - cancelled < 25, "the worker still downloads"
                time.sleep(0.05)
            log = emulator.workers[0].log.read_text()
    assert log.count("ended=cancelled") == 2
