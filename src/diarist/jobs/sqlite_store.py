"""A store of jobs in one SQLite file: no service to run, and nothing lost by ``kill -9``.

huey was rejected: it deletes a job's row before running it, so a kill loses the job. procrastinate and pgqueuer need
Postgres, arq, saq and taskiq Redis or Postgres; `JobStore` is the port that one of those could stand behind.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from diarist.jobs import rows, search
from diarist.jobs.database import Database
from diarist.jobs.job import Edit, Hit, Job, Keep, Lease, Load, NewJob, State, StoreError, Usage, Webhook

log = logging.getLogger("diarist.jobs")

_MOST_LISTED: Final = 1000
_QUEUED: Final = f"SELECT {rows.BRIEF} FROM jobs WHERE state = 'queued' ORDER BY seq"  # noqa: S608  # our own words
_DUE: Final = (
    "SELECT seq, ended <= iif(transient, ?1, ?2) AS is_over FROM jobs"
    " WHERE ended IS NOT NULL AND (is_over OR (audio IS NOT NULL AND ended <= ?3))"
)


class SQLiteJobStore:
    """Implements `JobStore` with a file of SQLite.

    Every write waits for the disk. Deleting writes the whole file anew; while it does, others can read.

    Args:
        path: the file; made if it is not there, migrated if an earlier release wrote it.
        keep: for how long jobs are kept after their end; another rule than before is true of earlier jobs, too.
        clock: unix seconds.

    Raises:
        StoreError: it cannot be opened, is not ours, or a newer release wrote it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep: Keep | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = Database(path)
        self._keep = keep or Keep()
        self._clock = clock

    def add(self, new: NewJob) -> tuple[Job, bool]:
        """See `JobStore.add`."""
        with self._database.writing() as db:
            if earlier := rows.repeated(db, new):
                return self._job(earlier), False
            row = db.execute(
                "INSERT INTO jobs (id, owner, state, transient, request, digest, name, audio, audio_bytes, seconds,"
                " created, idempotency_key, webhook) VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    rows.new_id(), new.owner, new.transient, new.request, new.digest,
                    new.name.encode(errors="replace").decode(), new.audio, new.audio_bytes, new.seconds, self._clock(),
                    new.idempotency_key, new.webhook,
                ),
            ).fetchone()  # fmt: skip
            return self._job(row), True

    def queued(self) -> tuple[Job, ...]:
        """See `JobStore.queued`."""
        now = self._clock()
        with self._database.reading() as db:
            lapsed = db.execute("SELECT 1 FROM jobs WHERE state = 'running' AND leased_until <= ?", (now,)).fetchone()
        if lapsed:
            with self._database.writing() as db:
                rows.put_back(db, "leased_until <= ?", now, now)
        with self._database.reading() as db:
            return tuple(map(self._job, db.execute(_QUEUED)))

    def lease(self, job_id: str, worker: str, seconds: float) -> Lease | None:
        """See `JobStore.lease`."""
        now, token = self._clock(), rows.new_id()
        with self._database.writing() as db:
            row = db.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started = ?, token = ?, worker = ?,"
                " leased_until = ?, progress = '{}' WHERE id = ? AND state = 'queued' RETURNING *",
                (now, token, worker, now + seconds, job_id),
            ).fetchone()
            return Lease(self._job(row), token, now + seconds) if row else None

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """See `JobStore.renew`."""
        until = self._clock() + seconds
        with self._database.writing() as db:
            db.execute("UPDATE jobs SET leased_until = ? WHERE seq = ?", (until, rows.held_key(db, lease)))
        return Lease(lease.job, lease.token, until)

    def progress(self, lease: Lease, done: Mapping[str, float]) -> None:
        """See `JobStore.progress`."""
        with self._database.writing() as db:
            seq = rows.held_key(db, lease)
            (before,) = db.execute("SELECT progress FROM jobs WHERE seq = ?", (seq,)).fetchone()
            after = json.dumps({**json.loads(before), **done})
            db.execute("UPDATE jobs SET progress = ? WHERE seq = ?", (after, seq))

    def describe(
        self,
        lease: Lease,
        *,
        seconds: float | None = None,
        audio: str | None = None,
        audio_bytes: int | None = None,
    ) -> None:
        """See `JobStore.describe`."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE jobs SET seconds = ifnull(?, seconds), audio = ifnull(?, audio),"
                " audio_bytes = ifnull(?, audio_bytes) WHERE seq = ?",
                (seconds, audio, audio_bytes, rows.held_key(db, lease)),
            )

    def keep(self, lease: Lease, part: str, blob: bytes) -> None:
        """See `JobStore.keep`."""
        with self._database.writing() as db:
            rows.keep_parts(db, rows.held_key(db, lease), {part: blob})

    def parts(self, job_id: str) -> Mapping[str, bytes]:
        """See `JobStore.parts`."""
        with self._database.reading() as db:
            seq = rows.job_key(db, job_id, None)
            return dict(db.execute("SELECT name, blob FROM parts WHERE job = ?", (seq,)).fetchall())

    def finish(self, lease: Lease, transcript: str, parts: Mapping[str, bytes] | None = None) -> Job:
        """See `JobStore.finish`."""
        words = None if lease.job.transient else search.indexed(transcript)
        with self._database.writing() as db:
            seq = rows.held_key(db, lease)
            rows.keep_parts(db, seq, parts or {})
            db.execute("INSERT INTO transcripts (job, computed) VALUES (?, ?)", (seq, transcript))
            rows.index(db, seq, words)
            return self._job(rows.end(db, seq, self._clock(), "completed"))

    def fail(self, lease: Lease, error: str) -> Job:
        """See `JobStore.fail`."""
        with self._database.writing() as db:
            return self._job(rows.end(db, rows.held_key(db, lease), self._clock(), "failed", error))

    def hand_back(self, lease: Lease) -> None:
        """See `JobStore.hand_back`."""
        with self._database.writing() as db:
            seq = rows.held_key(db, lease)
            db.execute("UPDATE jobs SET attempts = attempts - 1 WHERE seq = ?", (seq,))
            rows.queue(db, seq)

    def release(self, worker: str) -> int:
        """See `JobStore.release`."""
        with self._database.writing() as db:
            return rows.put_back(db, "worker = ?", worker, self._clock())

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """See `JobStore.get`."""
        with self._database.reading() as db:
            return self._read(db, rows.job_key(db, job_id, owner))

    def list(
        self, owner: str | None = None, *, state: State | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Job]:
        """See `JobStore.list`."""
        with self._database.reading() as db:
            below = math.inf if before is None else rows.job_key(db, before, owner)
            found = db.execute(
                f"SELECT {rows.BRIEF} FROM jobs WHERE NOT transient AND owner = ifnull(?, owner)"  # noqa: S608
                " AND state = ifnull(?, state) AND seq < ? ORDER BY seq DESC LIMIT ?",
                (owner, state, below, max(1, min(limit, _MOST_LISTED))),
            )
            return tuple(map(self._job, found))

    def load(self) -> Mapping[str, Load]:
        """See `JobStore.load`."""
        with self._database.reading() as db:
            found = db.execute(
                "SELECT owner, sum(state = 'queued'), sum(state = 'running'),"
                " total(CASE state WHEN 'queued' THEN seconds END) FROM jobs WHERE ended IS NULL GROUP BY owner"
            ).fetchall()
        return {owner: Load(*counts) for owner, *counts in found}

    def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """See `JobStore.cancel`."""
        with self._database.writing() as db:
            seq = rows.job_key(db, job_id, owner)
            job = self._read(db, seq)
            return job if job.ended is not None else self._job(rows.end(db, seq, self._clock(), "cancelled"))

    def delete(self, job_id: str, owner: str | None = None) -> tuple[str, ...]:
        """See `JobStore.delete`."""
        with self._database.writing() as db:
            audio = rows.erase(db, [rows.job_key(db, job_id, owner)])
        self._scrub()
        return audio

    def collected(self, job_id: str) -> tuple[str, ...]:
        """See `JobStore.collected`."""
        with self._database.writing() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ? AND ended IS NOT NULL", (job_id,)).fetchone()
            if row is None:
                return ()
            if self._keep.text == 0 or (row["transient"] and self._keep.transient == 0):
                audio = rows.erase(db, [row["seq"]])
            else:
                audio = rows.part_from_audio(db, [row["seq"]]) if self._keep.audio == 0 else ()
        self._scrub()
        return audio

    def transcript(self, job_id: str, owner: str | None = None, *, edited: bool = True) -> str:
        """See `JobStore.transcript`."""
        with self._database.reading() as db:
            found = db.execute(
                "SELECT iif(?, ifnull(edited, computed), computed) FROM transcripts WHERE job = ?",
                (edited, rows.job_key(db, job_id, owner)),
            ).fetchone()
        if found is None:
            raise rows.no_transcript()
        return str(found[0])

    def edit(self, job_id: str, owner: str | None, *, if_match: int, operations: str, transcript: str) -> int:
        """See `JobStore.edit`."""
        words = search.indexed(transcript)
        with self._database.writing() as db:
            seq, revision = rows.next_revision(db, job_id, owner, if_match)
            db.execute("UPDATE transcripts SET edited = ? WHERE job = ?", (transcript, seq))
            db.execute("INSERT INTO edits VALUES (?, ?, ?, ?)", (seq, revision, operations, self._clock()))
            rows.index(db, seq, words)
        return revision

    def history(self, job_id: str, owner: str | None = None) -> Sequence[Edit]:
        """See `JobStore.history`."""
        with self._database.reading() as db:
            found = db.execute(
                "SELECT revision, operations, at FROM edits WHERE job = ? ORDER BY revision",
                (rows.job_key(db, job_id, owner),),
            ).fetchall()
        return tuple(Edit(*row) for row in found)

    def replace_transcript(
        self,
        job_id: str,
        owner: str | None,
        *,
        if_match: int,
        transcript: str,
        parts: Mapping[str, bytes] | None = None,
    ) -> int:
        """See `JobStore.replace_transcript`."""
        words = search.indexed(transcript)
        with self._database.writing() as db:
            seq, revision = rows.next_revision(db, job_id, owner, if_match)
            db.execute("UPDATE transcripts SET computed = ?, edited = NULL WHERE job = ?", (transcript, seq))
            db.execute("DELETE FROM edits WHERE job = ?", (seq,))
            rows.keep_parts(db, seq, parts or {})
            rows.index(db, seq, words)
        return revision

    def search(self, owner: str | None, text: str, *, limit: int = 20) -> Sequence[Hit]:
        """See `JobStore.search`."""
        query = search.query(text)
        if query is None:
            return ()
        with self._database.reading() as db:
            found = db.execute(
                "SELECT jobs.*, ifnull(edited, computed) AS transcript FROM words JOIN jobs ON seq = words.rowid"
                " JOIN transcripts ON job = seq WHERE words MATCH ? AND owner = ifnull(?, owner)"
                " ORDER BY words.rank LIMIT ?",
                (query.match, owner, max(1, min(limit, _MOST_LISTED))),
            ).fetchall()
        best = [query.best(search.paragraphs(row["transcript"])) for row in found]
        return tuple(Hit(self._job(row), said.text, said.start) for row, said in zip(found, best, strict=True))

    def due(self, *, hold: float = 60.0) -> Sequence[Webhook]:
        """See `JobStore.due`."""
        now = self._clock()
        with self._database.reading() as db:
            if not db.execute("SELECT 1 FROM webhooks WHERE due <= ? LIMIT 1", (now,)).fetchone():
                return ()
        with self._database.writing() as db:
            found = db.execute(
                "SELECT webhooks.id, jobs.id, state, webhook, ended, tries FROM webhooks JOIN jobs ON seq = job"
                " WHERE due <= ? ORDER BY due, seq",
                (now,),
            ).fetchall()
            db.execute("UPDATE webhooks SET due = ? WHERE due <= ?", (now + hold, now))
        return tuple(Webhook(*row) for row in found)

    def delivered(self, webhook_id: str) -> None:
        """See `JobStore.delivered`."""
        self.dropped(webhook_id)

    def retry_at(self, webhook_id: str, when: float) -> None:
        """See `JobStore.retry_at`."""
        with self._database.writing() as db:
            db.execute("UPDATE webhooks SET due = ?, tries = tries + 1 WHERE id = ?", (when, webhook_id))

    def dropped(self, webhook_id: str) -> None:
        """See `JobStore.dropped`."""
        with self._database.writing() as db:
            db.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))

    def expire(self) -> tuple[str, ...]:
        """See `JobStore.expire`."""
        now = self._clock()
        ended_before = (
            now - rows.life(self._keep, transient=True),
            now - rows.life(self._keep, transient=False),
            now - rows.seconds_kept(self._keep.audio),
        )
        audio: tuple[str, ...] = ()
        with self._database.reading() as db:
            is_any_due = db.execute(f"{_DUE} LIMIT 1", ended_before).fetchone()
        if is_any_due:
            with self._database.writing() as db:
                due = db.execute(_DUE, ended_before).fetchall()
                audio = rows.erase(db, [seq for seq, is_over in due if is_over])
                audio += rows.part_from_audio(db, [seq for seq, is_over in due if not is_over])
        self._scrub()
        return audio

    def evict(self, num_bytes: int) -> tuple[str, ...]:
        """See `JobStore.evict`."""
        with self._database.writing() as db:
            sizes = db.execute(
                "SELECT seq, audio_bytes FROM jobs WHERE ended IS NOT NULL AND audio IS NOT NULL ORDER BY ended, seq"
            ).fetchall()
            chosen, missing = _first(sizes, num_bytes)
            audio = rows.part_from_audio(db, chosen)
            if missing > 0:
                sizes = db.execute(
                    "SELECT seq, ifnull((SELECT length(CAST(computed || ifnull(edited, '') AS BLOB))"
                    " FROM transcripts WHERE job = seq), 0)"
                    " + ifnull((SELECT sum(length(blob)) FROM parts WHERE job = seq), 0)"
                    " FROM jobs WHERE ended IS NOT NULL ORDER BY ended, seq"
                ).fetchall()
                audio += rows.erase(db, _first(sizes, missing)[0])
        self._scrub()
        return audio

    def audio(self) -> frozenset[str]:
        """See `JobStore.audio`."""
        with self._database.reading() as db:
            return frozenset(name for (name,) in db.execute("SELECT audio FROM jobs WHERE audio IS NOT NULL"))

    def usage(self) -> Usage:
        """See `JobStore.usage`."""
        with self._database.reading() as db:
            (audio,) = db.execute(
                "SELECT ifnull(sum(size), 0) FROM (SELECT max(audio_bytes) AS size FROM jobs"
                " WHERE audio IS NOT NULL GROUP BY audio)"
            ).fetchone()
        return Usage(self._database.size(), audio)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """See `JobStore.backup`."""
        self._database.copy(path)

    def close(self) -> None:
        """See `JobStore.close`."""
        self._database.close()

    def _read(self, db: sqlite3.Connection, seq: int) -> Job:
        return self._job(db.execute("SELECT * FROM jobs WHERE seq = ?", (seq,)).fetchone())

    def _job(self, row: sqlite3.Row) -> Job:
        return rows.job_of(row, self._keep)

    def _scrub(self) -> None:
        """Leave no trace of what was erased. Where that is not possible now, the next `expire` does it."""
        try:
            self._database.scrub()
        except StoreError as error:
            log.warning("jobs: traces of deleted jobs stay on the disk for now: %s", error.code)


def _first(sizes: Iterable[Sequence[int]], needed: int) -> tuple[list[int], int]:
    """The first few that make up a size together, and what they still lack of it."""
    chosen = []
    for seq, size in sizes:
        if needed <= 0:
            break
        chosen.append(seq)
        needed -= size
    return chosen, needed
