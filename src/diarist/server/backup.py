"""A copy of a server's state, taken while it works; unpacked into an empty folder, it is a state folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from diarist.files import absolute, why
from diarist.jobs.sqlite_store import SQLiteJobStore
from diarist.model.errors import InputError


def write_backup(state: Path, target: Path) -> None:
    """Write jobs, transcripts, edits, keys and voices into a tar file, for its user alone to read.

    Of recordings, only those of jobs that are not done are in it: of the others, the words are there.

    Args:
        state: the server's folder; it may run meanwhile.
        target: the file; whole or not there at all.

    Raises:
        InputError: there is no state, there is a file already, or it cannot be written.
        StoreError: the state cannot be read.
    """
    hint = "Name a file that is not there yet, on a disk with room."
    if not (state / "jobs.db").is_file():
        raise InputError("no_state", f"No server has kept anything in {state}.", "Name its folder: --state DIR")
    if target.exists():
        raise InputError("backup_exists", f"There is a file {target} already.", hint)
    try:
        with tempfile.TemporaryDirectory(prefix=".diarist-", dir=absolute(target).parent) as folder:
            copies = Path(folder)
            recordings = _copy_jobs(state, copies)
            _copy_keys(state / "keys.db", copies / "keys.db")
            if (state / "voices").is_dir():
                shutil.copytree(state / "voices", copies / "voices", ignore=shutil.ignore_patterns(".*"))
            draft = copies / "backup.tar"
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with draft.open("wb") as file:
                with tarfile.open(fileobj=file, mode="w") as archive:
                    for path in sorted(copies.iterdir()):
                        if path != draft:
                            archive.add(path, path.name)
                    for name in recordings:
                        with contextlib.suppress(FileNotFoundError):  # the job ended meanwhile
                            archive.add(state / "audio" / name, f"audio/{name}")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
    except OSError as error:
        raise InputError("cannot_write", f"Cannot write {target}: {why(error)}.", hint) from error


def _copy_jobs(state: Path, copies: Path) -> list[str]:
    """Copy the jobs; returns the names of the recordings that those under way need."""
    with contextlib.closing(SQLiteJobStore(state / "jobs.db")) as store:
        store.backup(copies / "jobs.db")
    with contextlib.closing(SQLiteJobStore(copies / "jobs.db")) as copy:
        open_jobs = [*copy.list(state="queued", limit=1000), *copy.list(state="running", limit=1000)]
    return [job.audio for job in open_jobs if job.audio is not None]


def _copy_keys(source: Path, target: Path) -> None:
    if not source.is_file():
        return
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(source)) as keys, contextlib.closing(sqlite3.connect(target)) as copy:
            keys.backup(copy)
    except sqlite3.Error as error:
        raise InputError("bad_keys", f"Cannot copy {source}: {error}.", "See who may read it.") from error
