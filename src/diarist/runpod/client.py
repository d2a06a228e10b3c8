"""A client for one RunPod endpoint.

The SDK's own client was rejected: it never retries over https, drops the text of errors, never ends on a cancelled job
and waits up to a second between looks. `diarist.runpod.calls` sends the requests, and tries again what passes.

What a queue platform can do to a job, and what happens here:

* the job runs beyond its limit or is TIMED_OUT, vanishes, is COMPLETED without output, or falls silent in the middle of
  its work: it is lost. It is cancelled first, then submitted once more, so that it never runs twice at a time;
* the answer to a submission is lost: nobody knows whether there is a job. It is submitted once more under the same
  ``request_id``, which a worker that already has it joins;
* the worker failed (5xx): it is submitted once more, unless the failure would repeat;
* the caller gives up, or the deadline passes: the job is cancelled, within the deadline.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx

from diarist.jobs.wire_errors import read_error
from diarist.model.errors import DiaristError, EndpointError
from diarist.runpod.calls import GIVE_UP_SECONDS, Calls, NoAnswerError, Note, usable_key
from diarist.runpod.limits import Limits
from diarist.runpod.watching import TERMINAL, LostError, OnPiece, OnProgress, Watched, pause, pieces_of, until_over

API: Final = "https://api.runpod.ai/v2"
MAX_RUN_BYTES: Final = 10_000_000
"""Documented limit of a request to /run."""
MAX_RUNSYNC_BYTES: Final = 20_000_000
"""Documented limit of a request to /runsync."""
_SOON: Final = 30.0  # seconds
_LISTENING: Final = 1.0  # seconds between two looks, at most, where somebody reads along
_ATTEMPTS: Final = 2  # of one job: the first, and one more if it is lost
_REPEATS: Final = frozenset({"result_too_large", "bad_result"})  # failures that come again with the same question


@dataclass(frozen=True, slots=True)
class Result:
    """What a job returned.

    Attributes:
        output: the worker's output, never None.
        queued: seconds until a worker took the job; None where the platform does not say.
        executed: seconds in the worker; None where the platform does not say.
        job_id: the platform's name for it.
    """

    output: Any
    queued: float | None
    executed: float | None
    job_id: str


class Endpoint:
    """One endpoint, open for jobs. Made by `connect`."""

    def __init__(self, calls: Calls, endpoint_id: str, name: str, note: Note = lambda _: None) -> None:
        self._calls = calls
        self._note = note
        self.id = endpoint_id
        self.name = name

    async def run(
        self,
        job_input: Mapping[str, Any],
        limits: Limits = Limits(),
        on_progress: OnProgress = lambda _: None,
        *,
        retry_failed: bool = True,
        resume: str | None = None,
        submitted: Callable[[str], None] = lambda _: None,
        on_piece: OnPiece | None = None,
    ) -> Result:
        """Submit a job and wait for its result.

        Args:
            job_input: what the worker gets; a ``request_id`` is added if it has none, see `request_id`.
            limits: how long to wait.
            on_progress: told, at each look, the worker's progress per stage, 0 to 1; empty before it has said any.
            retry_failed: also submit once more after a failure that is not the caller's fault.
            resume: id of a job that asks the same and that nobody waits for any more: it is waited for first.
            submitted: told the id of each job that is submitted.
            on_piece: given what a streaming worker sends, as far as it comes before the result; again from its
                beginning where the job is submitted once more.

        Raises:
            EndpointError: the endpoint is missing, refuses the key, failed, lost the job twice or took too long.
            DiaristError: what the worker said was wrong.
        """
        watched = Watched()
        if on_piece is not None:
            limits = dataclasses.replace(limits, sync_wait=0.0, poll_most=min(limits.poll_most, _LISTENING))

        async def waited(answer: dict[str, Any]) -> Result:
            return await self._waited(answer, limits, on_progress, watched, on_piece)

        try:
            with anyio.fail_after(limits.deadline - _reserve(limits)):
                return await self._attempts(
                    job_input, limits, waited, retry_failed=retry_failed, resume=resume, told=submitted
                )
        except TimeoutError:
            raise self._too_late(limits, watched) from None

    async def submit(self, job_input: Mapping[str, Any], limits: Limits = Limits()) -> str:
        """Submit a job, wait for nothing, and return its id; see `run` for arguments and errors."""
        try:
            with anyio.fail_after(limits.deadline):
                return str((await self._submit(self._body(job_input, limits), _polled(limits)))["id"])
        except TimeoutError:
            raise self._too_late(limits, Watched()) from None

    async def fetch(self, job_id: str, limits: Limits = Limits(), on_progress: OnProgress = lambda _: None) -> Result:
        """Wait for the result of a job that was submitted earlier. It goes on when the caller gives up.

        Raises:
            EndpointError: the platform does not know it (results are kept for half an hour), or it took too long.
            DiaristError: what the worker said was wrong.
        """
        watched = Watched()
        try:
            with anyio.fail_after(limits.deadline):
                answer = await until_over(self._calls, {"status": "?"}, job_id, limits, on_progress, watched)
        except TimeoutError:
            raise self._too_late(limits, watched) from None
        except LostError as lost:
            raise EndpointError("job_lost", f"{self.name} lost the job: {lost}.", "Send the recording again.") from None
        if error := self._failure(answer):
            raise error
        return _result(answer, job_id)

    async def status(self, job_id: str) -> str:
        """The platform's word for a job's state; ``"UNKNOWN"`` where it has forgotten the job."""
        try:
            return str((await self._soon("GET", f"status/{job_id}")).get("status", "UNKNOWN"))
        except EndpointError as error:
            if error.code != "endpoint_missing":
                raise
            return "UNKNOWN"

    async def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            EndpointError: it cannot be cancelled, e.g. since the platform has forgotten it.
        """
        await self._soon("POST", f"cancel/{job_id}")

    async def health(self) -> dict[str, Any]:
        """Return the platform's counts of jobs and workers."""
        return await self._soon("GET", "health")

    async def stream(self, job_id: str, limits: Limits = Limits()) -> AsyncIterator[Any]:
        """Yield what a streaming worker sends, until the job ends.

        Raises:
            EndpointError: the job failed, was cancelled or took too long.
        """
        began = time.monotonic()
        while True:
            answer = await self._soon("GET", f"stream/{job_id}", limits.deadline - (time.monotonic() - began))
            for piece in pieces_of(answer):
                yield piece
            if answer.get("status") in TERMINAL and not answer.get("stream"):
                if error := self._failure(answer):
                    raise error
                return
            waited = time.monotonic() - began
            if waited > limits.deadline:
                raise EndpointError("endpoint_timeout", f"{self.name} did not finish its stream.", http_status=504)
            await anyio.sleep(pause(waited, limits))

    async def _soon(self, method: str, path: str, seconds: float = _SOON) -> dict[str, Any]:
        """Send one request whose answer needs no patience."""
        try:
            with anyio.fail_after(max(0.0, seconds)):
                return await self._calls.call(method, path)
        except TimeoutError:
            why = f": {self._calls.trouble}" if self._calls.trouble else ""
            raise EndpointError("endpoint_timeout", f"{self.name} does not answer{why}.", http_status=504) from None

    def _body(self, job_input: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        return {
            "input": {"request_id": request_id(self.id, job_input), **job_input},
            "policy": {
                "executionTimeout": max(5_000, int(limits.execution * 1000)),
                "ttl": max(10_000, int(limits.deadline * 1000)),
            },
        }

    async def _attempts(
        self,
        job_input: Mapping[str, Any],
        limits: Limits,
        waited: Callable[[dict[str, Any]], Awaitable[Result]],
        *,
        retry_failed: bool,
        resume: str | None,
        told: Callable[[str], None],
    ) -> Result:
        if resume is not None:
            with contextlib.suppress(LostError, _FailedError):
                return await waited({"id": resume, "status": "?"})
        body = self._body(job_input, limits)
        said: DiaristError | None = None  # a worker's own words tell more than that another lost the job
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                answer = await self._submit(body, limits if attempt == 1 else _polled(limits))
                told(str(answer["id"]))
                return await waited(answer)
            except NoAnswerError:
                if last:
                    raise
            except LostError as lost:
                if last:
                    raise said or self._lost_twice(lost) from None
                self._note(f"{self.name} lost the job: {lost}; submitting it once more.")
            except _FailedError as failed:
                if last or not (retry_failed and failed.may_pass):
                    raise failed.error from None
                said = failed.error
                self._note(f"{self.name} failed ({failed.error.code}); submitting the job once more.")
        raise AssertionError("the last attempt returns or raises")

    async def _waited(
        self,
        answer: dict[str, Any],
        limits: Limits,
        on_progress: OnProgress,
        watched: Watched,
        on_piece: OnPiece | None,
    ) -> Result:
        """Wait for a job that is ours; whatever ends the waiting, the job does not go on unwatched."""
        job_id = str(answer["id"])
        watched.forget()
        try:
            answer = await until_over(self._calls, answer, job_id, limits, on_progress, watched, on_piece)
        except BaseException:
            await self._cancel(job_id, _reserve(limits))
            raise
        if error := self._failure(answer):
            raise _FailedError(error, from_worker=answer.get("status") != "CANCELLED")
        return _result(answer, job_id)

    async def _submit(self, body: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        content = _encode(body)
        # /runsync takes twice as much as /run; with the shortest wait it is a /run.
        sync = limits.sync_wait > 0 or len(content) > MAX_RUN_BYTES
        if len(content) > MAX_RUNSYNC_BYTES:
            raise EndpointError(
                "request_too_large",
                f"The request is {len(content) / 1e6:.1f} MB; the platform takes {MAX_RUNSYNC_BYTES / 1e6:.0f} MB.",
                "Send the recording by URL, with --audio-store s3://BUCKET/PREFIX, or from a network volume.",
                http_status=413,
            )
        wait = max(1000, int(limits.sync_wait * 1000))
        path = f"runsync?wait={wait}" if sync else "run"

        async def late(answer: dict[str, Any]) -> None:
            if answer.get("id"):
                await self._cancel(str(answer["id"]), _reserve(limits))

        answer = await self._calls.call("POST", path, content, wait=limits.sync_wait if sync else 0.0, late=late)
        if not answer.get("id"):
            raise EndpointError("endpoint_answer", f"{self.name} took a job and gave it no id.")
        return answer

    def _failure(self, answer: Mapping[str, Any]) -> DiaristError | None:
        """What a job that ended badly said."""
        match answer.get("status"):
            case "COMPLETED" if not answer.get("error"):
                return None
            case "TIMED_OUT":
                return EndpointError("job_timeout", f"{self.name} stopped the job: it took too long.", http_status=504)
            case "CANCELLED":
                return EndpointError("job_cancelled", f"Somebody cancelled the job at {self.name}.")
        return read_error(answer.get("error"), self.name)

    def _lost_twice(self, lost: LostError) -> EndpointError:
        hint = "Its workers may be crashing, or too slow for this recording: read their logs."
        if lost.waited:
            hint = "Allow more workers, or send fewer recordings at once. If it was alone, read its workers' logs."
        return EndpointError("job_lost", f"{self.name} lost the job twice: {lost}.", hint)

    def _too_late(self, limits: Limits, watched: Watched) -> EndpointError:
        trouble = f"The last request failed: {self._calls.trouble}" if self._calls.trouble else watched.where()
        said = f"{self.name} gave no result in {limits.deadline:.0f} s.{f' {trouble}.' if trouble else ''}"
        hint = "Check its workers in the console: are there any, and are they healthy?"
        return EndpointError("endpoint_timeout", said, hint, http_status=504)

    async def _cancel(self, job_id: str, seconds: float) -> None:
        """Cancel, whatever state the job is in; a job that cannot be cancelled ends by its own limit."""
        trouble = self._calls.trouble  # the story of what came before is worth more
        with anyio.move_on_after(seconds, shield=True), contextlib.suppress(EndpointError):
            await self._calls.call("POST", f"cancel/{job_id}")
        self._calls.trouble = trouble


@asynccontextmanager
async def connect(
    api_key: str,
    *,
    base_url: str = API,
    ssl_context: ssl.SSLContext | None = None,
    note: Note = lambda _: None,
    key_name: str = "RUNPOD_API_KEY",
    give_up: float = GIVE_UP_SECONDS,
) -> AsyncIterator[Callable[[str, str], Endpoint]]:
    """Open a session in which endpoints can be made from an id and a name for messages.

    Sessions are short, one per transcript: a worker restored from a snapshot must not find sockets of its earlier life.

    Args:
        api_key: allowed to use the endpoints.
        base_url: of the platform.
        ssl_context: which certificates are trusted.
        note: told in one line why it takes longer.
        key_name: the setting that the key came from, for messages.
        give_up: seconds after which a platform that never answered is given up.

    Raises:
        InputError: the key is none.
    """
    verify = ssl_context or (httpx.create_ssl_context() if base_url.startswith("https:") else False)
    async with httpx.AsyncClient(
        base_url=base_url,
        headers={"Authorization": f"Bearer {usable_key(api_key, key_name)}"},
        verify=verify,
        trust_env=base_url.startswith("https:"),
    ) as http:

        def endpoint(endpoint_id: str, name: str) -> Endpoint:
            calls = Calls(http, endpoint_id, name, note=note, key_name=key_name, give_up=give_up)
            return Endpoint(calls, endpoint_id, name, note)

        yield endpoint


def request_id(endpoint_id: str, job_input: Mapping[str, Any]) -> str:
    """Name a question after itself: the endpoint, the recording as sent, and everything asked.

    So whoever asks the same again, after a lost answer, a lost worker or a killed client, joins the work that a worker
    has already. Where the answer goes (``result_put_url``) is no part of the question, nor what is told before it.
    """
    question = {
        name: value for name, value in job_input.items() if name not in ("request_id", "result_put_url", "stream")
    }
    digest = hashlib.sha256(endpoint_id.encode() + b"\0")
    digest.update(_encode(dict(sorted(question.items()))))
    return digest.hexdigest()


class _FailedError(Exception):
    """The job ended, and badly."""

    def __init__(self, error: DiaristError, *, from_worker: bool) -> None:
        super().__init__()
        self.error = error
        self.may_pass = from_worker and error.http_status >= 500 and error.code not in _REPEATS


def _result(answer: Mapping[str, Any], job_id: str) -> Result:
    return Result(answer["output"], _seconds(answer, "delayTime"), _seconds(answer, "executionTime"), job_id)


def _reserve(limits: Limits) -> float:
    """Seconds at the end of the deadline that are kept for cancelling."""
    return min(5.0, max(limits.deadline / 10, min(1.0, limits.deadline / 2)))


def _polled(limits: Limits) -> Limits:
    """For a second attempt: no long request whose loss would leave the job unknown."""
    return dataclasses.replace(limits, sync_wait=0.0)


def _encode(body: Mapping[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.encode(body)


def _seconds(answer: Mapping[str, Any], key: str) -> float | None:
    value = answer.get(key)
    return round(value / 1000, 3) if isinstance(value, (int, float)) and 0 <= value < 1e12 else None
