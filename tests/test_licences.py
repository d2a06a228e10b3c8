"""Whose licences bind whoever passes diarist on: known for each distribution of the core, and said where it matters."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAMILIES = re.compile(r"AGPL|LGPL|GPL|MIT|BSD|Apache|MPL|PSF|ISC|Zlib|CC0|not said")


def rows(text: str) -> dict[str, set[str]]:
    return {
        name: set(FAMILIES.findall(terms)) for name, _, terms in (line.partition("\t") for line in text.splitlines())
    }


def listed(*arguments: str) -> str:
    command = [sys.executable, str(ROOT / "scripts" / "licences.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_no_distribution_of_the_core_has_a_licence_that_the_list_does_not_name():
    held = rows((ROOT / "requirements" / "licences.txt").read_text(encoding="utf-8"))
    installed = rows(listed("--of", str(ROOT / "requirements" / "core.txt")))
    assert installed.keys() <= held.keys(), "make licences; then add them to requirements/licences.txt"
    assert {name: found - held[name] for name, found in installed.items() if found - held[name]} == {}
    assert all(held.values())


def test_what_the_wheel_of_pyav_brings_is_said_where_it_is_passed_on():
    (line,) = (line for line in listed().splitlines() if line.startswith("av "))
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for library in re.findall(r"libx\d+ GPL", line):
        assert library.split()[0] in notice
    for image in ("Dockerfile", "Dockerfile.diarization", "Dockerfile.transcription"):
        label = re.search(r'image.licenses="(.*)"', (ROOT / image).read_text(encoding="utf-8"))
        assert label is not None
        assert {"MIT", "LGPL", "GPL"} <= set(FAMILIES.findall(label[1]))


def test_every_installed_distribution_is_listed():
    import importlib.metadata

    installed = {re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower() for found in importlib.metadata.distributions()}
    assert {line.split()[0] for line in listed().splitlines()} == installed
