"""Find a model's files on this machine, and say which place won.

Places, in order: a folder the user named, the two layouts in which RunPod hands models to a worker, the Hugging Face
hub's cache, diarist's own cache, and the folder baked into an image. Nothing is downloaded and nothing is written.
A place wins only if it holds every required file: a cached repository with a config and no weights is not a model.

Rejected: ``huggingface_hub.scan_cache_dir``, which sizes every cached repository, takes 0.3 s to import, and knows
neither RunPod's lower-cased folder names nor its second layout.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diarist.files import read_bounded
from diarist.model.errors import InputError
from diarist.weights.catalog import CATALOG, HubSource, ModelEntry, ModelFile, find_model, revision
from diarist.weights.pins import Pin, read

Place = Literal["explicit", "runpod-volume", "runpod-store", "hub-cache", "cache", "image"]

RUNPOD_VOLUME = Path("/runpod-volume/huggingface-cache/hub")
"""Cached models, layout 1: a hub cache on the worker's volume (RunPod documentation, model caching)."""

RUNPOD_STORE = Path("/runpod/model-store/huggingface")
"""Cached models, layout 2: ``org/name/revision/`` (RunPod SDK 2.0 and runpodctl mount path)."""

IMAGE_DIR = Path("/opt/diarist/models")
"""Where images carry models; ``DIARIST_IMAGE_DIR`` overrides.

A build step fills it with ``DIARIST_CACHE=/opt/diarist HF_HUB_CACHE=/opt/diarist/models diarist models pull …``.
"""

COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_REF_BYTES = 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders that are looked into, made from an environment by `places`. None means: do not look there."""

    explicit: Path | None = None
    runpod_volume: Path | None = None
    runpod_store: Path | None = None
    runpod_revision: str | None = None
    hub_cache: Path | None = None
    cache: Path
    image: Path | None = None

    def folder(self, entry: ModelEntry) -> Path:
        """Where diarist keeps ``entry`` in its own cache."""
        return self.cache / "models" / entry.name


@dataclass(frozen=True, slots=True)
class Located:
    """A folder with all files of a model.

    Attributes:
        path: the folder.
        place: which kind of place it is in.
        revision: identifies the weights: the catalog's digest where every size agrees with it, else the hub's commit,
            else None.
    """

    path: Path
    place: Place
    revision: str | None


def places(env: Mapping[str, str] | None = None) -> Places:
    """The places that ``env`` (by default this process's environment) points at.

    ``DIARIST_MODEL_DIR`` or ``MODEL_DIR`` names a folder; ``DIARIST_CACHE`` moves diarist's cache; ``HF_HUB_CACHE`` and
    ``HF_HOME`` move the hub's; ``MODEL_REVISION`` picks a revision in RunPod's model store.
    """
    env = os.environ if env is None else env
    explicit = env.get("DIARIST_MODEL_DIR") or env.get("MODEL_DIR")
    return Places(
        explicit=Path(explicit).expanduser() if explicit else None,
        runpod_volume=RUNPOD_VOLUME,
        runpod_store=RUNPOD_STORE,
        runpod_revision=env.get("MODEL_REVISION") or None,
        hub_cache=_hub_cache(env),
        cache=cache_dir(env),
        image=Path(env.get("DIARIST_IMAGE_DIR") or IMAGE_DIR),
    )


def cache_dir(env: Mapping[str, str] | None = None) -> Path:
    """The root of diarist's own cache: ``DIARIST_CACHE``, else the platform's user cache folder.

    Raises:
        InputError: there is neither, as for a user without a home.
    """
    env = os.environ if env is None else env
    if chosen := env.get("DIARIST_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    try:
        return Path(platformdirs.user_cache_dir("diarist", appauthor=False)).expanduser()
    except RuntimeError as error:
        raise InputError(
            "no_home", "This user has no home folder to keep models in.", "Set HOME, or DIARIST_CACHE to a folder."
        ) from error


def locate(name: str, where: Places | None = None) -> Located | None:
    """The first place that holds all files of the model ``name``, or None.

    Args:
        name: a name in the catalog.
        where: the places to look into; by default those of this process's environment.

    Raises:
        InputError: no model has this name.
    """
    entry = find_model(name)
    where = where or places()
    for place, folder in _candidates(entry, where):
        if holds(entry, folder):
            return Located(folder, place, _revision(entry, folder))
        if place == "explicit" and folder.name == entry.name and folder.is_dir():
            _log.warning("The folder %s lacks files of %s, or they have another size; looking elsewhere.", folder, name)
    return None


def holds(entry: ModelEntry, folder: Path) -> bool:
    """Whether ``folder`` holds the model ``entry``."""
    return held(entry, folder) is not None


def held(entry: ModelEntry, folder: Path) -> tuple[ModelFile, ...] | None:
    """The first of the sets of files of ``entry`` that ``folder`` holds: all required ones, of the known size.

    Returns:
        What of the set is there; None if the folder does not hold the model.
    """
    for files in entry.sets:
        if all(_is_file(folder / file.path, file.size) for file in files if file.required):
            return tuple(file for file in files if _is_file(folder / file.path, None))
    return None


def _candidates(entry: ModelEntry, where: Places) -> Iterator[tuple[Place, Path]]:
    if where.explicit:
        for name in (entry.name, *(repo.split("/")[1] for repo in entry.repos), *entry.repos):
            yield "explicit", where.explicit / name
        if _recognisable(entry, where.explicit):
            yield "explicit", where.explicit
        for snapshot in _hub_snapshots(entry, where.explicit):
            yield "explicit", snapshot
    for snapshot in _hub_snapshots(entry, where.runpod_volume):
        yield "runpod-volume", snapshot
    for snapshot in _stored(entry, where.runpod_store, where.runpod_revision):
        yield "runpod-store", snapshot
    for snapshot in _hub_snapshots(entry, where.hub_cache, pinned(entry, where)):
        yield "hub-cache", snapshot
    yield "cache", where.folder(entry)
    if where.image:
        yield "image", where.image / entry.name
        for snapshot in _hub_snapshots(entry, where.image):
            yield "image", snapshot


def _recognisable(entry: ModelEntry, folder: Path) -> bool:
    """Whether files lying loose in ``folder`` can be told to be this model's: ``model.bin`` alone could be anyone's."""
    names = {entry.name.lower(), *(repo.split("/")[1].lower() for repo in entry.repos)}
    others = {file.path for other in CATALOG.values() if other != entry for file in other.files}
    return folder.name.lower() in names or any(file.size or file.path not in others for file in entry.files)


def pinned(entry: ModelEntry, where: Places) -> Pin | None:
    """What the hub gave first of ``entry``; None for what was never taken from there, or has a revision of ours."""
    unpinned = [source.repo for source in _hub_sources(entry) if source.revision is None]
    held = read(where.cache) if unpinned else {}
    return next((held[repo] for repo in unpinned if repo in held), None)


def _hub_snapshots(entry: ModelEntry, hub: Path | None, pin: Pin | None = None) -> Iterator[Path]:
    """Snapshots of ``entry`` in a hub cache, the wanted revision first. Some hosts lower-case the folder's name.

    Where it is pinned, no other revision is taken.
    """
    for source in _hub_sources(entry):
        for repo in _children(hub, "models--" + source.repo.replace("/", "--")):
            if pin and source.revision is None:
                yield repo / "snapshots" / pin.revision
                continue
            wanted = source.revision or "main"
            first = repo / "snapshots" / (_commit(repo / "refs" / wanted) or wanted)
            yield first
            if source.revision is None:
                yield from (folder for folder in sorted(_children(repo / "snapshots")) if folder != first)


def _commit(ref: Path) -> str | None:
    """The commit that a reference in a hub cache names; None where there is no reference or it names none."""
    try:
        found = read_bounded(ref, _MOST_REF_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return found if COMMIT.fullmatch(found) else None


def _stored(entry: ModelEntry, store: Path | None, revision: str | None) -> Iterator[Path]:
    """Revisions of ``entry`` in RunPod's model store; weights may lie deeper, in ``snapshots/<revision>``."""
    for source in _hub_sources(entry):
        organisation, name = source.repo.split("/")
        wanted = source.revision or revision
        repos = (repo for owner in _children(store, organisation) for repo in _children(owner, name))
        for repo in repos:
            for folder in sorted(_children(repo), key=lambda child: (child.name != wanted, child.name)):
                yield from sorted(_children(folder / "snapshots"))
                yield folder


def _hub_sources(entry: ModelEntry) -> Iterator[HubSource]:
    return (source for source in entry.sources if isinstance(source, HubSource))


def _children(folder: Path | None, name: str | None = None) -> Iterator[Path]:
    """Sub-folders of ``folder``, or those called ``name`` in any case, the exact spelling first; none if unreadable."""
    if folder is None:
        return
    try:
        children = [child for child in folder.iterdir() if child.is_dir()]
    except OSError:
        return
    if name is None:
        yield from children
    else:
        same = [child for child in children if child.name.lower() == name.lower()]
        yield from sorted(same, key=lambda child: child.name != name)


def _is_file(path: Path, size: int | None) -> bool:
    try:
        found = path.stat().st_size if path.is_file() else 0
    except OSError:
        return False
    return found > 0 and (size is None or found == size)


def _revision(entry: ModelEntry, folder: Path) -> str | None:
    known = revision(held(entry, folder) or entry.files)
    return known or (folder.name if COMMIT.fullmatch(folder.name) else None)


def _hub_cache(env: Mapping[str, str]) -> Path:
    """As huggingface_hub resolves it, without importing it."""
    if chosen := env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE"):
        return Path(chosen).expanduser()
    if home := env.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    home = env.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # pathlib's raises where there is none
    if base := env.get("XDG_CACHE_HOME"):
        return Path(base).expanduser() / "huggingface" / "hub"
    return Path(home) / ".cache" / "huggingface" / "hub" if home != "~" else cache_dir(env) / "hub"
