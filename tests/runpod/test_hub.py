"""What RunPod's Hub reads: valid, and true of this repository."""

import json
import subprocess
import sys
from pathlib import Path

from diarist.jobs.request import SpeakerTextJob, read_job
from diarist.runpod.deploy.apply import dry_run
from diarist.runpod.deploy.plan_file import Settings

HUB = Path(__file__).parents[2] / ".runpod"


def test_the_listing_offers_settings_that_exist():
    hub = json.loads((HUB / "hub.json").read_text())
    source = (HUB.parent / "src/diarist/jobs/services.py").read_text()
    assert hub["type"] == "serverless"
    for setting in hub["config"]["env"]:
        assert setting["key"] in source


def test_the_hubs_test_jobs_are_valid_jobs():
    for test in json.loads((HUB / "tests.json").read_text())["tests"]:
        read_job(SpeakerTextJob, test["input"])


def test_the_listing_allows_the_hosts_that_can_run_the_image_that_the_hub_builds():
    body = dry_run(Settings(architecture="single", image_prefix="you/parakeet", tag="1.2.0"))[0].body
    lowest = tuple(map(int, body["gpu"]["minCudaVersion"].split(".")))
    for file in ("hub.json", "tests.json"):
        allowed = json.loads((HUB / file).read_text())["config"]["allowedCudaVersions"]
        versions = [tuple(map(int, version.split("."))) for version in allowed]
        assert min(versions) == lowest  # no host that cannot, and all from there on
        assert any(version[0] > lowest[0] for version in versions)  # a newer driver runs it too


def test_the_handler_that_the_hub_looks_for_is_the_one_of_the_single_image(tmp_path):
    (tmp_path / ".runpod").mkdir()
    (tmp_path / ".runpod/handler.py").write_text((HUB / "handler.py").read_text())
    (tmp_path / "runpod_handler.py").write_text("if __name__ == '__main__':\n    print('single')\n")
    done = subprocess.run([sys.executable, tmp_path / ".runpod/handler.py"], capture_output=True, text=True, check=True)
    assert done.stdout == "single\n"
