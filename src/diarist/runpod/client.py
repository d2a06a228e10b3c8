"""A client for one RunPod endpoint.

The SDK's own client was rejected: it never retries over https, drops the text of errors, never ends on a cancelled job
and waits up to a second between looks. tenacity does the retrying.

What a queue platform can do to a job, and what happens here:

* 429, 5xx, a refused or lost connection: tried again, with back-off, jitter and ``Retry-After``, until the deadline;
* the job runs beyond its limit or is TIMED_OUT, vanishes, or is COMPLETED without output: it is lost. It is cancelled
  first, then submitted once more, so that it never runs twice at a time;
* the answer to a submission is lost: nobody knows whether there is a job. It is submitted once more under the same
  ``request_id``, which a worker that already has it joins;
* the caller gives up, or the deadline passes: the job is cancelled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx
import tenacity

from diarist.jobs.wire_errors import read_error
from diarist.model.errors import EndpointError
from diarist.runpod.limits import Limits

API: Final = "https://api.runpod.ai/v2"
MAX_RUN_BYTES: Final = 10_000_000
"""Documented limit of a request to /run."""
MAX_RUNSYNC_BYTES: Final = 20_000_000
"""Documented limit of a request to /runsync."""
_TERMINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524})
_ATTEMPTS: Final = 2  # of one job: the first, and one more if it is lost


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

    def __init__(self, http: httpx.AsyncClient, endpoint_id: str, name: str) -> None:
        self._http = http
        self.id = endpoint_id
        self.name = name

    async def run(
        self,
        job_input: Mapping[str, Any],
        limits: Limits = Limits(),
        on_progress: Callable[[Mapping[str, float]], None] = lambda _: None,
        *,
        retry_failed: bool = False,
    ) -> Result:
        """Submit a job and wait for its result.

        Args:
            job_input: what the worker gets; a ``request_id`` is added if it has none.
            limits: how long to wait.
            on_progress: told, at each look, the worker's progress per stage, 0 to 1; empty before it has said any.
            retry_failed: also submit once more after a failure that is not the caller's fault.

        Raises:
            EndpointError: the endpoint is missing, refuses the key, failed, lost the job twice or took too long.
            DiaristError: what the worker said was wrong.
        """
        body = {
            "input": {"request_id": uuid.uuid4().hex, **job_input},
            "policy": {
                "executionTimeout": max(5_000, int(limits.execution * 1000)),
                "ttl": max(10_000, int(limits.deadline * 1000)),
            },
        }
        try:
            with anyio.fail_after(limits.deadline):
                return await self._attempts(body, limits, on_progress, retry_failed=retry_failed)
        except TimeoutError:
            raise EndpointError(
                "endpoint_timeout",
                f"{self.name} gave no result in {limits.deadline:.0f} s.",
                "Check its workers in the console: are there any, and are they healthy?",
                http_status=504,
            ) from None

    async def health(self) -> dict[str, Any]:
        """Return the platform's counts of jobs and workers."""
        health: dict[str, Any] = await self._request("GET", "health")
        return health

    async def stream(self, job_id: str, limits: Limits = Limits()) -> AsyncIterator[Any]:
        """Yield what a streaming worker sends, until the job ends.

        Raises:
            EndpointError: the job failed, was cancelled or took too long.
        """
        began = time.monotonic()
        while True:
            answer = await self._request("GET", f"stream/{job_id}")
            for chunk in answer.get("stream", ()):
                yield chunk["output"]
            if answer.get("status") in _TERMINAL and not answer.get("stream"):
                self._check(answer)
                return
            waited = time.monotonic() - began
            if waited > limits.deadline:
                raise EndpointError("endpoint_timeout", f"{self.name} did not finish its stream.", http_status=504)
            await anyio.sleep(_pause(waited, limits))

    async def _attempts(
        self,
        body: Mapping[str, Any],
        limits: Limits,
        on_progress: Callable[[Mapping[str, float]], None],
        *,
        retry_failed: bool,
    ) -> Result:
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                return await self._once(body, limits if attempt == 1 else _polled(limits), on_progress)
            except _LostError as lost:
                if last:
                    raise EndpointError(
                        "job_lost",
                        f"{self.name} lost the job twice: {lost}.",
                        "Its workers may be crashing, or too slow for this recording: read their logs.",
                    ) from None
            except EndpointError:
                raise
            except Exception as error:
                if last or not retry_failed or getattr(error, "http_status", 500) < 500:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _once(
        self, body: Mapping[str, Any], limits: Limits, on_progress: Callable[[Mapping[str, float]], None]
    ) -> Result:
        answer = await self._submit(body, limits)
        job_id = str(answer["id"])
        try:
            answer = await self._wait(answer, job_id, limits, on_progress)
        except BaseException:
            # Whatever ends the waiting (the caller, the deadline, a lost job), the job must not go on unwatched.
            await self._cancel(job_id)
            raise
        self._check(answer)
        return Result(answer["output"], _seconds(answer, "delayTime"), _seconds(answer, "executionTime"), job_id)

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
        try:
            answer = await self._request("POST", path, content, wait=limits.sync_wait if sync else 0.0)
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout, httpx.WriteError) as error:
            raise _LostError(f"no answer to its submission ({type(error).__name__})") from None
        if not answer.get("id"):
            raise EndpointError("endpoint_answer", f"{self.name} took a job and gave it no id.")
        return answer

    async def _wait(
        self,
        answer: dict[str, Any],
        job_id: str,
        limits: Limits,
        on_progress: Callable[[Mapping[str, float]], None],
    ) -> dict[str, Any]:
        """Look until the job has ended."""
        began = time.monotonic()
        running_since: float | None = None
        newest: dict[str, float] = {}
        while answer.get("status") not in _TERMINAL:
            now = time.monotonic()
            if answer.get("status") == "IN_PROGRESS":
                running_since = running_since or now
                if now - running_since > limits.execution + limits.grace:
                    raise _LostError(f"no result after {now - running_since:.0f} s in a worker")
                output = answer.get("output")
                if isinstance(output, Mapping) and isinstance(output.get("progress"), Mapping):
                    newest.update(output["progress"])
            else:
                running_since = None  # its worker was lost and the platform queued it again
            on_progress(newest)
            await anyio.sleep(_pause(now - began, limits))
            answer = await self._request("GET", f"status/{job_id}", lost_on_404=True)
        if answer["status"] == "COMPLETED" and answer.get("output") is None and not answer.get("error"):
            raise _LostError("it is COMPLETED without output")
        if answer["status"] == "TIMED_OUT":  # also what becomes of a job that a dying worker took and never began
            raise _LostError("the platform stopped it after its time limit")
        return answer

    def _check(self, answer: Mapping[str, Any]) -> None:
        """Raise what a job that ended badly said."""
        match answer.get("status"):
            case "COMPLETED" if not answer.get("error"):
                return
            case "TIMED_OUT":
                raise EndpointError("job_timeout", f"{self.name} stopped the job: it took too long.", http_status=504)
            case "CANCELLED":
                raise EndpointError("job_cancelled", f"Somebody cancelled the job at {self.name}.")
        raise read_error(answer.get("error"), self.name)

    async def _cancel(self, job_id: str) -> None:
        """Cancel, whatever state the job is in; a job that cannot be cancelled ends by its own limit."""
        with anyio.move_on_after(10, shield=True), contextlib.suppress(EndpointError, httpx.HTTPError):
            await self._request("POST", f"cancel/{job_id}")

    async def _request(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        wait: float = 0.0,
        lost_on_404: bool = False,
    ) -> dict[str, Any]:
        """Send one request until it is answered. The deadline around it ends the trying."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_worth_again(safe=method == "GET")), wait=_back_off, reraise=True
        )
        try:
            async for attempt in retrying:
                # A POST that is under way is not abandoned: it may make a job whose id nobody would know.
                with attempt, anyio.CancelScope(shield=method == "POST"):
                    response = await self._http.request(
                        method,
                        f"{self.id}/{path}",
                        content=content,
                        headers={"Content-Type": "application/json"} if content is not None else {},
                        timeout=httpx.Timeout(30.0, connect=10.0, read=30.0 + wait),
                    )
                    response.raise_for_status()
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404 and lost_on_404:
                raise _LostError("the platform no longer knows it") from None
            raise self._refusal(error.response) from None
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise EndpointError("endpoint_answer", f"{self.name} answered with something that is not a JSON object.")
        return answer

    def _refusal(self, response: httpx.Response) -> EndpointError:
        said = " ".join(response.text.split())[:200]
        match response.status_code:
            case 401 | 403:
                return EndpointError(
                    "endpoint_key", f"{self.name} refuses the API key.", "Is RUNPOD_API_KEY right, and allowed here?"
                )
            case 404:
                return EndpointError(
                    "endpoint_missing", f"{self.name} does not exist.", "Check the endpoint id and the account."
                )
            case 413:
                return EndpointError("request_too_large", f"{self.name} refuses the size: {said}.", http_status=413)
            case status:
                return EndpointError("endpoint_refused", f"{self.name} answers {status}: {said}.")


@asynccontextmanager
async def connect(
    api_key: str, *, base_url: str = API, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[Callable[[str, str], Endpoint]]:
    """Open a session in which endpoints can be made from an id and a name for messages.

    Sessions are short, one per transcript: a worker restored from a snapshot must not find sockets of its earlier life.
    """
    verify = ssl_context or (httpx.create_ssl_context() if base_url.startswith("https:") else False)
    async with httpx.AsyncClient(
        base_url=base_url,
        headers={"Authorization": f"Bearer {api_key}"},
        verify=verify,
        trust_env=base_url.startswith("https:"),
    ) as http:
        yield lambda endpoint_id, name: Endpoint(http, endpoint_id, name)


class _LostError(Exception):
    """The job will never give a result."""


def _worth_again(*, safe: bool) -> Callable[[BaseException], bool]:
    """Which failures to try again; after others, a request that is not safe may have been carried out."""

    def again(error: BaseException) -> bool:
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code in _AGAIN
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
            return True
        return safe and isinstance(error, httpx.TransportError)

    return again


def _back_off(state: tenacity.RetryCallState) -> float:
    """0.25 s doubling to 5 s, with jitter; what the server asks for, if it does."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, httpx.HTTPStatusError):
        asked = error.response.headers.get("retry-after", "")
        if asked.isdigit():
            return min(float(asked), 60.0) + random.uniform(0, 0.25)  # noqa: S311 - jitter
    return min(5.0, 0.25 * 2.0 ** min(state.attempt_number - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


def _pause(waited: float, limits: Limits) -> float:
    """A twentieth of the time waited, so that looking costs at most 5 % of it, with jitter."""
    return min(limits.poll_most, max(limits.poll_first, waited / 20)) * random.uniform(0.8, 1.0)  # noqa: S311


def _polled(limits: Limits) -> Limits:
    """For a second attempt: no long request whose loss would leave the job unknown."""
    return dataclasses.replace(limits, sync_wait=0.0)


def _encode(body: Mapping[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.encode(body)


def _seconds(answer: Mapping[str, Any], key: str) -> float | None:
    value = answer.get(key)
    return round(value / 1000, 3) if isinstance(value, (int, float)) else None
