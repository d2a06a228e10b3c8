"""Measuring this machine, with real engines on real speech."""

import os
import wave

import numpy as np
import pytest

from diarist.audio.decode import decode
from diarist.model.errors import EngineError, InputError
from diarist.planning import measure
from diarist.planning.measure import Engines, long_enough, measure_profile
from diarist.planning.profiles import load_profile, save_profile
from diarist.weights.fetch import ensure


@pytest.mark.models
def test_a_measured_profile_survives_its_file_and_says_how_it_was_measured(tmp_path, monkeypatch):
    lengths = []

    def slope(short, long):
        """What a busy machine measures on seconds of speech may make no sense; that is refused in test_fit.py."""
        lengths.append((short[0], long[0]))
        assert short[1] > 0
        assert long[1] > 0
        return long[1] / long[0], 0.0

    monkeypatch.setattr(measure, "REPEATS", 1)
    monkeypatch.setattr(measure, "SHORT_CLIP", 4.0)
    monkeypatch.setattr(measure, "LEAST_SECONDS", 8.0)
    monkeypatch.setattr(measure, "fit", slope)
    recording = first_seconds(ensure("sample-telephone") / "sample.wav", 12, tmp_path)
    profile = measure_profile("here", recording, Engines(device="cpu"), "diarist bench --profile here.json")
    assert lengths == [(4.0, 12.0)] * 3
    for speed in (profile.transcription, profile.diarization, profile.both):
        assert speed.per_audio_second.kind == "measured"
        assert "diarist bench --profile here.json" in speed.per_audio_second.source
        assert 0 < speed.seconds(60) < 600
    assert profile.hardware.startswith("CPU")
    for role in ("single", "transcription", "diarization"):
        phases = profile.starts[role]
        assert {"interpreter", "imports", "weights", "warm-up"} <= set(phases)
        assert phases["host"].seconds.kind == "estimate"  # nobody has measured the platform
    assert set(profile.starts["orchestrator"]) == {"host", "container", "interpreter", "imports"}
    save_profile(profile, tmp_path / "here.json")
    assert load_profile(str(tmp_path / "here.json")) == profile


def first_seconds(call, seconds, folder):
    """The beginning of a WAV file, as a file."""
    target = folder / "beginning.wav"
    with wave.open(str(call)) as source, wave.open(str(target), "wb") as beginning:
        beginning.setparams(source.getparams())
        beginning.writeframes(source.readframes(seconds * source.getframerate()))
    return target


@pytest.mark.models
def test_the_sample_call_repeated_is_long_enough(tmp_path):
    call = decode(ensure("sample-telephone") / "sample.wav")
    repeated = decode(long_enough(ensure("sample-telephone") / "sample.wav", tmp_path))
    assert 120 <= repeated.duration <= 120 + call.duration
    again = repeated.samples[len(call.samples) :][: len(call.samples)]
    assert np.abs(again - call.samples).max() < 1e-3


def test_an_engine_that_fails_is_one_line(tmp_path):
    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * 121))
    with pytest.raises(EngineError) as caught:
        measure_profile("here", tmp_path / "silence.wav", Engines(model="no-such-model"))
    assert caught.value.message.startswith("Measuring single failed: ")
    assert "\n" not in caught.value.message


def test_a_profile_is_a_json_file(tmp_path):
    with pytest.raises(InputError, match=r"\.json"):
        save_profile(load_profile("rtx-4090"), tmp_path / "here.toml")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell script")
@pytest.mark.parametrize(("gpus", "named"), [(1, "L4"), (0, "CPU")])
def test_hardware_is_a_gpu_only_where_engines_use_one(tmp_path, monkeypatch, gpus, named):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho NVIDIA L4\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("diarist.gpu.gpu_count", lambda: gpus)
    assert measure._hardware("auto").startswith(named)
    assert measure._hardware("cpu").startswith("CPU")
