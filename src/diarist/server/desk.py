"""The desk: takes work in, has it done, and tells those who wait.

Every request is a job of the store: a plain one is *transient*, so that joining identical work, the queue's bound,
fairness and cancellation are there once. A few jobs are open at a time, and `Turns` shares the engines between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import anyio
import anyio.abc
import anyio.to_thread
import msgspec

from diarist.jobs.job import Job, Lease, NewJob, StoreError
from diarist.jobs.store import JobStore
from diarist.jobs.turns import Ticket, Turns
from diarist.jobs.wire_errors import read_error
from diarist.model import codec
from diarist.model.errors import Cancelled, DiaristError, InputError
from diarist.model.progress import Progress
from diarist.model.transcript import Transcript
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.kept import Kept
from diarist.server.ask import Ask, ask_from, identity, work_of
from diarist.server.attempt import Attempt
from diarist.server.errors import Busy, note_unforeseen
from diarist.server.forms import Upload, cannot_keep
from diarist.server.keys import Caller
from diarist.server.known import Voices
from diarist.server.live import Live, Update
from diarist.server.opening import DeskBounds, length, to_open
from diarist.server.room import Room, assumed_seconds
from diarist.server.work import Workshop, digest
from diarist.speakers.identify import Voice
from diarist.transcription.base import Heard

__all__ = ["Audience", "Desk", "DeskBounds"]

T = TypeVar("T")

log = logging.getLogger("diarist.server")

WORKER: Final = "server"
"""The name of this server in leases: one server has a state folder, so what it held before it ended is its own."""
LEASE_SECONDS: Final = math.inf
"""For the same reason they end with the server, and not by a clock: a laptop that slept would lose its work."""
_LOOK_SECONDS: Final = 5.0
"""How often waiting jobs are looked for, beside the moments when work comes or ends."""
_FORGET_SECONDS: Final = 60.0


class Audience(Protocol):
    """Who is told what happened, for counting."""

    def ended(self, job: Job, state: str, seconds: float) -> None:
        """A job ended; ``seconds`` since it was submitted."""


class Desk:
    """Takes work in, has it done, and tells those who wait. For one event loop.

    Args:
        store: where jobs are kept.
        folder: where recordings are kept, below the state folder.
        bounds: how much is taken in.
        audience: told what happened.
        voices: known ones; by default kept beside the recordings.
    """

    def __init__(
        self,
        store: JobStore,
        folder: Path,
        *,
        bounds: DeskBounds = DeskBounds(),
        audience: Audience | None = None,
        voices: Voices | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.folder = folder
        self.voices = voices or Voices(folder.with_name("voices"))
        self.workshop: Workshop | None = None
        self.models = ""
        self.bounds = bounds
        self._audience = audience
        self._clock = clock
        self._turns = Turns()
        self._live: dict[str, Live] = {}
        self._waiting = Counter[str]()
        self._tickets: dict[str, Ticket] = {}
        self._open: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._taking_in = asyncio.Lock()
        self._is_tidy = asyncio.Event()
        self._stopped = False
        self._running: anyio.CancelScope | None = None
        self._disk = anyio.CapacityLimiter(8)
        self._eyes = anyio.CapacityLimiter(8)
        self._room = Room(bounds, clock)

    async def begin(self, workshop: Workshop, models: str) -> None:
        """Begin to work, once what an earlier server left is in order.

        Args:
            workshop: what does it.
            models: what decides a result besides the request: the names and versions of the models.
        """
        await self._is_tidy.wait()
        self.workshop, self.models = workshop, models
        self._wake.set()

    def stop(self) -> None:
        """Take no more work, hand back what is under way, and tell those who wait to come again."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    async def call(self, method: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call the store, in a thread: it waits for the disk."""
        return await anyio.to_thread.run_sync(functools.partial(method, *arguments, **named), limiter=self._disk)

    async def look(self, method: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call what only reads: it does not wait until those who write have a thread again."""
        return await anyio.to_thread.run_sync(functools.partial(method, *arguments, **named), limiter=self._eyes)

    # Taking work in

    async def room(self, caller: Caller) -> None:
        """Refuse what there is no room for, before it is sent.

        Raises:
            Busy: models are not loaded yet, the queue is full, or the caller's limits are reached.
        """
        self.ready()
        self._room.check(caller, await self.look(self.store.load), 0.0)

    async def submit(
        self,
        caller: Caller,
        ask: Ask,
        upload: Upload | None,
        *,
        transient: bool,
        idempotency_key: str | None = None,
        webhook: str | None = None,
    ) -> Job:
        """Take a job in: once this returns, it will be done.

        Args:
            caller: whose it is.
            ask: what is wanted.
            upload: the recording; None where ``ask`` has its URL.
            transient: whether it is a plain request's.
            idempotency_key: the caller's name for this submission.
            webhook: what is called when it ends, for the store.

        Raises:
            FieldError: it is no recording, or a URL that is not fetched.
            Busy: there is no room for it.
        """
        workshop = self.ready()
        workshop.check_names(ask)
        name, seconds, content, target = "", None, f"url {secrets.token_hex(16)}", None
        if upload is None:
            name = workshop.check_url(ask.url or "")
        else:
            name, content = upload.filename, upload.sha256
            seconds = await anyio.to_thread.run_sync(
                functools.partial(workshop.check, upload.path, upload.filename, pcm=ask.pcm, field=upload.field)
            )
        means = await self._means(caller.id, ask)
        request, work = await anyio.to_thread.run_sync(_written, ask)
        assumed = assumed_seconds(seconds, upload)
        if upload is not None:
            self._room.check(caller, await self.look(self.store.load), assumed)
            target = self.folder / secrets.token_hex(16)
            await self.call(_keep, upload, target)
        new = NewJob(
            owner=caller.id,
            request=request,
            digest=digest(work, content, means),
            name=name,
            audio=target.name if target else None,
            audio_bytes=upload.num_bytes if upload else 0,
            seconds=seconds,
            transient=transient,
            idempotency_key=idempotency_key,
            webhook=webhook,
        )
        is_new = False
        try:
            async with self._taking_in:  # else all who come at once would see the same room
                self._room.check(caller, await self.look(self.store.load), assumed)
                with anyio.CancelScope(shield=True):  # a job that is in the store is watched, and has its recording
                    job, is_new = await self.call(self.store.add, new)
                    if is_new:
                        self._taken(job, caller, assumed)
        finally:
            if target and not is_new:
                with anyio.CancelScope(shield=True):
                    await self.call(self.unlink, [target.name])
        return job

    def _taken(self, job: Job, caller: Caller, assumed: float) -> None:
        self._room.took(caller, assumed)
        if not self._stopped:
            self._watch(job)
            self._wake.set()

    def _watch(self, job: Job) -> None:
        """Let others follow a job that waits; only such jobs are begun."""
        self._live[job.id] = Live()
        if job.transient:
            self._expect(job.id)

    async def _means(self, owner: str, ask: Ask) -> str:
        """What decides a result besides the request."""
        return f"{self.models} {await self.call(self.voices.digest, owner)}" if ask.known_voices else self.models

    async def voices_for(self, owner: str, ask: Ask) -> tuple[Voice, ...]:
        """The known voices that may be named in a job."""
        return await self.call(self.voices.of, owner) if ask.known_voices else ()

    async def computing(self, owner: str, seconds: float, work: Callable[[Progress], T]) -> T:
        """Have the engines do something small, when it is its turn among the jobs.

        Args:
            owner: whose turn.
            seconds: of audio.
            work: called in a thread; what it reports may wait.
        """
        with self._turns.ticket(owner, seconds) as ticket:
            return await in_thread(work, ticket.progress())

    def ready(self) -> Workshop:
        """What does the work; raises `Busy` while models load, and where the server is being stopped."""
        if self._stopped:
            raise _stopping()
        if self.workshop is None:
            raise Busy(
                "loading", "The models are still loading.", "GET /health says how far.", retry_after=5, http_status=503
            )
        return self.workshop

    # Waiting for it

    async def follow(self, job_id: str, offset: int = 0) -> AsyncIterator[Update]:
        """Watch a job until it is over, or the server is being stopped."""
        live = self._live.get(job_id)
        if live is None:
            yield Update({}, (), offset, ended=True)
            return
        async for update in live.follow(offset):
            yield update

    @contextlib.asynccontextmanager
    async def attending(self, job: Job) -> AsyncIterator[None]:
        """Wait for a plain request's answer and take it, within the block.

        When the last who waits for such a job leaves before its end, it is stopped after a while: its client may come
        again. When the last leaves after its end, the answer was handed over.
        """
        if not job.transient:  # another's, which this request joined
            yield
            return
        self._waiting[job.id] += 1
        try:
            yield
        finally:
            self._waiting[job.id] -= 1
            if not self._waiting[job.id]:
                del self._waiting[job.id]
                if job.id in self._live:
                    self._expect(job.id)
                else:
                    with anyio.CancelScope(shield=True), contextlib.suppress(DiaristError):
                        await self.call(self.unlink, await self.call(self.store.collected, job.id))

    def stages(self, job: Job) -> Mapping[str, float]:
        """How far a job is: of one under way, to this moment."""
        live = self._live.get(job.id)
        return {**job.progress, **live.stages} if live else job.progress

    async def result(self, job_id: str) -> Transcript:
        """The transcript of a job that ended.

        Raises:
            DiaristError: why there is none.
        """
        job = await self.look(self.store.get, job_id)
        if job.state == "completed":
            text = await self.look(self.store.transcript, job_id)
            return await anyio.to_thread.run_sync(codec.read, Transcript, text.encode())
        if job.state == "failed":
            raise read_error(job.error, "diarist")
        if job.state == "cancelled":
            raise Cancelled("The job was cancelled.")
        raise _stopping()

    async def cancel(self, job_id: str, owner: str | None) -> Job:
        """Stop a job."""
        job = await self.call(self.store.cancel, job_id, owner)
        self._stop(job_id)
        return job

    async def delete(self, job_id: str, owner: str | None) -> None:
        """Stop a job if it is under way, and erase it."""
        names = await self.call(self.store.delete, job_id, owner)
        self._stop(job_id)
        await self.call(self.unlink, names)

    def _stop(self, job_id: str) -> None:
        if ticket := self._tickets.get(job_id):
            ticket.cancel()
        else:
            self._over(job_id)

    def _over(self, job_id: str) -> None:
        """Tell those who watch a job that nothing more will come."""
        if live := self._live.pop(job_id, None):
            live.end()

    def _expect(self, job_id: str) -> None:
        """Wait for a while for somebody to ask for a plain request's job."""
        asyncio.get_running_loop().call_later(self.bounds.patience, self._abandon, job_id)

    def _abandon(self, job_id: str) -> None:
        if job_id in self._waiting or job_id not in self._live:
            return

        async def cancel() -> None:
            with contextlib.suppress(DiaristError):
                job = await self.call(self.store.get, job_id)
                if job.transient:
                    await self.cancel(job_id, None)

        self._background(cancel())

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def unlink(self, names: Iterable[str]) -> None:
        """Remove recordings and what was made of them."""
        for name in names:
            for path in (self.folder / name, *self.folder.glob(f"{name}.*")):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    # Having it done

    async def run(self) -> None:
        """Have work done until `stop` or cancelled; what is under way then is handed back."""
        try:
            with anyio.CancelScope() as self._running:
                await self._take_over()
                async with anyio.create_task_group() as group:
                    group.start_soon(self._forget)
                    while not self._stopped:
                        self._wake.clear()
                        with _noted("jobs that wait are not begun"):
                            await self._open_jobs(group)
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)
        finally:
            for job_id in [*self._live]:
                self._over(job_id)

    async def _take_over(self) -> None:
        """Put in order what an earlier server left."""
        while True:
            with _noted("what the last server left cannot be read yet"):
                await self.call(self.store.release, WORKER)
                if not self._is_tidy.is_set():
                    await self.call(self._sweep)
                for job in await self.look(self.store.queued):
                    self._watch(job)
                self._is_tidy.set()
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _sweep(self) -> None:
        """Remove recordings that no job knows: their upload ended between the file and the row."""
        known = self.store.audio()
        strangers = {name for path in self.folder.glob("*") if (name := path.name.partition(".")[0]) not in known}
        self.unlink(strangers)

    async def _forget(self) -> None:
        """Erase what expired. Erasing writes the whole file anew, which takes seconds where much is kept."""
        while True:
            with _noted("what expired is not erased yet"):
                await self.call(self.unlink, await self.call(self.store.expire))
            await asyncio.sleep(_FORGET_SECONDS)

    async def _open_jobs(self, group: anyio.abc.TaskGroup) -> None:
        if self.workshop is None:
            return
        queued = [job for job in await self.look(self.store.queued) if job.id in self._live]
        for job in to_open(queued, self._open.values(), self.bounds):
            ticket = self._turns.ticket(job.owner, length(job))
            self._tickets[job.id] = ticket  # before the lease, so that who cancels meanwhile is heard
            lease = None
            try:
                with anyio.CancelScope(shield=True):  # a lease that nobody knows would count as an attempt
                    lease = await self.call(self.store.lease, job.id, WORKER, LEASE_SECONDS)
            finally:
                if lease is None:
                    del self._tickets[job.id]
            if lease is None:  # cancelled or deleted
                self._over(job.id)
            else:
                self._open[job.id] = lease.job
                group.start_soon(self._attempt, lease, ticket)

    async def _attempt(self, lease: Lease, ticket: Ticket) -> None:
        job = lease.job
        live = self._live.setdefault(job.id, Live())
        live.begin()
        ended = "failed"
        try:
            ended = await Attempt(self.store, self.call, lease, ticket, live).make(functools.partial(self._work, lease))
        except Exception as error:  # noqa: BLE001 - one job must not end the others
            note_unforeseen(error, job.id)
        finally:
            del self._tickets[job.id], self._open[job.id]
            self._over(job.id)
            self._wake.set()
        if self._audience is not None:
            self._audience.ended(job, ended, self._clock() - job.created)

    async def _work(
        self, lease: Lease, *, progress: Progress, heard: Heard, kept: Kept, learned: Callable[[float], None]
    ) -> Transcript:
        job, workshop = lease.job, self.ready()
        ask = await anyio.to_thread.run_sync(_read, job.request)
        path = self.folder / job.audio if job.audio else None
        if path is not None and not path.is_file():
            message = "The recording of this job is gone from the server's disk."
            raise InputError("audio_gone", message, "Submit it again.", http_status=410)
        if path is None and workshop.fetches and not job.transient:
            path = await in_thread(functools.partial(self._fetch, workshop, lease, ask.url or ""), progress)
        return await workshop.transcribe(
            ask,
            path,
            job.name,
            progress=progress,
            heard=heard,
            kept=kept,
            learned=learned,
            voices=await self.voices_for(job.owner, ask),
        )

    def _fetch(self, workshop: Workshop, lease: Lease, url: str, progress: Progress) -> Path:
        """Fetch a job's recording, so that it can be heard, and is not fetched again."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / secrets.token_hex(16)
        try:
            size = workshop.fetch(url, path, progress)
            self.store.describe(lease, audio=path.name, audio_bytes=size)
        except BaseException:
            self.unlink([path.name])
            raise
        return path


@contextlib.contextmanager
def _noted(consequence: str) -> Iterator[None]:
    """Let nothing that a store cannot do for now end the server: it is said in the log, and tried again."""
    try:
        yield
    except StoreError as error:
        log.warning("%s: %s", consequence, error.code)
    except Exception as error:  # noqa: BLE001
        note_unforeseen(error, consequence)


def _stopping() -> Busy:
    hint = "Try again soon: what was done is kept."
    return Busy("stopping", "The server is being stopped.", hint, retry_after=5, http_status=503)


def _keep(upload: Upload, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise cannot_keep(error) from error
    upload.keep(target)


def _written(ask: Ask) -> tuple[str, str]:
    """An ask as the store keeps it, and the name of its work. It holds clips itself: the files of a form go."""
    ask = replace(ask, known=tuple(replace(clip, data=clip.read(), path="") for clip in ask.known))
    return msgspec.json.encode(identity(ask)).decode(), work_of(ask)


def _read(request: str) -> Ask:
    return ask_from(msgspec.json.decode(request))
