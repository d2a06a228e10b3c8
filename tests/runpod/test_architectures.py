"""The same recording, the same models: every place gives the same transcript. Real speech, real engines, real SDK."""

import json
import os
import subprocess
import sys

import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.runpod.emulator.emulator import emulate
from diarist.weights.fetch import ensure

MODELS = {"DIARIST_MODEL": "whisper-tiny.en", "DIARIST_DIARIZER": "embedded"}


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Twelve seconds of a real telephone call, two speakers, in a file that lacks its end."""
    samples = decode(ensure("sample-telephone") / "sample.wav").samples[4 * SAMPLE_RATE : 19 * SAMPLE_RATE]
    path = tmp_path_factory.mktemp("call") / "call, cut short.flac"
    file = encode_flac(Audio(samples))
    path.write_bytes(file[: len(file) * 4 // 5])
    return path


def diarist(*arguments, env=None):
    ran = run(*arguments, env=env)
    return json.loads(ran.stdout)


def run(*arguments, env=None):
    ran = subprocess.run(
        [sys.executable, "-m", "diarist", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, **MODELS, **(env or {})},
    )
    assert ran.returncode == 0, ran.stderr
    return ran


@pytest.fixture(scope="module")
def local(call):
    return diarist(
        "transcribe", call, "-f", "json", "--model", MODELS["DIARIST_MODEL"], "--diarizer", MODELS["DIARIST_DIARIZER"]
    )


@pytest.mark.models
@pytest.mark.timeout(240)
@pytest.mark.parametrize("architecture", ["single", "split", "orchestrator"])
def test_an_emulated_architecture_says_the_same_as_this_machine(architecture, call, local):
    remote = diarist("emulate", architecture, "--transcribe", call, "-f", "json")
    assert remote["place"] == {"where": f"runpod:{architecture}", "audio": "original"}
    assert any("call, cut short.flac is cut short" in warning for warning in remote["warnings"])
    assert len(remote["speakers"]) == 2
    assert {key: value for key, value in remote.items() if key not in {"timings", "place"}} == {
        key: value for key, value in local.items() if key not in {"timings", "place"}
    }


@pytest.mark.models
@pytest.mark.timeout(240)
@pytest.mark.parametrize("architecture", ["split", "orchestrator"])
@pytest.mark.slow
def test_live_words_are_those_of_the_transcript_and_it_is_the_same_without_them(architecture, tmp_path):
    samples = decode(ensure("sample-telephone") / "sample.wav").samples
    path = tmp_path / "call.flac"
    path.write_bytes(encode_flac(Audio(samples)))
    with emulate(architecture, env=MODELS) as emulator:
        ask = ("transcribe", path, "-f", "json", "--on", f"runpod:{architecture}")
        live = run(*ask, "--live", "--json-progress", env=emulator.environ)
        quiet = run(*ask, "-q", env=emulator.environ)
    lines = [json.loads(line)["words"] for line in live.stderr.splitlines() if '"words"' in line]
    transcript = json.loads(live.stdout)
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    assert [word for line in lines for word in line] == [
        {key: word[key] for key in ("start", "end", "text")} for word in words
    ]
    assert {**transcript, "timings": 0} == {**json.loads(quiet.stdout), "timings": 0}
