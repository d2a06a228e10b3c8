"""What a repository on the hub held when a model was first taken from it, which is held from then on.

The catalog knows the digests of the embedded models. Of the others nobody has told us any, so the first download is
trusted: the commit and the digests that the hub names then are kept in ``pins.json`` in diarist's cache. Later
downloads ask for that commit, every file must have that digest, and another commit in the hub's cache is not used.
``diarist models remove`` forgets it, which is how a newer one is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from diarist.files import read_bounded, why, write_whole
from diarist.model import codec
from diarist.model.errors import InputError, WeightsError

_log = logging.getLogger(__name__)
_MOST_BYTES = 1 << 20  # a few hundred for each model

Commit = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Pin:
    """What was there at the first download.

    Attributes:
        revision: the commit.
        files: SHA-256 by path in the repository.
    """

    revision: Commit
    files: Mapping[str, Sha256] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    schema: Literal["diarist.pins/1"] = "diarist.pins/1"
    pins: Mapping[str, Pin] = field(default_factory=dict)


def read(cache: Path) -> Mapping[str, Pin]:
    """All pins, by repository.

    Args:
        cache: the root of diarist's own cache.

    Raises:
        WeightsError: the file is damaged. Nothing is trusted anew because of that.
    """
    path = _path(cache)
    try:
        return codec.read(_Document, read_bounded(path, _MOST_BYTES)).pins
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, InputError) as error:
        said = error.message if isinstance(error, InputError) else f"{why(error)}."
        raise WeightsError(
            "bad_pins", f"Cannot read {path}: {said}", "Delete that file to trust the hub's next answer instead."
        ) from error


def hold(cache: Path, repo: str, found: Pin) -> None:
    """Keep what was found in a repository, beside what is held of it already."""
    pins = dict(read(cache))
    held = pins.get(repo)
    if held is not None and held.revision == found.revision:
        found = replace(found, files={**found.files, **held.files})
    if held == found:
        return
    try:
        _write(cache, {**pins, repo: found})
    except InputError as error:
        _log.warning("%s is not pinned: %s", repo, error.message)
    else:
        _log.info("%s is held at %s from now on, as the hub gave it first.", repo, found.revision)


def forget(cache: Path, repos: tuple[str, ...]) -> bool:
    """Trust the next download of these repositories again; returns whether any was pinned.

    Raises:
        InputError: the file cannot be written.
    """
    pins = read(cache)
    kept = {repo: pin for repo, pin in pins.items() if repo not in repos}
    if len(kept) < len(pins):
        _write(cache, kept)
    return len(kept) < len(pins)


def _write(cache: Path, pins: Mapping[str, Pin]) -> None:
    write_whole(_path(cache), msgspec.json.format(msgspec.json.encode(_Document(pins=pins)), indent=2) + b"\n")


def _path(cache: Path) -> Path:
    return cache / "models" / "pins.json"  # with the models, so that it comes into an image with them
