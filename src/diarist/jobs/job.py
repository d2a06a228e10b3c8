"""What a store of jobs tells of them, and its errors.

The life of a job:

    queued ──lease──► running ──finish──► completed
      ▲                 │ │ └───fail────► failed      (also: three attempts begun and none ended, ``"crashed"``)
      └──hand back, ────┘ └───cancel────► cancelled   (from queued, too)
         lease ran out

Everything that a worker does to a job is fenced by its lease: once another has the job, or nobody shall have it any
more, it changes nothing and gets `LeaseLostError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from diarist.model.errors import DiaristError, InputError

State: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]

MAX_ATTEMPTS: Final = 3
"""Attempts after which a job that never ended is given up: a recording that ends its worker must not do so for ever."""


class StoreError(DiaristError):
    """The place where jobs are kept failed (HTTP 500 unless ``http_status`` says 413, 429 or 503)."""

    def __init__(self, code: str, message: str, hint: str = "", *, http_status: int = 500) -> None:
        super().__init__(code, message, hint)
        self.http_status = http_status  # type: ignore[misc]  # one instance may be narrower than its class


class JobNotFoundError(InputError):
    """There is no such job, or it is another owner's: nobody learns which (HTTP 404)."""

    def __init__(self, job_id: str) -> None:
        shown = " ".join(job_id.split())[:64]
        hint = "It may have been deleted, or kept for as long as it was to be; list the jobs, or submit it again."
        super().__init__("job_not_found", f"There is no job {shown!r}.", hint, http_status=404)


class Conflict(InputError):
    """The transcript was changed since the caller read it (HTTP 412).

    Attributes:
        revision: the one that it has now.
    """

    def __init__(self, revision: int) -> None:
        message = f"The transcript was changed by somebody else: it is at revision {revision} now."
        hint = "Read it again, and make your change to that."
        super().__init__("revision_conflict", message, hint, http_status=412)
        self.revision = revision


class LeaseLostError(DiaristError):
    """The job is not this worker's any more: taken over, cancelled or deleted. Stop working on it.

    Nothing was changed.
    """

    http_status = 409

    def __init__(self) -> None:
        super().__init__("lease_lost", "The job was taken from this worker.", "Stop working on it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a caller asks for.

    Attributes:
        owner: id of the caller's key; empty where there are no keys.
        request: JSON; opaque to the store.
        digest: identity of the work: the recording's bytes, options and models.
        name: the file's name, for people.
        audio: name of a file below the state folder, written and synced before the job is added; None for a URL.
        audio_bytes: its size.
        seconds: length of the recording; None where not known yet.
        transient: whether it is a plain request's: not listed, joined by identical work, erased soon after its end.
        idempotency_key: the caller's own name for this submission; the same again is the same job.
        webhook: JSON (where to, what signs it), opaque to the store; None for no call when the job ends.
    """

    owner: str
    request: str
    digest: str
    name: str = ""
    audio: str | None = None
    audio_bytes: int = 0
    seconds: float | None = None
    transient: bool = False
    idempotency_key: str | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it is now. Times are unix seconds.

    Attributes:
        id: 128 random bits, safe in URLs.
        owner: id of the key that it was submitted with; empty where there are no keys.
        state: see the module's drawing.
        transient: whether it is a plain request's.
        request: JSON; opaque to the store. Empty where many jobs are told at once.
        digest: identity of the work.
        name: the file's name, for people.
        audio: name of a file below the state folder; None where there is none, or no longer.
        audio_bytes: its size.
        seconds: length of the recording; None where not known yet.
        created: when it was submitted.
        started: when its last attempt began; None before.
        ended: when it was completed, failed or cancelled; None before.
        expires: when it will be erased; None before its end, and where it is kept for ever.
        attempts: attempts begun, but those handed back.
        progress: share done by stage, 0 to 1.
        error: of a failed job, as `jobs.wire_errors.write_error` writes it.
        revision: of its transcript: 0 as computed, and one more for each change.
    """

    id: str
    owner: str
    state: State
    transient: bool
    request: str
    digest: str
    name: str
    audio: str | None
    audio_bytes: int
    seconds: float | None
    created: float
    started: float | None
    ended: float | None
    expires: float | None
    attempts: int
    progress: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on a job.

    Attributes:
        job: as it was when the lease was taken.
        token: what fences it: no two leases have the same.
        until: unix time at which others may take the job, unless it is renewed.
    """

    job: Job
    token: str
    until: float


@dataclass(frozen=True, slots=True)
class Load:
    """What waits and what runs of one owner.

    Attributes:
        queued: jobs waiting.
        running: jobs leased.
        seconds_queued: audio waiting, in seconds; recordings of unknown length count nothing.
    """

    queued: int = 0
    running: int = 0
    seconds_queued: float = 0.0


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a transcript.

    Attributes:
        revision: what it led to, from 1.
        operations: JSON, as given.
        at: unix seconds.
    """

    revision: int
    operations: str
    at: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A job whose transcript holds what was looked for.

    Attributes:
        job: which.
        text: the first paragraph that holds any of it.
        start: where that begins in the recording, in seconds; None where it is not known.
    """

    job: Job
    text: str
    start: float | None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A call that is to be made because a job ended.

    Attributes:
        id: the same for each try, so that its receiver can tell.
        job: which ended.
        state: how it ended.
        webhook: as given with the job.
        ended: when it did, unix seconds.
        tries: that were made before this one.
    """

    id: str
    job: str
    state: State
    webhook: str
    ended: float
    tries: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes that jobs take on the disk.

    Attributes:
        database: rows, results and search index, with the journal.
        audio: recordings below the state folder.
    """

    database: int
    audio: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.database + self.audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """For how many seconds after a job's end it is kept.

    None is for ever; 0 is until the caller has said that the answer was collected, or for a day where nobody collects
    it.

    Attributes:
        audio: the recording.
        text: everything else; a recording does not outlive it.
        transient: text of plain requests, if that is shorter: for a client that timed out and asks again.
    """

    audio: float | None = 86_400.0
    text: float | None = 30 * 86_400.0
    transient: float = 600.0
