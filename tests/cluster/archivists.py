"""An engine for archives, as another package would bring it, and the commands that use it.

What it does with a recording is written in the recording: 3 s of one level, which says what happens.
Levels are loud enough to be left as they are.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
import wave
from pathlib import Path

ENGINE = '''
"""Says of a recording how loud it is, and notes what it begins; some loudnesses do harm."""

import os
import resource
import signal
import time

from diarist import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.engines import Engine

NOTES = os.environ["SCRIPTED_NOTES"]


def note(what):
    handle = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{what}\\n".encode())
    os.close(handle)


class Scripted:
    model = ModelInfo("transcription", "scripted", "r1", "scripted 1.0")

    def transcribe(self, audio, options=None, progress=None):
        level = round(float(audio.samples[0]) * 32768)
        note(f"begun {level}")
        time.sleep(float(os.environ.get("SCRIPTED_SECONDS", "0")))
        if level == 5001:
            os.kill(os.getpid(), signal.SIGSEGV)
        if level == 5002:
            time.sleep(3600)
        if level == 5003:
            resource.setrlimit(resource.RLIMIT_AS, (3 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
            held = bytearray(64 << 30)
        if level == 5004:
            raise ZeroDivisionError("by the recording")
        words = tuple(Word(at + 0.1, at + 0.9, f"level{level}", 0.9) for at in range(int(audio.duration)))
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model)


class Alone:
    model = ModelInfo("diarization", "alone", "r1", "scripted 1.0")

    def diarize(self, audio, options=None, progress=None):
        turns = (Turn(0, audio.duration, "SPEAKER_00"),)
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model)


def load(model, *, device, threads, progress):
    note(f"loaded {os.getpid()}")
    return Scripted()


SCRIPTED = Engine(load, models=("scripted",))
ALONE = Engine(lambda model, *, device, threads, progress: Alone())
'''
ENTRIES = (
    "[diarist.transcribers]\nscripted = scripted_engine:SCRIPTED\n[diarist.diarizers]\nalone = scripted_engine:ALONE\n"
)
SEGFAULTS, HANGS, EATS_MEMORY, RAISES = 5001, 5002, 5003, 5004
ENGINES = ("--model", "scripted:scripted", "--diarizer", "alone:alone")


def install(folder):
    """Write the engine's package into a folder, as pip would unpack it."""
    metadata = folder / "scripted_engine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted_engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRIES)
    (folder / "scripted_engine.py").write_text(ENGINE)
    return folder


def record(path, level, seconds=3):
    """Write a recording of one level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(level.to_bytes(2, "little") * (16_000 * seconds))
    return path


def wait_for(condition, seconds=120):
    """Wait until something has happened, which must not take long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


class Site:
    """A folder with recordings and one for transcripts, and ``diarist archive`` on them."""

    def __init__(self, folder, package):
        self.src, self.out, self.notes = folder / "src", folder / "out", folder / "notes"
        self.package = package
        self.src.mkdir()

    def command(self, *arguments):
        return [
            sys.executable,
            "-m",
            "diarist",
            "archive",
            str(self.src),
            str(self.out),
            *ENGINES,
            *map(str, arguments),
        ]

    def environment(self, **more):
        path = os.pathsep.join(filter(None, [str(self.package), os.environ.get("PYTHONPATH", "")]))
        return {**os.environ, "PYTHONPATH": path, "SCRIPTED_NOTES": str(self.notes), **more}

    def start(self, *arguments, preexec_fn=None, **environment):
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec_fn,
        )

    def run(self, *arguments, **options):
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=200)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def begun(self):
        """The levels of the recordings that an engine began, in order."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith("begun")]

    def loaded(self):
        """How often an engine was loaded."""
        return self.notes.read_text().count("loaded") if self.notes.exists() else 0

    def records(self):
        """All records, by recording."""
        found = (json.loads(file.read_text()) for file in self.out.glob(".diarist/??/*.json"))
        return {each["source"]: each for each in found}

    def digests(self):
        """What all transcripts say, by recording."""
        return {name: each["digest"] for name, each in self.records().items() if each["error"] is None}

    def files(self):
        """All that a person sees in OUT, with time and content."""
        return {
            str(file.relative_to(self.out)): (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
            for file in self.out.rglob("*")
            if file.is_file() and ".diarist" not in Path(file.relative_to(self.out)).parts
        }

    def drafts(self):
        """What is left of files that were being written, and of runs that were at work."""
        return [
            file.name
            for file in self.out.rglob("*")
            if file.name.startswith((".diarist-", "lease")) or file.suffix == ".intent"
        ]
