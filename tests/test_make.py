"""`make demo` finds a Python that is new enough, or says which one it needs. Tried with false ones on PATH."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOO_OLD = "#!/bin/sh\ncase $2 in *platform*) echo 3.9.2;; *) exit 1;; esac\n"


@pytest.fixture
def machine(tmp_path):
    """A PATH with nothing but a python3 that is too old."""
    folder = tmp_path / "bin"
    folder.mkdir()
    _script(folder / "python3", TOO_OLD)
    return folder


def _script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def find(folder, **env):
    script = ROOT / "scripts" / "find_python.sh"
    return subprocess.run(
        ["/bin/sh", script], env={"PATH": str(folder), **env}, capture_output=True, text=True, check=False
    )


def test_with_an_old_python_only_it_says_which_one_is_needed_and_what_to_do(machine):
    done = find(machine)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "needs Python 3.11 to 3.14" in done.stderr
    assert "python3 is 3.9.2" in done.stderr
    assert "hint: install one" in done.stderr


@pytest.mark.parametrize("name", ["python3.14", "python3.13", "python3.12", "python3.11"])
def test_a_newer_python_beside_an_old_one_is_taken_and_said(machine, name):
    (machine / name).symlink_to(sys.executable)
    done = find(machine)
    assert done.stdout.strip() == str(machine / name)
    assert "python3 does not fit" in done.stderr


def test_uvs_python_is_taken_when_path_has_none(machine):
    _script(machine / "uv", f"#!/bin/sh\necho {sys.executable}\n")
    assert find(machine).stdout.strip() == sys.executable


def test_a_python_that_fits_is_taken_silently(machine):
    done = find(machine, PYTHON=sys.executable)
    assert (done.stdout.strip(), done.stderr) == (sys.executable, "")


@pytest.mark.parametrize("fault", ["gone", "old", "moved"])
def test_a_stale_environment_is_made_anew(tmp_path, fault):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    bin_ = tmp_path / ".venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "activate").write_text(f"VIRTUAL_ENV={'/elsewhere/.venv' if fault == 'moved' else tmp_path / '.venv'}")
    if fault == "gone":
        (bin_ / "python").symlink_to(tmp_path / "no-such-python")
    else:
        _script(bin_ / "python", TOO_OLD if fault == "old" else "#!/bin/sh\nexit 0\n")
    assert "venv --clear" in plan(tmp_path)


def test_an_environment_that_is_right_is_left_alone(tmp_path):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    bin_ = tmp_path / ".venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "activate").write_text(f"VIRTUAL_ENV={tmp_path / '.venv'}")
    _script(bin_ / "python", "#!/bin/sh\nexit 0\n")
    for name in ("requirements/core.txt", "pyproject.toml", ".venv/.ready"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    os.utime(tmp_path / ".venv/.ready", (2_000_000_000, 2_000_000_000))
    assert "venv --clear" not in plan(tmp_path)


def test_every_command_that_the_makefile_declares_or_a_guide_names_is_there():
    makefile = (ROOT / "Makefile").read_text()
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    declared = set(re.findall(r"^\.PHONY: FORCE (.*)$", makefile, re.MULTILINE)[0].split())
    guides = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(guide.read_text() for guide in guides)
    named = set(re.findall(r"(?:^ *|`)make ([a-z-]+)", text, re.MULTILINE))
    assert declared - rules == set()
    assert named - rules == set()


def plan(folder):
    """What `make demo` would run."""
    for name in ("requirements/core.txt", "pyproject.toml"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch(exist_ok=True)
    done = subprocess.run(["make", "-n", "demo"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout
