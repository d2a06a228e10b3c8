"""Are a model's files what they should be? Digests come from the catalog, else from the hub's cache.

In that cache a file is a link to a blob named by its digest: the SHA-256 of large files, the git object id of small
ones (huggingface_hub, "Understand caching"). So even a file whose digest the catalog does not know can be checked.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from diarist.model.errors import WeightsError
from diarist.model.progress import Progress, ignore
from diarist.weights.catalog import ModelEntry, ModelFile, find_model
from diarist.weights.locate import Located, Places, held, locate, pinned, places

_CHUNK = 1 << 20
_BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` found; each is a tuple of paths inside the model's folder.

    Attributes:
        located: where the model is.
        good: files whose digest is as it should be.
        damaged: files whose digest is another.
        unknown: files of which no digest is known.
    """

    located: Located
    good: tuple[str, ...]
    damaged: tuple[str, ...]
    unknown: tuple[str, ...]


def verify(name: str, *, progress: Progress = ignore, where: Places | None = None) -> Verified:
    """Read every file of the model ``name`` and compare its digest.

    Args:
        name: a name in the catalog.
        progress: told about it in the stage ``"verify <name>"``; may raise `Cancelled` to stop.
        where: the places to look into; by default those of this process's environment.

    Raises:
        InputError: no model has this name.
        WeightsError: the model is not on this machine, or a file cannot be read.
    """
    entry = find_model(name)
    located = locate(name, where)
    if located is None:
        raise missing(entry)
    results: dict[str, list[str]] = {"good": [], "damaged": [], "unknown": []}
    files = held(entry, located.path) or ()
    pin = pinned(entry, where or places())
    digests = pin.files if pin and pin.revision == located.path.name else {}
    for number, file in enumerate(files):
        progress(f"verify {entry.name}", number / len(files))
        path = located.path / file.path
        expected = file.sha256 or digests.get(file.path) or expected_digest(file, path)
        try:
            outcome = "unknown" if expected is None else "good" if matches(path, expected) else "damaged"
        except OSError as error:
            raise WeightsError("weights_unreadable", f"Cannot read {path}: {error.strerror}.") from error
        results[outcome].append(file.path)
    progress(f"verify {entry.name}", 1.0)
    return Verified(located, **{outcome: tuple(paths) for outcome, paths in results.items()})


def missing(entry: ModelEntry) -> WeightsError:
    """The error for a model that is not on this machine."""
    return WeightsError(
        "weights_missing", f"{entry.name} is not on this machine.", f"Get it with: diarist models pull {entry.name}"
    )


def expected_digest(file: ModelFile, path: Path) -> str | None:
    """The digest that ``path`` should have: 64 hex digits of SHA-256, 40 of a git blob id, or None if unknown."""
    if file.sha256:
        return file.sha256
    if path.is_symlink() and _BLOB.fullmatch(name := path.resolve().name):
        return name
    return None


def matches(path: Path, expected: str) -> bool:
    """Whether the content of ``path`` has the digest ``expected``, as `expected_digest` gives it.

    Raises:
        OSError: it cannot be read.
    """
    if len(expected) == 64:
        return sha256(path) == expected
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == expected


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
