"""Engines of other packages, in workers: by the names in ``DIARIST_MODEL`` and ``DIARIST_DIARIZER``."""

import json
import os
import subprocess
import sys
import wave

import pytest


@pytest.mark.timeout(200)
@pytest.mark.parametrize("architecture", ["single", "split"])
def test_a_worker_finds_them(architecture, parrots, tmp_path):
    recording = tmp_path / "quiet.wav"
    with wave.open(str(recording), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 3 * 16_000))
    names = {"DIARIST_MODEL": "parrot:green", "DIARIST_DIARIZER": "perch:any"}
    done = subprocess.run(
        [sys.executable, "-m", "diarist", "emulate", architecture, "--transcribe", str(recording), "-f", "json"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, **names, "PYTHONPATH": os.pathsep.join([str(parrots), *filter(None, sys.path)])},
    )
    assert done.returncode == 0, done.stderr
    assert [segment["speaker"] for segment in json.loads(done.stdout)["segments"]] == [
        "SPEAKER_00",
        "SPEAKER_01",
        "SPEAKER_00",
    ]
