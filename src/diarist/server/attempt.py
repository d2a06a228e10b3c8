"""One attempt at a job, from its lease to what the store says of its end. Nothing that fails here ends the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
import msgspec

from diarist.jobs.job import Lease, LeaseLostError, StoreError
from diarist.jobs.store import JobStore
from diarist.jobs.turns import Ticket
from diarist.jobs.wire_errors import write_error
from diarist.model import codec
from diarist.model.errors import Cancelled, DiaristError, EngineError
from diarist.model.progress import Progress
from diarist.model.transcript import Transcript, Word
from diarist.pipelines.kept import Kept
from diarist.server.errors import note_unforeseen
from diarist.server.live import Live
from diarist.server.tracing import JobTrace
from diarist.transcription.base import Heard

log = logging.getLogger("diarist.server")

_TELL_SECONDS: Final = 1.0
"""Progress is written to disk no more often."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
"""Between tries to write down an end, in seconds."""


class Work(Protocol):
    """What computes a job."""

    async def __call__(
        self, *, progress: Progress, heard: Heard, kept: Kept, learned: Callable[[float], None]
    ) -> Transcript:
        """See `diarist.server.work.Workshop.transcribe`."""


class Call(Protocol):
    """Calls the store in a thread; see `diarist.server.desk.Desk.call`."""

    async def __call__(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Give what ``method`` returns."""


class Attempt:
    """One attempt at a job.

    Args:
        store: where the job is.
        call: calls the store.
        lease: the job's.
        ticket: its part in the turns; cancelled, it stops the work.
        live: told what is new.
    """

    def __init__(self, store: JobStore, call: Call, lease: Lease, ticket: Ticket, live: Live) -> None:
        self._store, self._call = store, call
        self._lease, self._ticket, self._live = lease, ticket, live
        self._trace = JobTrace(lease.job)

    async def make(self, work: Work) -> str:
        """Have the job done.

        Returns:
            How it ended: ``completed``, ``failed``, or ``cancelled`` where the job was taken away meanwhile.

        Raises:
            CancelledError: the server stops; the job was handed back.
        """
        ended = "failed"
        try:
            with self._ticket:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._tell)
                    ended = await self._done(work)
                    group.cancel_scope.cancel()
        except asyncio.CancelledError:
            ended = "handed back"
            with anyio.CancelScope(shield=True), contextlib.suppress(DiaristError):
                await self._call(self._store.hand_back, self._lease)
            raise
        finally:
            self._trace.end(ended)
        return ended

    async def _tell(self) -> None:
        """Write progress down, and stop the work where the job was taken away."""
        told: dict[str, float] = {}
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            if self._live.stages == told:
                continue
            stages = dict(self._live.stages)
            try:
                await self._call(self._store.progress, self._lease, stages)
                told = stages
            except LeaseLostError:
                self._ticket.cancel()
                return
            except StoreError as error:
                log.warning("job %s: its progress is not kept: %s", self._lease.job.id, error.code)

    async def _done(self, work: Work) -> str:
        loop, live = asyncio.get_running_loop(), self._live

        def report(stage: str, done: float) -> None:
            self._trace.report(stage, done)
            loop.call_soon_threadsafe(live.report, stage, done)

        def heard(words: Sequence[Word]) -> None:
            loop.call_soon_threadsafe(live.hear, tuple(words))

        def learned(seconds: float) -> None:
            with contextlib.suppress(StoreError):  # for people only
                self._store.describe(self._lease, seconds=seconds)

        error: DiaristError
        try:
            parts = _Parts(self._store, self._lease, await self._kept())
            transcript = await work(progress=self._ticket.progress(report), heard=heard, kept=parts, learned=learned)
            document = await anyio.to_thread.run_sync(_written, transcript)
        except LeaseLostError:
            return "cancelled"
        except Cancelled:
            # Whoever cancels tells the store first, which then takes no error. Else it was stopped where engines are.
            error = EngineError("stopped", "The work was stopped before its end.", "Submit the recording again.")
        except DiaristError as failed:
            error = failed
        except Exception as failed:  # noqa: BLE001 - whatever it is, the caller gets a clear error
            error = self._unforeseen(failed)
        else:
            return await self._end("completed", self._store.finish, document, parts.unwritten)
        return await self._end("failed", self._store.fail, write_error(error))

    async def _kept(self) -> Mapping[str, bytes]:
        """What earlier attempts left; it can be computed again."""
        try:
            found: Mapping[str, bytes] = await self._call(self._store.parts, self._lease.job.id)
        except StoreError as error:
            log.warning("job %s: what was kept of it cannot be read: %s", self._lease.job.id, error.code)
            return {}
        return found

    async def _end(self, ended: str, method: Callable[..., Any], *arguments: Any) -> str:
        """Write down how it ended. Where the disk takes nothing, the result waits: it was long in the making."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._call(method, self._lease, *arguments)
            except LeaseLostError:
                return "cancelled"
            except StoreError as error:
                if error.http_status == 413:  # and will be
                    ended, method, arguments = "failed", self._store.fail, (write_error(error),)
                    continue
                log.warning("job %s is done, but its end cannot be kept yet: %s", self._lease.job.id, error.code)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception as failed:
                if ended == "failed":
                    raise
                ended, method, arguments = "failed", self._store.fail, (write_error(self._unforeseen(failed)),)
            else:
                return ended

    def _unforeseen(self, error: Exception) -> EngineError:
        note_unforeseen(error, self._lease.job.id)
        return EngineError("internal", f"The server failed at this job ({type(error).__name__}).", "Report it.")


class _Parts:
    """What the store keeps of a job, for the pipeline (`diarist.pipelines.kept.Kept`).

    Attributes:
        unwritten: parts that the store could not take when they were found; they go with the end.
    """

    def __init__(self, store: JobStore, lease: Lease, known: Mapping[str, bytes]) -> None:
        self.unwritten: Final[dict[str, bytes]] = {}
        self._store, self._lease, self._known = store, lease, known

    def get(self, part: str) -> bytes | None:
        return self._known.get(part)

    def keep(self, part: str, data: bytes) -> None:
        try:
            self._store.keep(self._lease, part, data)
        except StoreError as error:
            log.warning("job %s: what was found is not kept yet: %s", self._lease.job.id, error.code)
            self.unwritten[part] = data


def _written(transcript: Transcript) -> str:
    return msgspec.json.encode(codec.dump(transcript)).decode()
