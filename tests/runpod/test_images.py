"""What the images' builds pull: their own shell lines are run, with a stand-in for the command that fetches."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from diarist.engines.auto import DIARIZERS, EMBEDDED_DIARIZER
from diarist.weights.catalog import HubSource, find

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
@pytest.mark.parametrize("engines", ["cpu", "gpu"])
def test_open_weights_need_no_account(build, dockerfile, engines):
    for name in build(dockerfile, WEIGHTS="open", ENGINES=engines):
        assert any(not (isinstance(source, HubSource) and source.gated) for source in find(name).sources), name


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "Dockerfile.diarization"])
def test_open_weights_hold_the_networks_of_3_1_and_of_the_embedded_diarizer(build, dockerfile):
    needed = {known.name: set(known.weights) for known in DIARIZERS}
    assert needed["3.1"] | needed[EMBEDDED_DIARIZER] <= set(build(dockerfile, WEIGHTS="open"))


@pytest.mark.parametrize("dockerfile", WORKERS)
def test_none_pulls_nothing(build, dockerfile):
    assert build(dockerfile, WEIGHTS="none") == []
