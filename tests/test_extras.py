"""Hints name packages to install into the Python that runs, and never this project's name on an index."""

import shlex
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from diarist import extras


def test_the_command_is_for_the_python_that_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert shlex.split(extras.pip("install", "torch>=2.8"))[:4] == [sys.executable, "-m", "pip", "install"]


def test_a_shell_reads_each_package_as_one_word():
    assert shlex.split(extras.pip("install", "torch>=2.8", "a[b,c]"))[-2:] == ["torch>=2.8", "a[b,c]"]


def test_without_pip_uv_is_told_which_python(monkeypatch):
    monkeypatch.setattr("diarist.extras.find_spec", lambda name: None)
    command = shlex.split(extras.pip("install", "torch>=2.8"))
    assert command[:4] == ["uv", "pip", "install", "--python"]


@pytest.mark.parametrize("extra", ["gpu", "convert", "eval", "plan", "pyannote", "nemotron", "speakrs", "runpod", "s3"])
def test_an_extra_is_named_by_its_packages_alone(extra):
    packages = shlex.split(extras.install(extra))[4:]
    assert packages
    assert not [package for package in packages if package.startswith("diarist")]
    assert {package.split(">")[0].split("=")[0] for package in packages} <= {
        line.split(">")[0].split("=")[0]
        for line in requires("diarist")
        if f"extra == {extra!r}" in line.replace('"', "'")
    }


def test_beside_the_python_its_whole_path_is_named(monkeypatch):
    monkeypatch.chdir(Path(sys.executable).parent)
    assert shlex.split(extras.pip("install", "a"))[0] == sys.executable
