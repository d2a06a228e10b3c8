"""``diarist bench`` as users type it. That it measures: `tests/planning/test_measure.py`."""

import random
import wave

import pytest


@pytest.fixture
def recording(tmp_path):
    """Write a recording of so many seconds."""

    def write(seconds):
        with wave.open(str(tmp_path / "meeting.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(random.Random(0).randbytes(1000 * 2) * round(seconds * 8))
        return tmp_path / "meeting.wav"

    return write


@pytest.mark.parametrize("seconds", [0.5, 29, 60, 119.5])
def test_too_short_a_recording_is_refused_before_a_model_is_loaded(diarist, recording, tmp_path, seconds):
    """Two lengths inside one of Whisper's windows of 30 s take the same time, and a plan would believe the noise."""
    done = diarist("bench", recording(seconds), "--model", "no-such-model", "--profile", tmp_path / "here.json")
    assert done.returncode == 2
    assert done.stdout == ""
    problem, hint = done.stderr.strip().splitlines()
    assert "meeting.wav is shorter than 2 minutes" in problem
    assert "longer recording" in hint
    assert not (tmp_path / "here.json").exists()


def test_two_minutes_are_enough(diarist, recording):
    done = diarist("bench", recording(120), "--model", "no-such-model")
    assert done.returncode == 4
    assert "shorter" not in done.stderr
    assert "no-such-model" in done.stderr  # it came as far as loading


@pytest.mark.parametrize("content", [None, b"", b"no sound in here"])
def test_what_is_no_recording_is_refused_before_a_model_is_loaded(diarist, tmp_path, content):
    path = tmp_path / "meeting.wav"
    if content is not None:
        path.write_bytes(content)
    done = diarist("bench", path, "--model", "no-such-model")
    assert done.returncode == 2
    assert "no-such-model" not in done.stderr
    assert "Traceback" not in done.stderr
