"""Engines of other packages, on the command line."""

import json
import os
import sys
import wave

import pytest

from ..conftest import write_package


@pytest.fixture
def quiet(tmp_path):
    """Three seconds of silence."""
    path = tmp_path / "quiet.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 3 * 16_000))
    return path


def with_packages(*folders):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, folders), *filter(None, sys.path)])}


@pytest.mark.parametrize("model", ["parrot:green", "green"])
def test_a_recording_is_transcribed_by_them(diarist, parrots, quiet, model):
    done = diarist(
        "transcribe", quiet, "-f", "json", "--model", model, "--diarizer", "perch:any", env=with_packages(parrots)
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert [(s["speaker"], s["text"]) for s in made["segments"]] == [
        ("SPEAKER_00", "squawk"),
        ("SPEAKER_01", "squawk"),
        ("SPEAKER_00", "squawk"),
    ]
    assert [model["name"] for model in made["models"]] == ["green", "perch"]


def test_their_models_are_listed_after_ours(diarist, parrots):
    listed = json.loads(diarist("models", "list", "--json", env=with_packages(parrots)).stdout)
    models = {model["name"]: model for model in listed}
    assert list(models)[-3:] == ["parrot:green", "parrot:grey", "perch:MODEL"]
    assert models["parrot:grey"].keys() == models["whisper-base"].keys()
    assert models["parrot:grey"]["task"] == "transcription"
    assert models["parrot:grey"]["attribution"] == "the package parrots 1.2"
    lines = diarist("models", "list", env=with_packages(parrots)).stdout.splitlines()
    assert lines[-1].split("\t") == ["perch:MODEL", "diarization", "perch", "", "", "parrots 1.2"]


def test_one_that_cannot_be_imported_is_named_in_one_line(diarist, tmp_path, quiet):
    folder = write_package(
        tmp_path / "site",
        "broken",
        "0.3",
        "import parts_that_nobody_has",
        "[diarist.transcribers]\nbroken = broken:E\n",
    )
    done = diarist("transcribe", quiet, "--model", "broken:any", env=with_packages(folder))
    assert done.returncode == 4
    assert done.stderr.startswith("error: The engine 'broken' of the package broken 0.3 cannot be imported")
    assert "Traceback" not in done.stderr
    listed = diarist("models", "list", env=with_packages(folder))
    assert listed.returncode == 0
    assert "whisper-base" in listed.stdout
    assert listed.stderr.count("broken 0.3") == 1
    checked = diarist("doctor", env=with_packages(folder))
    assert checked.returncode == 0
    assert "! engine: The engine 'broken' of the package broken 0.3 cannot be imported" in checked.stdout


def test_doctor_names_them(diarist, parrots):
    assert (
        "engine: parrot:MODEL for transcription, of parrots 1.2" in diarist("doctor", env=with_packages(parrots)).stdout
    )
