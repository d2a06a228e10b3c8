"""The command line as users run it: a process of its own."""

import json
import subprocess
import sys

import pytest

from diarist.model import codec
from diarist.model.transcript import Segment, Transcript, Turn, Word
from diarist.weights.fetch import ensure


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory):
    """What diarist remembers of its own files is kept apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def diarist():
    """Run ``diarist …`` and return the finished process."""

    def run(*arguments, **options):
        command = [sys.executable, "-m", "diarist", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)

    return run


@pytest.fixture(scope="session")
def call():
    """A real telephone call: two speakers, 30 s."""
    return ensure("sample-telephone") / "sample.wav"


@pytest.fixture(scope="session")
def two_people():
    """A transcript of four seconds: SPEAKER_00 says good morning, SPEAKER_01 hello."""
    words = (
        Word(0.5, 1.0, "Good", 0.9, "SPEAKER_00"),
        Word(1.0, 1.5, "morning.", 0.9, "SPEAKER_00"),
        Word(2.5, 3.0, "Hello.", 0.8, "SPEAKER_01"),
    )
    return Transcript(
        duration=4.0,
        language="en",
        speakers=("SPEAKER_00", "SPEAKER_01"),
        segments=(
            Segment(0.5, 1.5, "SPEAKER_00", "Good morning.", words[:2]),
            Segment(2.5, 3.0, "SPEAKER_01", "Hello.", words[2:]),
        ),
        turns=(Turn(0.4, 1.6, "SPEAKER_00"), Turn(2.4, 3.1, "SPEAKER_01")),
        models=(),
    )


@pytest.fixture(scope="session")
def save(two_people):
    """Write that transcript's JSON to a path, and return the path."""

    def write(path):
        path.write_text(json.dumps(codec.dump(two_people), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return path

    return write
