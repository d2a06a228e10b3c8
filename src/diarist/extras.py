"""The command that installs what is missing, for the Python that runs here.

It names the packages themselves, as our own metadata lists them. ``diarist[extra]`` is never named: an index of
packages does not know this project, and whoever takes its name there would be run by our users.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path


def pip(*words: str) -> str:
    """Write a pip command line for this Python: ``pip("install", "torch>=2.8")``.

    Uses uv where this environment has no pip, as in one that ``uv tool install`` made. Quotes as both a POSIX shell and
    Windows' read them.
    """
    python = _quoted(_short(Path(sys.executable)))
    rest = [_quoted(word) for word in words[1:]]
    if find_spec("pip") is None:
        return " ".join(["uv", "pip", words[0], "--python", python, *rest])
    return " ".join([python, "-m", "pip", words[0], *rest])


def install(extra: str) -> str:
    """Write the command that installs the packages of an extra of ``pyproject.toml``.

    Where the metadata does not know them, as when the sources run without being installed, the extra of the sources.
    """
    return pip("install", *(list(_packages(extra)) or ["-e", f".[{extra}]"]))


def _packages(extra: str) -> Iterator[str]:
    from packaging.requirements import Requirement

    try:
        listed = requires("diarist") or []
    except PackageNotFoundError:  # run from its sources, without being installed
        listed = []
    for requirement in map(Requirement, listed):
        marker = requirement.marker
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            yield f"{requirement.name}{_extras(requirement)}{requirement.specifier}"


def _extras(requirement: object) -> str:
    names = sorted(getattr(requirement, "extras", ()))
    return f"[{','.join(names)}]" if names else ""


def _short(python: Path) -> str:
    try:
        near = python.relative_to(Path.cwd())
        return str(near if near.parent != Path() else python)  # a bare name is looked up on PATH
    except (ValueError, OSError):
        return str(python)


def _quoted(word: str) -> str:
    return f'"{word}"' if any(letter in word for letter in " <>[]!~*;&") else word
