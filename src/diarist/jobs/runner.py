"""Running jobs, on whoever's platform: what all workers share.

`Worker` turns a job into an output or an error string: it checks the job, lets several jobs prepare (download, decode)
while one computes, honours cancellation, joins duplicates, and never returns what the platform would lose: results are
serialised and measured here, and progress is awaited before the result. What is done is a `Service`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from diarist.architectures import JOBS_PER_GPU_WORKER
from diarist.audio.recording import Recording
from diarist.jobs.request import AudioJob
from diarist.jobs.response import Output
from diarist.jobs.wire_errors import write_error
from diarist.model.errors import Cancelled, DiaristError, EngineError
from diarist.model.progress import Progress
from diarist.pipelines.bridge import in_thread

log = logging.getLogger("diarist.worker")


CONCURRENCY: Final = JOBS_PER_GPU_WORKER


MAX_RESULT_BYTES: Final = 8_000_000
"""The platform refuses results from about 20 MB on, and then the caller gets nothing; documented limits are lower."""


PROGRESS_SECONDS: Final = 2.0
"""Progress is sent at most this often, and first after this long: short jobs send none."""


_KEPT_RESULTS: Final = 8


SendProgress = Callable[[Mapping[str, Any], dict[str, Any]], Awaitable[None]]


class Service(Protocol):
    """What one kind of endpoint does.

    Attributes:
        slots: how many jobs `work` runs at the same time.
        concurrency: how many jobs the worker holds; those without a slot prepare or wait.
    """

    slots: int
    concurrency: int

    def read(self, value: object) -> AudioJob:
        """Check a job's input; raises `FieldError`."""

    async def prepare(self, job: AudioJob, report: Progress) -> object:
        """Get what the work needs: download and decode. May run while other jobs work."""

    async def work(self, job: AudioJob, prepared: object, report: Progress) -> Output:
        """Compute. Where it does so in a thread, ``report`` raises `Cancelled` once the job is cancelled."""


class Worker:
    """Handles jobs for one service, on one event loop. A job that only waits holds no thread.

    Args:
        service: what the endpoint does.
        send_progress: how progress reaches the platform; None sends none.
        max_result_bytes: larger results go to the job's ``result_put_url``.
        upload: puts a result there.
    """

    def __init__(
        self,
        service: Service,
        *,
        send_progress: SendProgress | None = None,
        max_result_bytes: int = MAX_RESULT_BYTES,
        upload: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.service = service
        self._send_progress = send_progress
        self._max_result_bytes = max_result_bytes
        self._upload = upload
        self._slots = asyncio.Semaphore(service.slots)
        self._done: OrderedDict[str, asyncio.Future[str]] = OrderedDict()

    async def handle(self, job: dict[str, Any]) -> Any:
        """Do one job, as the SDK calls it. The same job delivered twice is done once.

        Returns:
            The output, or ``{"error": JSON string}``.
        """
        job_id = str(job.get("id", ""))
        key, delivery = _same_work(job_id, job.get("input")), f"job {job_id}"
        while (known := self._done.get(key, self._done.get(delivery))) is not None:
            log.info("%s joins work that is already here", job_id)
            try:
                return json.loads(await asyncio.shield(known))
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not known.cancelled() or (task is not None and task.cancelling()):
                    raise
                # Only the delivery that was joined is cancelled, and this one still wants its result.
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._remember(key, outcome)
        try:
            text = await self._outcome(job_id, job)
        except BaseException:
            self._done.pop(key, None)
            outcome.cancel()
            raise
        outcome.set_result(text)
        answer = json.loads(text)
        if isinstance(answer, dict) and ("error" in answer or answer.get("warnings")):
            self._done.pop(key, None)  # a second try may go better; one that is under way was joined all the same
        elif _by_reference(job.get("input")):
            # What a URL names may change: once the work is done, only this very job gets its result again.
            self._done.pop(key, None)
            self._remember(delivery, outcome)
        return answer

    async def _outcome(self, job_id: str, job: Mapping[str, Any]) -> str:
        began = time.perf_counter()
        try:
            text = await self._do(job)
        except asyncio.CancelledError:
            log.info("%s cancelled after %.1f s", job_id, time.perf_counter() - began)
            raise
        except DiaristError as error:
            log.info("%s refused or failed: %s", job_id, error.code)
            return failure(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a clear error and no paths
            # No message: it might hold what was said, or a signed URL. Where it happened is enough to find it.
            frames = traceback.extract_tb(error.__traceback__)[-6:]
            where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
            log.error("%s broke: %s in %s", job_id, type(error).__name__, where)  # noqa: TRY400
            return failure(
                EngineError("internal", f"The worker broke ({type(error).__name__}).", f"Its log names job {job_id}."),
                refresh=_out_of_memory(error),
            )
        log.info("%s done in %.1f s, %d bytes", job_id, time.perf_counter() - began, len(text))
        return text

    async def _do(self, job: Mapping[str, Any]) -> str:
        loop = asyncio.get_running_loop()
        request = self.service.read(job.get("input"))
        cancelled = threading.Event()
        progress = _ProgressSender(job, self._send_progress)

        def report(stage: str, done: float) -> None:
            if cancelled.is_set():
                raise Cancelled
            loop.call_soon_threadsafe(progress.update, stage, done)

        try:
            prepared = await self.service.prepare(request, report)
            async with self._slots:
                output = await self.service.work(request, prepared, report)
            body = _serialise(output)
            if len(body.encode()) > self._max_result_bytes:
                return await in_thread(lambda _: self._put(body.encode(), request), report)
            return body
        finally:
            cancelled.set()  # a thread that still runs stops at its next report
            await progress.close()

    def _put(self, body: bytes, request: AudioJob) -> str:
        if request.result_put_url is None or self._upload is None:
            raise EngineError(
                "result_too_large",
                f"The result is {len(body) / 1e6:.1f} MB; the platform returns {self._max_result_bytes / 1e6:.0f} MB.",
                "Send result_put_url, a presigned https PUT URL, or ask for a smaller response_format.",
            )
        self._upload(request.result_put_url, body)
        return json.dumps({"result_uploaded": True, "bytes": len(body)})

    def _remember(self, key: str, outcome: asyncio.Future[str]) -> None:
        self._done[key] = outcome
        finished = [name for name, future in self._done.items() if future.done()]
        for name in finished[:-_KEPT_RESULTS]:
            del self._done[name]


def _same_work(job_id: str, value: object) -> str:
    """What two deliveries of the same work have in common: the platform's id, or the caller's and all that it asks."""
    if isinstance(value, dict) and isinstance(value.get("request_id"), str):
        whole = json.dumps(value, sort_keys=True, default=repr)
        return f"request {hashlib.sha256(whole.encode(errors='surrogatepass')).hexdigest()}"
    return f"job {job_id}"


def _by_reference(value: object) -> bool:
    audio = value.get("audio") if isinstance(value, dict) else None
    return isinstance(audio, str) and Recording("", None, wire=audio).by_reference


class _ProgressSender:
    """Sends the newest progress now and then, and never after `close`."""

    def __init__(self, job: Mapping[str, Any], send: SendProgress | None) -> None:
        self._job, self._send = job, send
        self._stages: dict[str, float] = {}
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    def update(self, stage: str, done: float) -> None:
        self._stages[stage] = round(done, 3)
        busy = self._sending is not None and not self._sending.done()
        if self._send is None or self._closed or busy or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._sending = asyncio.ensure_future(self._send(self._job, {"progress": dict(self._stages)}))

    async def close(self) -> None:
        self._closed = True
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)


def _serialise(output: Output) -> str:
    try:
        return json.dumps(output, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise EngineError("bad_result", f"The result is not JSON: {type(error).__name__}.", "Report this.") from None


def failure(error: DiaristError, *, refresh: bool = False) -> str:
    """Write a failed job's answer, as JSON. ``refresh`` asks the platform for a new worker."""
    refresh = refresh or _out_of_memory(error)
    return json.dumps({"error": write_error(error), **({"refresh_worker": True} if refresh else {})})


def _out_of_memory(error: BaseException) -> bool:
    """Whether the worker's memory is no longer to be trusted, so that the platform should start a new one."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Log how long a part of the start took."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    log.info("phase %s: %.2f s, %.2f s of CPU", name, time.perf_counter() - wall, time.process_time() - cpu)
