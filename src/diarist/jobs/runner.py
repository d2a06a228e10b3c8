"""Running jobs, on whoever's platform: what all workers share.

`Worker` turns a job into an output or an error string: it checks the job, lets several jobs prepare (download, decode)
while one computes, honours cancellation, joins duplicates, and never returns what the platform would lose: results are
serialised and measured here, and progress is awaited before the result. What is done is a `Service`.

A worker whose engines broke (an illegal memory access on a GPU spoils the process for good) fails every job, and faster
than a sound one does them, so that it would empty the queue. So after a failure the service checks itself; a worker
that is not sound any more refuses what it holds, takes nothing more, and asks the platform for another in its place.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from diarist.architectures import JOBS_PER_GPU_WORKER
from diarist.audio.recording import Recording
from diarist.jobs.job_log import JobLog
from diarist.jobs.many import is_many, join_many, read_many
from diarist.jobs.pieces import PieceSender, SendPiece
from diarist.jobs.progress_sender import ProgressSender, SendProgress
from diarist.jobs.request import AudioJob, TextJob
from diarist.jobs.response import Output
from diarist.jobs.sameness import by_reference, may_go_better, same_work
from diarist.jobs.wire_errors import write_error
from diarist.model.errors import Cancelled, DiaristError, EngineError
from diarist.model.progress import Progress, ignore
from diarist.pipelines.bridge import in_thread

if TYPE_CHECKING:
    from diarist.model.transcript import SourceInfo, Word
    from diarist.transcription.base import Heard

log = logging.getLogger("diarist.worker")


CONCURRENCY: Final = JOBS_PER_GPU_WORKER


MAX_RESULT_BYTES: Final = 8_000_000
"""The platform refuses results from about 20 MB on, and then the caller gets nothing; documented limits are lower."""


_KEPT_RESULTS: Final = 8


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job's recording, ready for the work.

    Attributes:
        recording: its samples are at hand where the work needs them.
        source: what was read; None where nothing was read here.
        seconds: its length; None where nobody here knows it.
        num_bytes: size of what was read; None where nothing was.
    """

    recording: Recording
    source: SourceInfo | None = None
    seconds: float | None = None
    num_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A result that is good enough to return, though something failed on the way.

    Attributes:
        output: the result.
        failure: what failed.
    """

    output: Output
    failure: Exception


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

    async def prepare(self, job: AudioJob, report: Progress) -> Prepared:
        """Get what the work needs: download and decode. May run while other jobs work."""

    async def work(self, job: AudioJob, prepared: Prepared, report: Progress, heard: Heard | None) -> Output | Doubtful:
        """Compute. Where it does so in a thread, ``report`` raises `Cancelled` once the job is cancelled.

        ``heard`` is told words as they are final; None where nobody wants them before the end.
        """

    async def check(self, failure: Exception) -> None:
        """Find out whether this worker is still sound after a failure; raise anything if it is not.

        Called while no job works.
        """


class Worker:
    """Handles jobs for one service, on one event loop. A job that only waits holds no thread.

    Args:
        service: what the endpoint does.
        send_progress: how progress reaches the platform; None sends none.
        send_piece: how words of a job that asks for a stream reach the platform; None sends none.
        max_result_bytes: larger results go to the job's ``result_put_url``.
        upload: puts a result there, and stops where its report of progress raises.
    """

    def __init__(
        self,
        service: Service,
        *,
        send_progress: SendProgress | None = None,
        send_piece: SendPiece | None = None,
        max_result_bytes: int = MAX_RESULT_BYTES,
        upload: Callable[[str, bytes, Progress], None] | None = None,
    ) -> None:
        self.service = service
        self._send_progress = send_progress
        self._send_piece = send_piece
        self._max_result_bytes = max_result_bytes
        self._upload = upload
        self._slots = asyncio.Semaphore(service.slots)
        self._done: OrderedDict[str, asyncio.Future[str]] = OrderedDict()
        self._sick = False
        self._gave_up = False

    @property
    def concurrency(self) -> int:
        """How many jobs to hold: the service's, and none once the platform was asked for another worker."""
        return 0 if self._gave_up else self.service.concurrency

    async def handle(self, job: dict[str, Any]) -> Any:
        """Do one job, as the SDK calls it. The same job delivered twice is done once.

        Returns:
            The output, or ``{"error": JSON string}``; with ``"refresh_worker": True`` if this worker is not sound.
        """
        answer = await self._joined(job)
        if self._sick and isinstance(answer, dict):
            self._gave_up = True
            return {**answer, "refresh_worker": True}
        return answer

    async def _joined(self, job: dict[str, Any], *, part: bool = False) -> Any:
        """Do a job once, however often it is delivered. The platform knows nothing of a ``part`` of one."""
        job_id = str(job.get("id", ""))
        key, delivery = same_work(job_id, job.get("input")), f"job {job_id}"
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
            text = await self._outcome(job_id, job, part=part)
        except BaseException:
            self._done.pop(key, None)
            outcome.cancel()
            raise
        outcome.set_result(text)
        answer = json.loads(text)
        if may_go_better(answer):
            self._done.pop(key, None)  # a second try may go better; one that is under way was joined all the same
        elif by_reference(job.get("input")):
            # What a URL names may change: once the work is done, only this very job gets its result again.
            self._done.pop(key, None)
            self._remember(delivery, outcome)
        return answer

    async def _outcome(self, job_id: str, job: Mapping[str, Any], *, part: bool) -> str:
        figures = JobLog(job_id)
        try:
            whole = is_many(job.get("input")) and not part
            text = await (self._do_many(job) if whole else self._do(job, figures, part=part))
        except asyncio.CancelledError:
            log.info(figures.line("cancelled"))
            raise
        except DiaristError as error:
            if isinstance(error, EngineError) and error.__cause__ is not None:
                log.error("%s: %s", job_id, _where(error.__cause__))  # noqa: TRY400 - no message, see `_where`
            ended, text = error.code, failure(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a clear error and no paths
            log.error("%s: %s", job_id, _where(error))  # noqa: TRY400 - the message may hold a secret
            told = EngineError(
                "internal", f"The worker broke ({type(error).__name__}).", f"Its log names job {job_id}."
            )
            ended, text = told.code, failure(told)
        else:
            ended = "done"
        log.info(figures.line(ended, len(text.encode())))
        return text

    async def _do_many(self, job: Mapping[str, Any]) -> str:
        """Do the parts of a job, as many at a time as the worker would hold jobs."""
        many = read_many(job["input"])
        progress = ProgressSender(job, self._send_progress)
        room = asyncio.Semaphore(self.service.concurrency)
        done = 0

        async def do(number: int, value: dict[str, Any]) -> Any:
            nonlocal done
            async with room:
                answer = await self._joined({"id": f"{job.get('id', '')}/{number}", "input": value}, part=True)
            done += 1
            progress.update("recordings", done / len(many.inputs))
            return answer

        try:
            answers = await asyncio.gather(*(do(number, value) for number, value in enumerate(many.inputs, 1)))
            body = _serialise(join_many(answers, None if many.result_put_url else self._max_result_bytes - 100))
            return await self._fitted(body, many.result_put_url, ignore)
        finally:
            await progress.close()

    async def _do(self, job: Mapping[str, Any], figures: JobLog, *, part: bool) -> str:
        loop = asyncio.get_running_loop()
        request = self.service.read(job.get("input"))
        cancelled = threading.Event()
        progress = ProgressSender(job, None if part else self._send_progress)
        pieces: PieceSender | None = None
        if self._send_piece is not None and isinstance(request, TextJob) and request.stream:
            pieces = PieceSender(job, self._send_piece, exact=request.response_format == "diarist")

        def report(stage: str, done: float) -> None:
            if cancelled.is_set():
                raise Cancelled
            loop.call_soon_threadsafe(progress.update, stage, done)

        def heard(words: Sequence[Word]) -> None:
            if pieces is not None and not cancelled.is_set():
                loop.call_soon_threadsafe(pieces.hear, tuple(words))

        try:
            output = await self._computed(request, report, figures, heard if pieces else None)
            if pieces is not None:
                await asyncio.sleep(0)  # what the engine's thread said last is noted
                await pieces.close()
            with figures.stage("answer"):
                return await self._fitted(_serialise(output), request.result_put_url, report)
        finally:
            cancelled.set()  # a thread that still runs stops at its next report
            if pieces is not None:
                await pieces.close(seconds=0)
            await progress.close()

    async def _computed(self, request: AudioJob, report: Progress, figures: JobLog, heard: Heard | None) -> Output:
        self._refuse_if_sick()
        try:
            with figures.stage("prepare"):
                prepared = await self.service.prepare(request, report)
        except Exception as error:
            async with self._slots:
                await self._examine(error, figures)
            raise
        figures.audio, figures.bytes_in = prepared.seconds, prepared.num_bytes
        with figures.stage("wait"):
            await self._slots.acquire()
        try:
            self._refuse_if_sick()  # it may have fallen ill while this job waited
            with figures.stage("compute"):
                output = await self.service.work(request, prepared, report, heard)
        except Exception as error:
            await self._examine(error, figures)  # before the next job computes, which would fail too
            raise
        else:
            if isinstance(output, Doubtful):
                await self._examine(output.failure, figures)
                return output.output
            return output
        finally:
            self._slots.release()

    async def _examine(self, failure: Exception, figures: JobLog) -> None:
        """After a failure that may be the worker's own, find out whether it is still sound."""
        if self._sick or (isinstance(failure, DiaristError) and not isinstance(failure, EngineError)):
            return
        try:
            with figures.stage("check"):
                await self.service.check(failure)
        except Exception as error:  # noqa: BLE001 - however it failed, the worker is not sound
            log.error("this worker is not sound any more, and asks for another: %s", _where(error))  # noqa: TRY400
            self._sick = True

    def _refuse_if_sick(self) -> None:
        if self._sick:
            raise EngineError(
                "worker_sick", "The worker's engines no longer work, and it makes way for another.", "Try again."
            )

    async def _fitted(self, body: str, put_url: str | None, report: Progress) -> str:
        """A result that the platform returns: this one, or where it was put."""
        encoded = body.encode()
        if len(encoded) <= self._max_result_bytes:
            return body
        return await in_thread(lambda inner: self._put(encoded, put_url, inner), report)

    def _put(self, body: bytes, url: str | None, report: Progress) -> str:
        if url is None or self._upload is None:
            raise EngineError(
                "result_too_large",
                f"The result is {len(body) / 1e6:.1f} MB; the platform returns {self._max_result_bytes / 1e6:.0f} MB.",
                "Send result_put_url, a presigned https PUT URL, or ask for a smaller response_format.",
            )
        self._upload(url, body, report)
        return json.dumps({"result_uploaded": True, "bytes": len(body)})

    def _remember(self, key: str, outcome: asyncio.Future[str]) -> None:
        self._done[key] = outcome
        finished = [name for name, future in self._done.items() if future.done()]
        for name in finished[:-_KEPT_RESULTS]:
            del self._done[name]


def _serialise(output: Output) -> str:
    try:
        return json.dumps(output, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise EngineError("bad_result", f"The result is not JSON: {type(error).__name__}.", "Report this.") from None


def failure(error: DiaristError) -> str:
    """Write a failed job's answer, as JSON."""
    return json.dumps({"error": write_error(error)})


def _where(error: BaseException) -> str:
    """Name an accident by its type and place. Its message might hold what was said, or a signed URL."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return f"{type(error).__name__} in {' < '.join(f'{frame.name}:{frame.lineno}' for frame in reversed(frames))}"


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Log how long a part of the start took."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    log.info("phase %s: %.2f s, %.2f s of CPU", name, time.perf_counter() - wall, time.process_time() - cpu)
