"""What RunPod's Hub reads: valid, and true of this repository."""

import json
from pathlib import Path

from diarist.jobs.request import SpeakerTextJob, read_job

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
