"""What is kept of jobs, and for how long: the port that every store of jobs implements.

`diarist.jobs.sqlite_store` implements it with the standard library's SQLite. What a request, an audio file's name or a
part *is* remains its caller's matter; of a transcript the store knows the words, so that they can be found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from diarist.jobs.job import Edit, Hit, Job, Lease, Load, NewJob, State, Usage, Webhook


class JobStore(Protocol):
    """Keeps jobs so that none is lost and none is done twice, and erases them so that no word is left.

    Safe to call from any thread, and from several processes on one machine. Every call is one transaction: it is done
    and on the disk when it returns, or nothing of it is.

    Every method may raise `StoreError`; those that take an owner raise `JobNotFoundError` for the job of another. An
    ``owner`` of None asks for whosever job it is: for the server itself, never for what a caller sent.
    """

    def add(self, new: NewJob) -> tuple[Job, bool]:
        """Accept a job, or find the one that it repeats.

        A job with an idempotency key is the owner's earlier one with that key. A transient job joins the owner's job
        with the same digest that is queued, running or completed, unless somebody changed its transcript.

        Returns:
            The job, and whether it is new; if not, what was uploaded for it again can go.

        Raises:
            InputError: ``"idempotency_mismatch"`` (HTTP 422), the key was used for other work.
        """

    def queued(self) -> tuple[Job, ...]:
        """The jobs that wait for a worker, in order of arrival; which is next is for the caller to decide.

        Leases that ran out end here: their jobs are among those that wait, or failed if it was their last attempt.
        """

    def lease(self, job_id: str, worker: str, seconds: float) -> Lease | None:
        """Begin an attempt at a job.

        Args:
            job_id: from `queued`.
            worker: who asks.
            seconds: for how long, unless renewed.

        Returns:
            None where the job does not wait any more.
        """

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold a job for ``seconds`` from now. Raises `LeaseLostError`, as does all else that takes a lease.

        A lease that ran out is still good if nobody has taken its job.
        """

    def progress(self, lease: Lease, done: Mapping[str, float]) -> None:
        """Say how far stages are, 0 to 1; those not named stay."""

    def describe(
        self,
        lease: Lease,
        *,
        seconds: float | None = None,
        audio: str | None = None,
        audio_bytes: int | None = None,
    ) -> None:
        """Say what was found out about the recording: its length, the file it was fetched to. None stays as it is."""

    def keep(self, lease: Lease, part: str, blob: bytes) -> None:
        """Keep a part of the result as soon as it is there, for this attempt and the next."""

    def parts(self, job_id: str) -> Mapping[str, bytes]:
        """What was kept of a job, by name."""

    def finish(self, lease: Lease, transcript: str, parts: Mapping[str, bytes] | None = None) -> Job:
        """Complete a job, together with its result.

        Args:
            lease: the worker's.
            transcript: JSON, as `model.codec` writes a transcript.
            parts: more of them; what was kept stays.
        """

    def fail(self, lease: Lease, error: str) -> Job:
        """End a job without a result; ``error`` as `jobs.wire_errors.write_error` writes it."""

    def hand_back(self, lease: Lease) -> None:
        """Put a job back into the queue, e.g. when the server stops. It does not count as an attempt."""

    def release(self, worker: str) -> int:
        """Put back what a worker that is gone held; these attempts count. For a server that starts again.

        Returns:
            How many jobs wait again, or failed because it was their last attempt.
        """

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """A job as it is now."""

    def list(
        self, owner: str | None = None, *, state: State | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Job]:
        """An owner's jobs, newest first, without transient ones; ``before`` is the last id of the page before."""

    def load(self) -> Mapping[str, Load]:
        """What waits and runs, by owner; owners with neither are absent."""

    def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Stop a job that waits or runs, at once; its worker learns it from its lease. One that ended stays so."""

    def delete(self, job_id: str, owner: str | None = None) -> tuple[str, ...]:
        """Erase a job and all that was kept of it, so that none of its words can be found in any file of the store.

        Returns:
            Names of audio files that nobody needs any more: the caller unlinks them.
        """

    def collected(self, job_id: str) -> tuple[str, ...]:
        """Say that the answer of a job that ended was handed over: what is kept for 0 s goes now.

        With several callers waiting for one job, it is for the last to say. A job that is gone already is no error.

        Returns:
            As `delete`.
        """

    def transcript(self, job_id: str, owner: str | None = None, *, edited: bool = True) -> str:
        """A completed job's transcript, as JSON; without its edits if ``edited`` is False.

        Raises:
            InputError: ``"no_transcript"`` (HTTP 409), it is not completed.
        """

    def edit(self, job_id: str, owner: str | None, *, if_match: int, operations: str, transcript: str) -> int:
        """Keep a change of a transcript.

        Args:
            job_id: a completed job.
            owner: whose.
            if_match: the revision that was changed.
            operations: JSON, for the history; opaque to the store.
            transcript: what they led to, as JSON.

        Returns:
            The new revision.

        Raises:
            Conflict: it is at another revision.
            InputError: ``"no_transcript"``, see `transcript`.
        """

    def history(self, job_id: str, owner: str | None = None) -> Sequence[Edit]:
        """All changes since the transcript was computed, oldest first."""

    def replace_transcript(
        self,
        job_id: str,
        owner: str | None,
        *,
        if_match: int,
        transcript: str,
        parts: Mapping[str, bytes] | None = None,
    ) -> int:
        """Put a newly computed transcript in place of one, e.g. for another number of speakers; history begins anew.

        Returns:
            The new revision, never one that there was.

        Raises:
            Conflict: it is at another revision.
            InputError: ``"no_transcript"``, see `transcript`.
        """

    def search(self, owner: str | None, text: str, *, limit: int = 20) -> Sequence[Hit]:
        """Find transcripts that hold all words of a text, by their beginnings, best first; quotes hold a phrase.

        Where a script puts no spaces between words, letters that follow each other are found. Transient jobs are not
        found.

        Raises:
            InputError: ``"query_too_long"`` (HTTP 422).
        """

    def due(self, *, hold: float = 60.0) -> Sequence[Webhook]:
        """Calls that are to be made now. They are not due again for ``hold`` seconds: nobody else makes them."""

    def delivered(self, webhook_id: str) -> None:
        """A call arrived: forget it."""

    def retry_at(self, webhook_id: str, when: float) -> None:
        """A call failed and is to be tried again at unix time ``when``."""

    def dropped(self, webhook_id: str) -> None:
        """A call is given up: forget it."""

    def expire(self) -> tuple[str, ...]:
        """Erase what was kept for as long as it was to be, as `delete` does.

        Returns:
            As `delete`.
        """

    def evict(self, num_bytes: int) -> tuple[str, ...]:
        """Make room, whatever was to be kept: recordings of jobs that ended, the oldest first, then whole such jobs.

        Args:
            num_bytes: how much, at least, if there is so much.

        Returns:
            As `delete`.
        """

    def audio(self) -> frozenset[str]:
        """Names of all audio files that jobs need; any other is left from an upload that nobody was told of."""

    def usage(self) -> Usage:
        """Bytes that are taken."""

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of all but audio, while work goes on.

        Raises:
            InputError: there is a file already, or it cannot be written.
        """

    def close(self) -> None:
        """Give back what is open."""
