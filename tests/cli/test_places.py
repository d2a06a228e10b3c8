"""``--on PLACE``: what does not fit the place is refused in one line before anything is sent."""

import os

import pytest

BARE = {name: value for name, value in os.environ.items() if not name.startswith(("RUNPOD_", "DIARIST_"))}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--on", "mars"], "no place 'mars'"),
        (["--on", "runpod:split"], "DIARIZATION_ENDPOINT_ID"),
        (["--on", "runpod:single"], "RUNPOD_API_KEY"),
        (["--on", "runpod:single", "--model", "whisper-base"], "the endpoint has its own"),
        (["--on", "runpod:split", "--speakers-named"], "No voices are known"),
        (["--audio-store", "s3://bucket/prefix"], "for --on runpod:"),
    ],
)
def test_what_does_not_fit_the_place_is_refused(diarist, call, tmp_path, arguments, says):
    done = diarist("transcribe", call, *arguments, env=BARE, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_following_people_needs_a_place_that_returns_voices(diarist, call, tmp_path):
    env = {**BARE, "RUNPOD_API_KEY": "key", "RUNPOD_ENDPOINT_ID": "endpoint"}
    done = diarist("transcribe", call, "--on", "runpod:single", "--same-speakers", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert "need voices, which runpod:single does not return" in done.stderr


def test_names_need_known_voices(diarist, call, tmp_path):
    done = diarist(
        "transcribe", call, "--speakers-named", env={**BARE, "DIARIST_VOICES": str(tmp_path / "voices.json")}
    )
    assert done.returncode == 2
    assert "diarist voices add" in done.stderr


@pytest.mark.slow
@pytest.mark.models
def test_hotwords_come_from_a_list_or_a_file(diarist, call, tmp_path):
    (tmp_path / "names.txt").write_text("Diane\nSheila\n")
    for given in ("Diane, Sheila", tmp_path / "names.txt"):
        done = diarist("transcribe", call, "--hotwords", given, "--no-diarize", "-q")
        assert done.returncode == 0, done.stderr
        assert "Diane" in done.stdout
