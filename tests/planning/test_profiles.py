"""Profiles: how fast a machine is, and where each figure is from."""

import re
import tomllib
from pathlib import Path

import pytest

from diarist.architectures import ARCHITECTURES
from diarist.model.errors import InputError
from diarist.planning.coldstart import cold_start, start_of
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import load_profile, packaged_profiles

PROFILES = packaged_profiles()
ROOT = Path(__file__).parents[2]


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


def libraries(text):
    """What a requirements file pins, or a table of pyproject.toml names; ONNX Runtime's CUDA build is ONNX Runtime."""
    return {name.removesuffix("-gpu") for name in re.findall(r"^([A-Za-z][\w.-]*)", text, re.MULTILINE)}


def in_image(role):
    """What a role's image for GPUs installs, as its Dockerfile says."""
    lines = (ROOT / ("Dockerfile" if role == "single" else f"Dockerfile.{role}")).read_text()
    installed = "".join(re.findall(r"install --require-hashes --no-deps(?: \\\n)?(.*)", lines))
    engines = re.search(r'\bgpu\|cuda13\) engines="\$\{?ENGINES\}?(\w*)"', lines)
    files = re.findall(r"-r \"?requirements/([\w$]+\.txt)", installed)
    return set().union(
        *(
            libraries(
                (ROOT / "requirements" / file.replace("$engines", f"gpu{engines[1]}" if engines else "")).read_text()
            )
            for file in files
        )
    )


def imported(profile, role):
    """The libraries that the origin of a role's import phase names, of all that diarist knows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = (project["dependencies"], *project["optional-dependencies"].values())
    known = set().union(*(libraries("\n".join(some)) for some in named))
    known |= set().union(*(libraries(file.read_text()) for file in (ROOT / "requirements").glob("*.txt")))
    return known & set(re.findall(r"[\w-]+(?:\.[\w-]+)*", profile.starts[role]["imports"].seconds.source))


@pytest.mark.parametrize("role", ["single", "transcription", "diarization", "orchestrator"])
@pytest.mark.parametrize("name", [name for name, one in PROFILES.items() if not one.hardware.startswith("CPU")])
def test_a_gpu_worker_imports_only_what_its_image_has(name, role):
    found = imported(PROFILES[name], role)
    assert found
    assert found <= in_image(role)
    # By far the slowest to import: counted where the image has it, and only there.
    assert ("torch" in found) == ("torch" in in_image(role))


def test_an_origin_that_names_a_stranger_to_the_image_is_noticed():
    assert "torch" in in_image("single")
    assert "transformers" not in in_image("single")
    assert "torch" not in in_image("diarization")
    assert "onnxruntime" not in in_image("orchestrator")


@pytest.mark.parametrize("name", [name for name, one in PROFILES.items() if not one.hardware.startswith("CPU")])
def test_the_page_about_planning_says_how_long_gpu_workers_start(name):
    page = " ".join((ROOT / "docs" / "planning.md").read_text().split())
    seconds = {role: phases["imports"].seconds.value for role, phases in PROFILES[name].starts.items()}
    assert (
        f"{seconds['single']} s where Parakeet runs on torch, {seconds['diarization']} s for speakers alone, "
        f"{seconds['orchestrator']} s for the orchestrator" in page
    )
    assert seconds["transcription"] == seconds["single"]
    billed = start_of(PROFILES[name], "single").billed
    assert f"starts of {billed:.0f} billed seconds" in page
    assert f"about {round(86_400 / billed, -3):,.0f} requests a day" in page  # an idle day costs as much


@pytest.mark.parametrize("name", ["rtx-1", "/nowhere/x.json"])
def test_an_unknown_profile_is_one_line(name):
    with pytest.raises(InputError):
        load_profile(name)


def test_a_file_that_is_no_profile_is_one_line(tmp_path):
    file = tmp_path / "p.json"
    file.write_text('{"name": 1}')
    with pytest.raises(InputError, match="is not a profile"):
        load_profile(str(file))
