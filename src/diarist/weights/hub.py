"""Files from the Hugging Face hub, into the hub's own cache, where other tools find them too.

``huggingface_hub`` does the transfer: it honours ``HF_ENDPOINT``, ``HF_HUB_CACHE`` and proxies, resumes a broken
transfer while it runs, keeps every finished file, and leaves no partial one. It checks sizes; we check digests. It does
not resume a large file that an earlier process had begun.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diarist.model.errors import DiaristError
from diarist.weights.catalog import HubSource, ModelEntry
from diarist.weights.errors import SourceFailed
from diarist.weights.locate import COMMIT
from diarist.weights.pins import Pin
from diarist.weights.verify import expected_digest, matches, sha256

if TYPE_CHECKING:
    from huggingface_hub.utils.tqdm import tqdm

_DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EIO}
)


def download(
    source: HubSource,
    entry: ModelEntry,
    cache: Path | None,
    report: Callable[[float], None],
    *,
    force: bool = False,
    pin: Pin | None = None,
) -> tuple[Path, Pin]:
    """Fetch the files of ``entry``, all from one commit.

    Args:
        source: the repository. A token, if one is needed, comes from ``HF_TOKEN`` alone.
        entry: the model; files that are not required are fetched if the repository has them.
        cache: the hub cache to fill; None is the hub's default.
        report: told how far it is, 0 to 1; may raise to stop.
        force: fetch files again that the cache holds already.
        pin: what the repository held at the first download, and must hold now.

    Returns:
        The snapshot folder, and what is in it.

    Raises:
        SourceFailed: the hub cannot be reached, refuses, lacks a file, or a file arrived damaged.
        OSError: the disk is full or the cache cannot be written.
    """
    try:
        with _quiet():
            return _download(source, entry, cache, report, force, pin)
    except (DiaristError, SourceFailed):
        raise
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise
        raise _explain(source, error, entry, pin) from error
    except Exception as error:  # network errors are classes of whatever HTTP or xet library the hub's client uses
        raise _explain(source, error, entry, pin) from error


def _download(
    source: HubSource,
    entry: ModelEntry,
    cache: Path | None,
    report: Callable[[float], None],
    force: bool,
    pin: Pin | None,
) -> tuple[Path, Pin]:
    from huggingface_hub import HfApi, hf_hub_download

    token: str | bool = os.environ.get("HF_TOKEN", "").strip() or False
    revision = source.revision or (pin.revision if pin else None)
    info = HfApi().model_info(source.repo, revision=revision, files_metadata=True, token=token)
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    wanted = [file for file in entry.files if file.required or file.path in sizes]
    total = max(1, sum(sizes.get(file.path, 0) for file in wanted))
    before = 0
    folders: set[Path] = set()
    digests: dict[str, str] = {}
    for file in wanted:

        def report_file(done: int, before: int = before) -> None:
            report(min(1.0, (before + done) / total))

        path = Path(
            hf_hub_download(
                source.repo,
                file.path,
                revision=revision,
                cache_dir=cache,
                token=token,
                force_download=force,
                tqdm_class=_bar(report_file),
            )
        )
        before += sizes.get(file.path, 0)
        report(min(1.0, before / total))
        held = pin.files.get(file.path) if pin else None
        if not all(matches(path, expected) for expected in (held, expected_digest(file, path)) if expected):
            with contextlib.suppress(OSError):
                path.resolve().unlink()
                path.unlink(missing_ok=True)
            raise SourceFailed(
                f"{file.path} from {source.repo} is not the file it should be (its digest differs)",
                hint=_moved_on(entry) if held else "",
            )
        known = expected_digest(file, path)
        digests[file.path] = held or (known if known and len(known) == 64 else sha256(path))
        folders.add(path.parents[len(Path(file.path).parts) - 1])
    if not folders:
        raise SourceFailed(f"the catalog names no files for {entry.name}")
    folder = folders.pop()
    if folders or not COMMIT.fullmatch(folder.name):
        raise SourceFailed(f"{source.repo} changed on the hub while it was fetched")
    return folder, Pin(folder.name, digests)


def compare(source: HubSource, entry: ModelEntry, scratch: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ask the hub whether it still holds the files of ``entry``, and whether they are what the catalog says.

    Large files have their SHA-256 in the repository's listing, so they need not be fetched; small ones are.

    Args:
        source: the repository. A token, if one is needed, comes from ``HF_TOKEN`` alone.
        entry: the model.
        scratch: an existing folder for small files, which the caller deletes.

    Returns:
        Paths of the files whose digest was compared, and of those that are there but of which we know no digest.

    Raises:
        SourceFailed: the hub cannot be reached, refuses, lacks a file, or a file is another.
    """
    try:
        with _quiet():
            return _compare(source, entry, scratch)
    except SourceFailed:
        raise
    except Exception as error:  # as in `download`
        raise _explain(source, error, entry, None) from error


def _compare(source: HubSource, entry: ModelEntry, scratch: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from huggingface_hub import HfApi, hf_hub_download

    token: str | bool = os.environ.get("HF_TOKEN", "").strip() or False
    info = HfApi().model_info(source.repo, revision=source.revision, files_metadata=True, token=token)
    listed = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    compared, unknown = [], []
    for file in entry.files:
        there = listed.get(file.path)
        if there is None:
            if file.required:
                raise SourceFailed(f"{source.repo} on the hub lacks {file.path}")
            continue
        same = file.size is None or there.size in (None, file.size)
        if file.sha256 is None:
            unknown.append(file.path)
        elif same and there.lfs is not None:
            same = there.lfs.sha256 == file.sha256
            compared.append(file.path)
        elif same:
            path = hf_hub_download(source.repo, file.path, revision=info.sha, cache_dir=scratch, token=token)
            same = matches(Path(path), file.sha256)
            compared.append(file.path)
        if not same:
            raise SourceFailed(f"{file.path} from {source.repo} is not the file it should be")
    return tuple(compared), tuple(unknown)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client's warnings out of the log: they quote download addresses, which may be signed."""
    from huggingface_hub.utils import logging as client

    level = client.get_verbosity()
    client.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        client.set_verbosity(level)


def _bar(report: Callable[[int], None]) -> type[tqdm]:
    """A progress bar class that shows nothing and passes on the bytes that have arrived."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]
            self._done = int(kwargs.get("initial") or 0)

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            report(self._done)

    return Bar


def _moved_on(entry: ModelEntry) -> str:
    return f"To take what the hub has now instead: diarist models remove {entry.name}, then pull it again."


def _explain(source: HubSource, error: Exception, entry: ModelEntry, pin: Pin | None) -> SourceFailed:
    """What went wrong, without addresses: they may be signed."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError) or status == 403 or (source.gated and status == 401):
        return SourceFailed(
            f"the hub asks for consent before it hands out {source.repo}",
            code="weights_gated",
            hint=f"Accept the terms at https://huggingface.co/{source.repo} and set HF_TOKEN to your token.",
        )
    if isinstance(error, RevisionNotFoundError):
        if pin and not source.revision:
            return SourceFailed(
                f"{source.repo} on the hub has no longer the commit {pin.revision[:12]} that was taken first",
                hint=_moved_on(entry),
            )
        return SourceFailed(f"{source.repo} on the hub has no revision {source.revision}")
    if isinstance(error, RepositoryNotFoundError):
        return SourceFailed(f"the hub has no repository {source.repo}, or only for those it knows")
    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return SourceFailed(f"{source.repo} on the hub lacks a file it should hold")
    if status is not None:
        return SourceFailed(f"the hub answered {status} for {source.repo}", unreached=status >= 500 or status == 429)
    return SourceFailed(f"the hub could not be reached for {source.repo} ({type(error).__name__})", unreached=True)
