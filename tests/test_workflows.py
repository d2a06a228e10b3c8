"""What GitHub Actions does at a release: every image that there is, nothing that others can change, few rights."""

import re
from pathlib import Path

import pytest
import yaml

from diarist.architectures import ROLES

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
RELEASE = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit_and_say_their_version(file):
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    assert used
    for action, comment in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_all_may_read_and_only_publishing_may_write(file):
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        if "write" in job.get("permissions", {}).values():
            assert job["environment"] == "release", name  # which waits for a person
        for step in job.get("steps", []):
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
            # What others can name (branches, titles) never becomes part of a script.
            assert "${{" not in step.get("run", "")


def test_the_images_of_a_release_are_those_of_the_architectures():
    built = RELEASE["jobs"]["images"]["strategy"]["matrix"]["include"]
    assert {tuple(image.values()) for image in built} == {
        (role.dockerfile, role.image_suffix, role.handler) for role in ROLES.values()
    }


def test_nothing_is_published_before_it_was_tested():
    jobs = RELEASE["jobs"]
    assert jobs["publish"]["needs"] == "images"
    assert set(jobs["images"]["needs"]) == {"check", "wheel"}
    steps = [step.get("name", step.get("run", "")) for step in jobs["images"]["steps"]]
    assert steps.index("The image answers a job on the CPU") < steps.index("Publish, and note the digest")


def test_a_release_is_a_version_and_never_latest():
    assert RELEASE[True]["push"] == {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}  # YAML 1.1 reads "on" as true
    assert "latest" not in re.sub(r"ubuntu-latest", "", (ROOT / ".github/workflows/release.yml").read_text())
