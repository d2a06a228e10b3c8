"""What is done to the rows of jobs within a transaction that somebody else began."""

from __future__ import annotations

import json
import math
import re
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from diarist.jobs.job import MAX_ATTEMPTS, Conflict, Job, JobNotFoundError, Keep, Lease, LeaseLostError, NewJob, State
from diarist.jobs.wire_errors import write_error
from diarist.model.errors import InputError

UNCOLLECTED_SECONDS: Final = 86_400.0
"""How long an answer that is to go once it is collected waits for that."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_FIELDS: Final = (
    "id", "owner", "state", "request", "digest", "name", "audio", "audio_bytes", "seconds", "created", "started",
    "ended", "attempts", "error", "revision",
)  # fmt: skip
BRIEF: Final = ", ".join(
    "'' AS request" if name == "request" else name for name in ("seq", *_FIELDS, "transient", "progress")
)
"""Columns of a job without what it asks, which may hold megabytes of voices."""

_CRASHED: Final = write_error(
    InputError(
        "crashed",
        f"Work on this recording broke off {MAX_ATTEMPTS} times, and each time took its worker along.",
        "Convert it to another format, or cut it, and submit that; the server's log may say more.",
        http_status=422,
    )
)


def life(keep: Keep, *, transient: bool) -> float:
    """Seconds from a job's end until it is erased."""
    text = seconds_kept(keep.text)
    return min(text, seconds_kept(keep.transient)) if transient else text


def seconds_kept(rule: float | None) -> float:
    """What one of the rules of `Keep` comes to where nobody collects the answer."""
    return math.inf if rule is None else rule or UNCOLLECTED_SECONDS


def new_id() -> str:
    """128 random bits, safe in URLs."""
    return secrets.token_urlsafe(16)


def job_of(row: sqlite3.Row, keep: Keep) -> Job:
    """The noun of a row."""
    kept = life(keep, transient=bool(row["transient"]))
    return Job(
        **{name: row[name] for name in _FIELDS},
        transient=bool(row["transient"]),
        progress=json.loads(row["progress"]),
        expires=None if row["ended"] is None or kept == math.inf else row["ended"] + kept,
    )


def job_key(db: sqlite3.Connection, job_id: str, owner: str | None) -> int:
    """The key of a job's rows.

    Raises:
        JobNotFoundError: there is no such job of this owner.
    """
    if _ID.fullmatch(job_id):
        found = db.execute("SELECT seq FROM jobs WHERE id = ? AND owner = ifnull(?, owner)", (job_id, owner)).fetchone()
        if found:
            return int(found["seq"])
    raise JobNotFoundError(job_id)


def held_key(db: sqlite3.Connection, lease: Lease) -> int:
    """The key of a leased job's rows.

    Raises:
        LeaseLostError: another has it, or nobody shall.
    """
    found = db.execute("SELECT seq FROM jobs WHERE id = ? AND token = ?", (lease.job.id, lease.token)).fetchone()
    if found is None:
        raise LeaseLostError
    return int(found["seq"])


def repeated(db: sqlite3.Connection, new: NewJob) -> sqlite3.Row | None:
    """The earlier job that a new one repeats; see `JobStore.add`."""
    found: sqlite3.Row | None = None
    if new.idempotency_key is not None:
        found = db.execute(
            "SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?", (new.owner, new.idempotency_key)
        ).fetchone()
        if found and found["digest"] != new.digest:
            message = "This Idempotency-Key was used for another recording or for other options."
            raise InputError("idempotency_mismatch", message, "Take a new key for new work.", http_status=422)
    if found is None and new.transient:
        found = db.execute(
            "SELECT * FROM jobs WHERE owner = ? AND digest = ? AND state IN ('queued', 'running', 'completed')"
            " AND revision = 0 ORDER BY state = 'completed' DESC, seq LIMIT 1",
            (new.owner, new.digest),
        ).fetchone()
    return found


def put_back(db: sqlite3.Connection, where: str, value: object, now: float) -> int:
    """Queue running jobs of workers that are gone, or end them after their last attempt.

    Args:
        db: writing.
        where: our own condition, with one place for ``value``.
        value: see there.
        now: unix seconds.

    Returns:
        How many there were.
    """
    where = f"state = 'running' AND {where}"
    last = db.execute(f"SELECT seq FROM jobs WHERE {where} AND attempts >= ?", (value, MAX_ATTEMPTS)).fetchall()  # noqa: S608
    for (seq,) in last:
        end(db, seq, now, "failed", _CRASHED)
    again = db.execute(f"SELECT seq FROM jobs WHERE {where}", (value,)).fetchall()  # noqa: S608
    for (seq,) in again:
        queue(db, seq)
    return len(last) + len(again)


def queue(db: sqlite3.Connection, seq: int) -> None:
    """Have a running job wait again."""
    db.execute(
        "UPDATE jobs SET state = 'queued', token = NULL, worker = NULL, leased_until = NULL WHERE seq = ?", (seq,)
    )


def end(db: sqlite3.Connection, seq: int, now: float, state: State, error: str | None = None) -> sqlite3.Row:
    """End a job; that somebody is to be told goes into the same transaction."""
    db.execute(
        "INSERT INTO webhooks (id, job, due) SELECT ?, seq, ? FROM jobs WHERE seq = ? AND webhook IS NOT NULL",
        (f"msg_{new_id()}", now, seq),
    )
    row: sqlite3.Row = db.execute(
        "UPDATE jobs SET state = ?, ended = ?, error = ?, token = NULL, worker = NULL, leased_until = NULL"
        " WHERE seq = ? RETURNING *",
        (state, now, error, seq),
    ).fetchone()
    return row


def keep_parts(db: sqlite3.Connection, seq: int, parts: Mapping[str, bytes]) -> None:
    """Keep parts of a job's result, each in place of one of its name."""
    db.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", [(seq, name, blob) for name, blob in parts.items()])


def index(db: sqlite3.Connection, seq: int, words: str | None) -> None:
    """Have a job found by these words and no others."""
    db.execute("DELETE FROM words WHERE rowid = ?", (seq,))
    if words:
        db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (seq, words))


def next_revision(db: sqlite3.Connection, job_id: str, owner: str | None, if_match: int) -> tuple[int, int]:
    """Count up the revision of a job's transcript.

    Returns:
        The key of its rows, and the revision.

    Raises:
        Conflict: it is not at the revision ``if_match``.
        InputError: it has no transcript.
    """
    seq = job_key(db, job_id, owner)
    state, revision = db.execute("SELECT state, revision FROM jobs WHERE seq = ?", (seq,)).fetchone()
    if state != "completed":
        raise no_transcript()
    if revision != if_match:
        raise Conflict(revision)
    db.execute("UPDATE jobs SET revision = revision + 1 WHERE seq = ?", (seq,))
    return seq, revision + 1


def no_transcript() -> InputError:
    """What to say where a job is not completed."""
    hint = "Ask for the job's state; wait until it is completed."
    return InputError("no_transcript", "This job has no transcript.", hint, http_status=409)


def erase(db: sqlite3.Connection, seqs: Sequence[int]) -> tuple[str, ...]:
    """Delete jobs with all that hangs on them.

    Returns:
        Names of audio files that no job needs any more.
    """
    audio = part_from_audio(db, seqs)
    for seq in seqs:
        db.execute("DELETE FROM words WHERE rowid = ?", (seq,))
        db.execute("DELETE FROM jobs WHERE seq = ?", (seq,))
    if seqs:
        db.execute("INSERT INTO traces DEFAULT VALUES")
    return audio


def part_from_audio(db: sqlite3.Connection, seqs: Iterable[int]) -> tuple[str, ...]:
    """Have jobs forget their audio files; returns as `erase`."""
    names: list[str] = []
    for seq in seqs:
        (name,) = db.execute("SELECT audio FROM jobs WHERE seq = ?", (seq,)).fetchone()
        db.execute("UPDATE jobs SET audio = NULL, audio_bytes = 0 WHERE seq = ?", (seq,))
        if name is not None and not db.execute("SELECT 1 FROM jobs WHERE audio = ?", (name,)).fetchone():
            names.append(name)
    return tuple(names)
