"""Profiles: how fast a machine is, and where each figure is from."""

import pytest

from diarist.architectures import ARCHITECTURES
from diarist.model.errors import InputError
from diarist.planning.coldstart import cold_start, start_of
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import load_profile, packaged_profiles

PROFILES = packaged_profiles()


def figures(profile):
    for speed in (profile.transcription, profile.diarization, profile.both, profile.preparation):
        yield from (speed.per_audio_second, speed.per_request)
    yield profile.overhead
    for phases in profile.starts.values():
        yield from (phase.seconds for phase in phases.values())


@pytest.mark.parametrize("name", PROFILES)
def test_every_figure_says_where_it_is_from(name):
    for figure in figures(PROFILES[name]):
        assert figure.value >= 0
        assert figure.source


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_is_called_measured_on_a_gpu_that_nobody_here_has(name):
    profile = PROFILES[name]
    if not profile.hardware.startswith("CPU"):
        assert {figure.kind for figure in figures(profile)} <= {"published", "estimate"}
        assert packaged_prices().gpu(profile.hardware)


@pytest.mark.parametrize("name", PROFILES)
def test_every_role_of_every_architecture_can_start(name):
    for architecture in ARCHITECTURES.values():
        starts = [start_of(PROFILES[name], role).seconds for role in architecture.roles]
        assert min(starts) > 0
        assert cold_start(PROFILES[name], architecture.name) >= max(starts)


def test_the_orchestrator_starts_before_its_legs_which_start_together():
    profile = PROFILES["rtx-4090"]
    legs = max(start_of(profile, role).seconds for role in ("transcription", "diarization"))
    assert cold_start(profile, "split") == legs
    assert cold_start(profile, "orchestrator") == legs + start_of(profile, "orchestrator").seconds


def test_a_host_is_not_billed():
    start = start_of(PROFILES["rtx-4090"], "single")
    assert 0 < start.free < start.billed


@pytest.mark.parametrize("name", ["rtx-1", "/nowhere/x.json"])
def test_an_unknown_profile_is_one_line(name):
    with pytest.raises(InputError):
        load_profile(name)


def test_a_file_that_is_no_profile_is_one_line(tmp_path):
    file = tmp_path / "p.json"
    file.write_text('{"name": 1}')
    with pytest.raises(InputError, match="is not a profile"):
        load_profile(str(file))
