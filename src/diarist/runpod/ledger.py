"""What a client must not forget when it dies: jobs that run, and recordings in a bucket.

A small file for each, in the user's state folder: no transcript, no recording, no key. It is made when the job is
submitted or the recording uploaded, and removed when that is over; so what is left belongs to runs that are under way,
were detached, or died. One file each needs no lock. Where nothing can be written, nothing is remembered, and the work
goes on.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from diarist.checks import Finding
from diarist.files import user_folder, write_whole
from diarist.model.errors import InputError

FORGOTTEN_AFTER: Final = 7 * 24 * 3600.0
"""Seconds after which a job's file is removed: the platform has forgotten the job long before."""
_MAX_BYTES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that was submitted.

    Attributes:
        id: the platform's name for it.
        endpoint: id of the endpoint.
        url: of the platform.
        place: e.g. ``"runpod:single"``.
        name: of the recording, for people.
        question: what it asks; see `diarist.runpod.client.request_id`.
        start: second of the recording at which the part that was sent begins.
        whole: whether its result is a transcript; half of one for a leg of ``runpod:split``.
        detached: whether nobody was to wait for it.
        since: when it was submitted, in seconds of Unix time.
        pid: the process that waits for it.
    """

    id: str
    endpoint: str
    url: str
    place: str
    name: str
    question: str
    start: float = 0.0
    whole: bool = True
    detached: bool = False
    since: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it: it was detached, or who waited died."""
        return self.detached or not _alive(self.pid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file in a bucket that shall not stay.

    Attributes:
        bucket: its name.
        key: the file's.
        since: when it was uploaded, in seconds of Unix time.
        pid: the process that deletes it.
    """

    bucket: str
    key: str
    since: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)

    @property
    def abandoned(self) -> bool:
        """Whether the process that was to delete it died."""
        return not _alive(self.pid)


E = TypeVar("E", Job, Upload)


class Ledger:
    """A folder of such files.

    Args:
        folder: None takes the user's; where there is none, nothing is kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        state = user_folder("state")
        self._folder = folder or (state / "runpod" if state else None)

    def add(self, entry: Job | Upload) -> None:
        """Remember an entry."""
        if self._folder is not None:
            with suppress(InputError, OSError):
                write_whole(self._file(self._folder, entry), msgspec.json.encode(entry), mode=0o600)

    def remove(self, entry: Job | Upload) -> None:
        """Forget it; nothing happens if it is not there."""
        if self._folder is not None:
            with suppress(OSError):
                self._file(self._folder, entry).unlink(missing_ok=True)

    def jobs(self) -> list[Job]:
        """All jobs that are not over as far as is known here, oldest first."""
        found = []
        for job in self._all(Job):
            if time.time() - job.since > FORGOTTEN_AFTER:
                self.remove(job)
            else:
                found.append(job)
        return found

    def uploads(self) -> list[Upload]:
        """All files that are still in a bucket as far as is known here, oldest first."""
        return self._all(Upload)

    def abandoned(self, question: str, endpoint: str, url: str) -> Job | None:
        """Find a job that asks the same there and that nobody waits for."""
        asked = (question, endpoint, url)
        return next(
            (job for job in self.jobs() if (job.question, job.endpoint, job.url) == asked and job.abandoned), None
        )

    def _all(self, kind: type[E]) -> list[E]:
        if self._folder is None:
            return []
        found = []
        for file in self._folder.glob(f"{kind.__name__.lower()}-*.json"):
            with suppress(OSError, msgspec.MsgspecError, RecursionError):
                if file.stat().st_size <= _MAX_BYTES:
                    found.append(msgspec.json.decode(file.read_bytes(), type=kind))
        return sorted(found, key=lambda entry: entry.since)

    @staticmethod
    def _file(folder: Path, entry: Job | Upload) -> Path:
        named = entry.id if isinstance(entry, Job) else entry.key
        # Names come from elsewhere and may hold anything.
        plain = re.sub(r"[^A-Za-z0-9-]", "_", named)[-40:]
        digest = hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()[:8]
        return folder / f"{type(entry).__name__.lower()}-{plain}-{digest}.json"


def find(jobs: list[Job], start: str) -> Job:
    """Find a job by its id, or by how it starts.

    Raises:
        InputError: there is none, or several.
    """
    found = [job for job in jobs if job.id == start] or [job for job in jobs if start and job.id.startswith(start)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError("no_such_job", f"No job {start!r} is known on this machine.", "List them: diarist jobs list")
    raise InputError("no_such_job", f"{len(found)} jobs start with {start!r}.", "Write more of its id.")


def left_in_buckets(ledger: Ledger) -> Iterator[Finding]:
    """Name the recordings that a run which died left in a bucket, for ``diarist doctor``."""
    for upload in ledger.uploads():
        if upload.abandoned:
            where = f"s3://{upload.bucket}/{upload.key}"
            days = (time.time() - upload.since) / 86400
            detail = f"{where} was left there {days:.1f} days ago by a run that was killed"
            yield Finding("audio store", "warn", detail, f"diarist jobs tidy, or: aws s3 rm {where}")


def _alive(pid: int) -> bool:
    """Whether a process runs. On Windows nobody can ask without harm, so there it counts as alive."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
