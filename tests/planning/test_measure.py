"""Measuring this machine, with real engines on real speech."""

import pytest

from diarist.model.errors import EngineError, InputError
from diarist.planning import measure
from diarist.planning.measure import Engines, long_enough, measure_profile
from diarist.planning.profiles import load_profile, save_profile
from diarist.weights.fetch import ensure


@pytest.mark.models
def test_a_measured_profile_survives_its_file_and_says_how_it_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "REPEATS", 1)
    recording = long_enough(ensure("sample-telephone") / "sample.wav", tmp_path)
    profile = measure_profile("here", recording, Engines(device="cpu"), "diarist bench --profile here.json")
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


def test_an_engine_that_fails_is_one_line(tmp_path):
    with pytest.raises(EngineError) as caught:
        measure_profile("here", tmp_path / "none.wav", Engines(model="no-such-model"))
    assert caught.value.message.startswith("Measuring single failed: ")
    assert "\n" not in caught.value.message


def test_a_profile_is_a_json_file(tmp_path):
    with pytest.raises(InputError, match=r"\.json"):
        save_profile(load_profile("rtx-4090"), tmp_path / "here.toml")
