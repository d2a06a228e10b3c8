"""``diarist app``: the page on this computer, with a transcript from a file."""

import json
import os
import signal
import subprocess
import sys
import wave
from contextlib import contextmanager

import httpx
import pytest

from diarist.model import codec
from diarist.model.transcript import Segment, Transcript, Word


@pytest.fixture
def meeting(tmp_path):
    """A transcript, and its recording beside it."""
    word = Word(0.0, 1.0, "Hello", 0.9, "Ada")
    transcript = Transcript(
        duration=2.0,
        language="en",
        speakers=("Ada",),
        segments=(Segment(0.0, 1.0, "Ada", "Hello", (word,)),),
        turns=(),
        models=(),
    )
    (tmp_path / "meeting.json").write_text(json.dumps(codec.dump(transcript)))
    with wave.open(str(tmp_path / "meeting.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(64000))
    return tmp_path / "meeting.json"


@contextmanager
def app(tmp_path, *arguments):
    """Run it; gives the address that it says, as people copy it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "diarist", "app", "--no-browser", "--state", str(tmp_path / "state"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in process.stdout:
            if "http://" in line:
                yield line.partition("http://")[2].split()[0]
                break
    finally:
        os.kill(process.pid, signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
    assert "Traceback" not in rest


@pytest.mark.models
def test_a_transcript_is_opened_beside_its_recording_and_again_at_the_same_address(tmp_path, meeting):
    with app(tmp_path, str(meeting)) as address:
        host, _, job = address.partition("/#/")
        assert host.startswith("127.0.0.1:")
        told = httpx.get(f"http://{host}/v1/jobs/{job}").json()
        assert (told["status"], told["name"], told["recording"]) == ("completed", "meeting.wav", True)
        assert "<main" in httpx.get(f"http://{host}/").text
    with app(tmp_path, str(meeting)) as again:
        assert again == address  # a browser keeps by address what it has not sent


def test_what_is_no_transcript_is_refused_before_anything_is_loaded(tmp_path):
    (tmp_path / "notes.json").write_text("{}")
    said = subprocess.run(
        [sys.executable, "-m", "diarist", "app", "--state", str(tmp_path / "state"), str(tmp_path / "notes.json")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 2
    assert said.stderr.startswith("error: ")
    assert not (tmp_path / "state").exists()
