"""A real ``diarist serve`` in a process of its own, around engines that do what files in a folder say."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
import wave

import httpx

from ..conftest import write_package

# Every recording is known by its number of samples. A file die-PLACE-SAMPLES in the folder $SCRIPT ends the process
# there as a loss of power would: once, or always if it holds that word.
ENGINES = """
import os
import signal
import sqlite3
import time
from pathlib import Path

from diarist import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.engines import Engine
from diarist.jobs.sqlite_store import SQLiteJobStore

SCRIPT = Path(os.environ["SCRIPT"])


def note(what, audio):
    with open(SCRIPT / "log", "ab", buffering=0) as log:
        log.write(f"{what} {samples(audio)}\\n".encode())


def samples(audio):
    return round(audio.duration * 16_000)


def die(place):
    flag = SCRIPT / f"die-{place}"
    if flag.exists():
        if flag.read_text() != "always":
            flag.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


add = SQLiteJobStore.add


def add_or_die(store, new):
    die("before-row")
    return add(store, new)


SQLiteJobStore.add = add_or_die


class Words:
    model = ModelInfo("transcription", "words", "r1", "tests")

    def transcribe(self, audio, options=None, progress=None):
        die(f"words-{samples(audio)}")
        note("words", audio)
        while (SCRIPT / "wait").exists():
            progress("transcription", 0.5)
            time.sleep(0.02)
        for window in range(5):
            progress("transcription", window / 5)
            time.sleep(0.01)
        words = (Word(0.1, 0.5, f"said-in-{samples(audio)}", 0.9),)
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model)


class Speakers:
    model = ModelInfo("diarization", "speakers", "r1", "tests")

    def diarize(self, audio, options=None, progress=None):
        note("speakers", audio)
        if (SCRIPT / f"die-speakers-{samples(audio)}").exists():
            jobs = sqlite3.connect(os.environ["JOBS"])
            while not jobs.execute("SELECT 1 FROM parts WHERE name = 'transcription'").fetchone():
                progress("diarization", 0.1)
                time.sleep(0.02)
            die(f"speakers-{samples(audio)}")
        turns = (Turn(0.0, audio.duration, "SPEAKER_00"),)
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model)


WORDS = Engine(lambda model, *, device, threads, progress: Words(), models=("scripted",))
SPEAKERS = Engine(lambda model, *, device, threads, progress: Speakers())
"""
ENTRIES = "[diarist.transcribers]\nwords = scripted:WORDS\n[diarist.diarizers]\nspeakers = scripted:SPEAKERS\n"


def recording(samples):
    """A recording of so many samples at 16 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(b"\x00\x01" * samples)
    return buffer.getvalue()


class RealServer:
    """Starts and ends processes that share a state folder.

    Attributes:
        state: their folder.
        script: what the engines read.
        process: the one that runs, or ran last.
        url: its address.
    """

    def __init__(self, folder):
        self.state, self.script = folder / "state", folder / "script"
        self.process, self.url = None, ""
        self._clients = contextlib.ExitStack()
        self._folder, self._package = folder, folder / "package"
        write_package(self._package, "scripted", "1.0", ENGINES, ENTRIES)
        self.script.mkdir()

    def start(self, *arguments, **environ):
        """Start a process, and wait until it answers with warm engines; gives a client."""
        path = os.pathsep.join([str(self._package), *filter(None, sys.path)])
        with (self._folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "diarist", "serve", "--state", str(self.state), "--port", "0"),
                    *("--model", "words:scripted", "--diarizer", "speakers:any", *arguments),
                ],
                env={
                    **os.environ,
                    "PYTHONPATH": path,
                    "SCRIPT": str(self.script),
                    "JOBS": str(self.state / "jobs.db"),
                    **environ,
                },
                cwd=self._folder,
                stdout=said,
                stderr=said,
            )
            begun = said.tell()
        while "listens on" not in (new := self.said()[begun:]):
            assert self.process.poll() is None, new
            time.sleep(0.02)
        self.url = new.split("listens on ")[1].split(";")[0]
        client = self._clients.enter_context(httpx.Client(base_url=self.url, timeout=120))
        while client.get("/ping").status_code != 200:
            assert self.process.poll() is None
            time.sleep(0.02)
        return client

    def kill(self):
        """As a loss of power would."""
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL

    def stop(self):
        """Tell it to end, and wait until it has."""
        self.process.terminate()
        assert self.process.wait(60) == 0

    def said(self):
        """All that any of the processes printed."""
        return (self._folder / "said").read_text()

    def begun(self, leg):
        """The recordings that a leg's engine was given, by their samples."""
        lines = (self.script / "log").read_text().split("\n")
        return [int(line.split()[1]) for line in lines if line.startswith(leg)]

    def memory(self):
        """Bytes that the process has in memory."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self):
        """Let nothing run on."""
        self._clients.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def real_server(folder):
    """Give a `RealServer` whose last process ends with the block."""
    server = RealServer(folder)
    try:
        yield server
    finally:
        server.end()


def submit(client, samples, **fields):
    """Submit a job with a recording of so many samples; gives its id once it was accepted."""
    answer = client.post("/v1/jobs", files={"file": (f"{samples}.wav", recording(samples))}, data=fields)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def ended(client, job):
    """Wait for a job's end; gives the job."""
    while True:
        found = client.get(f"/v1/jobs/{job}").json()
        if found["status"] not in ("queued", "running"):
            return found
        time.sleep(0.05)
