"""The desk: takes work in, has it done, and tells those who wait.

Every request is a job of the store: a plain one is *transient*, so that joining identical work, the queue's bound,
fairness and cancellation are there once. A few jobs are open at a time, and `Turns` shares the engines between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import anyio
import anyio.to_thread
import msgspec

from diarist.jobs.job import Job, Lease, LeaseLostError, Load, NewJob
from diarist.jobs.store import JobStore
from diarist.jobs.turns import Ticket, Turns
from diarist.jobs.wire_errors import read_error, write_error
from diarist.model import codec
from diarist.model.errors import Cancelled, DiaristError, EngineError
from diarist.model.progress import Progress
from diarist.model.transcript import Transcript, Word
from diarist.pipelines.bridge import in_thread
from diarist.server.ask import Ask, ask_from, identity, work_of
from diarist.server.errors import Busy, note_unforeseen
from diarist.server.forms import Upload
from diarist.server.keys import Caller
from diarist.server.known import Voices
from diarist.server.live import Live, Update
from diarist.server.work import Workshop, digest
from diarist.speakers.identify import Voice

T = TypeVar("T")

log = logging.getLogger("diarist.server")

WORKER: Final = "server"
"""The name of this server in leases: one server has a state folder, so what it held before it ended is its own."""
LEASE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 5.0
"""How often lost leases are looked for, beside the moments when work comes or ends."""
_FORGET_SECONDS: Final = 60.0
_TELL_SECONDS: Final = 1.0
"""Progress is written to disk no more often."""
_UNKNOWN_SECONDS: Final = 600.0
"""What a recording of unknown length counts for."""
_UNKNOWN_BYTES_PER_SECOND: Final = 16_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskBounds:
    """How much work is taken in.

    Attributes:
        queued: jobs that wait, of all callers.
        queued_seconds: seconds of audio that wait, of all callers.
        open: jobs that have begun; each holds its samples in memory.
        open_seconds: seconds of audio that have begun, unless it is a single recording; an hour is 230 MB.
        patience: seconds for which a plain request's work goes on when nobody waits for it any more.
    """

    queued: int = 100
    queued_seconds: float = 48 * 3600.0
    open: int = 4
    open_seconds: float = 6 * 3600.0
    patience: float = 60.0


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
        self._tickets: dict[str, Ticket] = {}
        self._open: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._disk = anyio.CapacityLimiter(8)
        self._today: dict[str, list[tuple[float, float]]] = {}

    def begin(self, workshop: Workshop, models: str) -> None:
        """Begin to work.

        Args:
            workshop: what does it.
            models: what decides a result besides the request: the names and versions of the models.
        """
        self.workshop, self.models = workshop, models
        self._wake.set()

    async def call(self, method: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call the store, in a thread: it waits for the disk."""
        return await anyio.to_thread.run_sync(functools.partial(method, *arguments, **named), limiter=self._disk)

    # Taking work in

    async def room(self, caller: Caller) -> None:
        """Refuse what there is no room for, before it is sent.

        Raises:
            Busy: models are not loaded yet, the queue is full, or the caller's limits are reached.
        """
        self.ready()
        self._check(caller, await self.call(self.store.load), 0.0)

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
        ask = _with_clips(ask)
        name, seconds, content, target = "", None, f"url {secrets.token_hex(16)}", None
        if upload is None:
            name = workshop.check_url(ask.url or "")
        else:
            name, content = upload.filename, upload.sha256
            seconds = await anyio.to_thread.run_sync(
                functools.partial(workshop.check, upload.path, upload.filename, pcm=ask.pcm)
            )
        assumed = _assumed(seconds, upload)
        self._check(caller, await self.call(self.store.load), assumed)
        if upload is not None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            target = self.folder / secrets.token_hex(16)
            await anyio.to_thread.run_sync(upload.keep, target)
        try:
            job, is_new = await self.call(
                self.store.add,
                NewJob(
                    owner=caller.id,
                    request=msgspec.json.encode(identity(ask)).decode(),
                    digest=digest(work_of(ask), content, await self._means(caller.id, ask)),
                    name=name,
                    audio=target.name if target else None,
                    audio_bytes=upload.num_bytes if upload else 0,
                    seconds=seconds,
                    transient=transient,
                    idempotency_key=idempotency_key,
                    webhook=webhook,
                ),
            )
        except BaseException:
            self.unlink([target.name] if target else [])
            raise
        if not is_new and target:
            self.unlink([target.name])
        if is_new:
            self._today.setdefault(caller.id, []).append((self._clock(), assumed))
            self._live[job.id] = Live()
            self._wake.set()
        return job

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
        """What does the work; raises `Busy` while models load."""
        if self.workshop is None:
            raise Busy(
                "loading", "The models are still loading.", "GET /health says how far.", retry_after=5, http_status=503
            )
        return self.workshop

    def _check(self, caller: Caller, load: Mapping[str, Load], seconds: float) -> None:
        queued = sum(each.queued for each in load.values())
        waiting = sum(each.seconds_queued for each in load.values())
        if queued >= self.bounds.queued or (queued and waiting + seconds > self.bounds.queued_seconds):
            raise Busy(
                "queue_full",
                f"{queued} recordings with {waiting / 3600:.1f} h of audio wait already.",
                "Try again later.",
                retry_after=30,
            )
        own, limits = load.get(caller.id, Load()), caller.limits
        if limits.concurrent is not None and own.queued + own.running >= limits.concurrent:
            raise Busy(
                "too_many_jobs",
                f"This key may have {limits.concurrent} recordings in work at a time.",
                "Wait until one is done.",
                retry_after=10,
            )
        if limits.audio_hours_per_day is not None:
            since = self._clock() - 86_400
            recent = [entry for entry in self._today.get(caller.id, ()) if entry[0] > since]
            self._today[caller.id] = recent
            if sum(each for _, each in recent) + seconds > limits.audio_hours_per_day * 3600:
                raise Busy(
                    "audio_limit_exceeded",
                    f"This key may send {limits.audio_hours_per_day:g} hours of audio in 24 hours.",
                    "Try again tomorrow, or ask whoever runs the server.",
                )

    # Waiting for it

    async def follow(self, job_id: str, offset: int = 0) -> AsyncIterator[Update]:
        """Watch a job until it is over.

        A transient job that nobody watches for a while is cancelled: its client has left, and did not come again.
        """
        live = self._live.get(job_id)
        if live is None:
            yield Update({}, (), offset, ended=True)
            return
        live.watchers += 1
        try:
            async for update in live.follow(offset):
                yield update
        finally:
            live.watchers -= 1
            if not live.watchers and not live.ended:
                asyncio.get_running_loop().call_later(self.bounds.patience, self._abandon, job_id, live)

    def stages(self, job: Job) -> Mapping[str, float]:
        """How far a job is: of one under way, to this moment."""
        live = self._live.get(job.id)
        return {**job.progress, **live.stages} if live else job.progress

    async def result(self, job_id: str) -> Transcript:
        """The transcript of a job that ended.

        Raises:
            DiaristError: why there is none.
        """
        job = await self.call(self.store.get, job_id)
        if job.state == "completed":
            text = await self.call(self.store.transcript, job_id)
            return await anyio.to_thread.run_sync(codec.read, Transcript, text.encode())
        if job.state == "failed":
            raise read_error(job.error, "diarist")
        raise Cancelled(f"The job was {job.state}.")

    async def collected(self, job_id: str) -> None:
        """Say that an answer was handed over."""
        live = self._live.get(job_id)
        if live is None or not live.watchers:
            self.unlink(await self.call(self.store.collected, job_id))

    async def cancel(self, job_id: str, owner: str | None) -> Job:
        """Stop a job."""
        job = await self.call(self.store.cancel, job_id, owner)
        self._stop(job_id)
        return job

    async def delete(self, job_id: str, owner: str | None) -> None:
        """Stop a job if it is under way, and erase it."""
        names = await self.call(self.store.delete, job_id, owner)
        self._stop(job_id)
        self.unlink(names)

    def _stop(self, job_id: str) -> None:
        if ticket := self._tickets.get(job_id):
            ticket.cancel()
        elif live := self._live.pop(job_id, None):
            live.end()

    def _abandon(self, job_id: str, live: Live) -> None:
        if live.watchers or live.ended:
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
        """Have work done until cancelled; what is under way then is handed back."""
        await self.call(self.store.release, WORKER)
        await self._tidy()
        async with anyio.create_task_group() as group:
            group.start_soon(self._forget)
            while True:
                self._wake.clear()
                if self.workshop is not None:
                    for job in self._next(await self.call(self.store.queued)):
                        lease = await self.call(self.store.lease, job.id, WORKER, LEASE_SECONDS)
                        if lease is not None:
                            ticket = self._turns.ticket(job.owner, _length(job))
                            self._tickets[job.id], self._open[job.id] = ticket, _length(job)
                            group.start_soon(self._attempt, lease, ticket)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)

    async def _forget(self) -> None:
        """Erase what expired. Erasing writes the whole file anew, which takes seconds where much is kept."""
        while True:
            with contextlib.suppress(DiaristError):  # the store logs it, and tries again at the next
                self.unlink(await self.call(self.store.expire))
            await asyncio.sleep(_FORGET_SECONDS)

    async def _tidy(self) -> None:
        """Remove recordings that no job knows: their upload ended between the file and the row."""
        known = await self.call(self.store.audio)
        for path in self.folder.glob("*"):
            if path.name.split(".")[0] not in known:
                path.unlink(missing_ok=True)
        for job in await self.call(self.store.queued):
            self._live[job.id] = Live()

    def _next(self, queued: Sequence[Job]) -> list[Job]:
        """Which jobs begin now: short ones first, but an hour of waiting makes up for an hour of audio."""
        running = list(self._open.values())
        chosen: list[Job] = []
        for job in sorted(queued, key=lambda each: each.created + _length(each)):
            if len(running) >= self.bounds.open:
                break
            if running and sum(running) + _length(job) > self.bounds.open_seconds:
                continue
            running.append(_length(job))
            chosen.append(job)
        return chosen

    async def _attempt(self, lease: Lease, ticket: Ticket) -> None:
        job = lease.job
        live = self._live.setdefault(job.id, Live())
        live.begin()
        ended = "lost"
        try:
            with ticket:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._hold, lease, ticket, live)
                    ended = await self._work(lease, ticket, live)
                    group.cancel_scope.cancel()
        except LeaseLostError:
            pass
        except asyncio.CancelledError:
            ticket.cancel()
            with anyio.CancelScope(shield=True), contextlib.suppress(DiaristError):
                await self.call(self.store.hand_back, lease)
            raise
        finally:
            del self._tickets[job.id], self._open[job.id]
            if self._live.get(job.id) is live:
                del self._live[job.id]
            live.end()
            self._wake.set()
        if self._audience is not None:
            self._audience.ended(job, ended, self._clock() - job.created)

    async def _hold(self, lease: Lease, ticket: Ticket, live: Live) -> None:
        """Keep the lease, and write progress down; stop the work where the job was taken away."""
        told: dict[str, float] = {}
        renewed = time.monotonic()
        try:
            while True:
                await asyncio.sleep(_TELL_SECONDS)
                if live.stages != told:
                    told = dict(live.stages)
                    await self.call(self.store.progress, lease, told)
                if time.monotonic() - renewed > LEASE_SECONDS / 3:
                    lease, renewed = await self.call(self.store.renew, lease, LEASE_SECONDS), time.monotonic()
        except LeaseLostError:
            ticket.cancel()

    async def _work(self, lease: Lease, ticket: Ticket, live: Live) -> str:
        job, loop = lease.job, asyncio.get_running_loop()

        def report(stage: str, done: float) -> None:
            loop.call_soon_threadsafe(live.report, stage, done)

        def heard(words: Sequence[Word]) -> None:
            loop.call_soon_threadsafe(live.hear, tuple(words))

        def learned(seconds: float) -> None:
            self.store.describe(lease, seconds=seconds)

        workshop = self.ready()
        error: DiaristError
        try:
            ask = ask_from(msgspec.json.decode(job.request))
            path = self.folder / job.audio if job.audio else None
            progress = ticket.progress(report)
            if path is None and workshop.fetches and not job.transient:
                path = await in_thread(functools.partial(self._fetch, workshop, lease, ask.url or ""), progress)
            transcript = await workshop.transcribe(
                ask,
                path,
                job.name,
                progress=progress,
                heard=heard,
                kept=_Parts(self.store, lease),
                learned=learned,
                voices=await self.voices_for(job.owner, ask),
            )
        except (Cancelled, LeaseLostError):
            # Cancelled in the store first, so there is nothing to write down.
            return "cancelled"
        except DiaristError as failed:
            error = failed
        except Exception as failed:  # noqa: BLE001 - whatever it is, the caller gets a clear error
            note_unforeseen(failed, job.id)
            error = EngineError("internal", f"The server failed at this job ({type(failed).__name__}).", "Report it.")
        else:
            await self.call(self.store.finish, lease, msgspec.json.encode(codec.dump(transcript)).decode())
            return "completed"
        await self.call(self.store.fail, lease, write_error(error))
        return "failed"

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


class _Parts:
    """What the store keeps of a job, for the pipeline (`diarist.pipelines.kept.Kept`)."""

    def __init__(self, store: JobStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._known = store.parts(lease.job.id)

    def get(self, part: str) -> bytes | None:
        return self._known.get(part)

    def keep(self, part: str, data: bytes) -> None:
        self._store.keep(self._lease, part, data)


def _with_clips(ask: Ask) -> Ask:
    """Let an ask hold its clips itself, since the files of a form go when it is answered."""
    return replace(ask, known=tuple(replace(clip, data=clip.read(), path="") for clip in ask.known))


def _length(job: Job) -> float:
    return job.seconds if job.seconds is not None else _UNKNOWN_SECONDS


def _assumed(seconds: float | None, upload: Upload | None) -> float:
    """How much audio something counts for: by its head, else by its size."""
    if seconds is not None:
        return seconds
    return upload.num_bytes / _UNKNOWN_BYTES_PER_SECOND if upload else _UNKNOWN_SECONDS
