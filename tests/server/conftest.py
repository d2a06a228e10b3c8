"""Real servers on real sockets: applications behind the door, in a thread of their own."""

import asyncio
import io
import json
import shutil
import socket
import subprocess
import threading
import time
import wave
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn

from diarist.audio.recording import as_recording
from diarist.model.errors import Cancelled
from diarist.model.options import Options
from diarist.model.progress import ignore
from diarist.model.transcript import ModelInfo, Segment, Transcript, Turn, Word
from diarist.pipelines.base import Pipeline
from diarist.pipelines.bridge import in_thread
from diarist.server.app import Server, Settings
from diarist.server.connections import Connection

NODE_PACKAGE = "openai@6.49.0"


@contextmanager
def serving(app, **settings):
    """Serve an ASGI application on 127.0.0.1; gives its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, **settings))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve():
    """Serve an application for one test: ``serve(app)`` gives its port."""
    with ExitStack() as stack:
        yield lambda app, **settings: stack.enter_context(serving(app, **settings))


class Scripted(Pipeline):
    """A place whose work takes until the test lets it end, and that counts how often it was asked."""

    knows_voices = False

    def __init__(self):
        self.begun = []
        self.stopped = 0
        self.go = threading.Event()
        self.go.set()
        self.failure = None

    async def atranscribe(self, recording, options=Options(), progress=ignore, *, naming=None, heard=None):
        recording = as_recording(recording)
        self.begun.append(recording.name)
        try:
            return await in_thread(lambda report: self._work(recording, options, report, heard), progress)
        except Cancelled:
            self.stopped += 1
            raise

    def _work(self, recording, options, report, heard):
        if recording.has_bytes:
            with recording.open(report):
                pass
        while not self.go.wait(0.01):
            report("transcription", 0.5)
        if self.failure is not None:
            raise self.failure
        words = tuple(
            Word(start, start + 0.4, text, 0.9, speaker=f"SPEAKER_0{place % 2}" if options.diarize else None)
            for place, (start, text) in enumerate([(0.0, "Hello"), (0.5, "there."), (1.0, "Good"), (1.5, "morning.")])
        )
        for word in words if heard is not None else ():
            heard([word])
        turns = tuple(Turn(w.start, w.end, w.speaker) for w in words) if options.diarize else ()
        return Transcript(
            duration=2.0,
            language="en",
            speakers=("SPEAKER_00", "SPEAKER_01") if options.diarize else (),
            segments=tuple(Segment(w.start, w.end, w.speaker, w.text, (w,)) for w in words),
            turns=turns,
            models=(ModelInfo("transcription", "scripted", None, "tests"),),
        )


@pytest.fixture
def scripted():
    pipeline = Scripted()
    yield pipeline
    pipeline.go.set()


@contextmanager
def starting(state):
    """Give a function that starts whole servers around a pipeline and gives clients, which can ``stop()`` them."""
    with ExitStack() as stack:

        def start(pipeline, **settings):
            server = Server(Settings(**{"state": state, **settings}), lambda progress: pipeline)
            running = stack.enter_context(ExitStack())
            port = running.enter_context(serving(server.app, http=Connection, ws="none"))
            client = running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120))
            client.stop = running.close
            client.desk = server.house.desk
            while client.get("/health").status_code == 503:
                time.sleep(0.01)
            return client

        yield start


@pytest.fixture
def start(tmp_path):
    """Start servers for one test; they share a state folder."""
    with starting(tmp_path / "state") as start:
        yield start


@pytest.fixture(scope="module")
def start_module(tmp_path_factory):
    """Start servers for the tests of one module."""
    with starting(tmp_path_factory.mktemp("server") / "state") as start:
        yield start


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """Run a script with Node and the openai package: ``node(script, *arguments)`` gives its JSON."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node with npm on this machine")
    folder = tmp_path_factory.mktemp("node")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NODE_PACKAGE]
    done = subprocess.run(install, capture_output=True, text=True, timeout=240)
    if done.returncode:
        pytest.skip(f"the npm registry did not give the openai package: {done.stderr.strip()[-200:]}")

    def run(script, *arguments):
        (folder / "script.mjs").write_text(script)
        command = ["node", str(folder / "script.mjs"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def scripted_class():
    """For tests that need a pipeline of their own."""
    return Scripted


@pytest.fixture(scope="session")
def wav():
    """A recording that is decoded in a moment."""

    def wav(seconds=2.0, rate=16_000, value=b"\x00\x01"):
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(value * int(seconds * rate))
        return buffer.getvalue()

    return wav
