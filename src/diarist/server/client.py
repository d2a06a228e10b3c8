"""Another diarist server as a place: its engines, from the command line and from Python.

Every recording is a job there, so that a connection that breaks loses nothing: a submission is repeated under the same
``Idempotency-Key``, and whoever waits asks again. The job is erased once its transcript is here.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread
import httpx
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from diarist.audio.recording import WHOLE, Recording, as_recording
from diarist.editing import Edit
from diarist.model import codec
from diarist.model.errors import Cancelled, DiaristError, EndpointError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Transcript
from diarist.pipelines.base import Naming, Pipeline, Source
from diarist.pipelines.bridge import in_thread, wait_for

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.places import Wanted
    from diarist.transcription.base import Heard

MAX_ANSWER_BYTES: Final = 200_000_000
"""Twelve hours at 200 words a minute, each with all that is known of it, take about 23 MB."""
_TRIES: Final = 6
_FIRST_TRIES: Final = 2
_LOOK_SECONDS: Final = (0.25, 5.0)
_TIMEOUT: Final = httpx.Timeout(30.0, read=120.0, write=120.0)
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


def open_place(place: str, wanted: Wanted, _: Progress, note: Callable[[str], None]) -> Pipeline:  # noqa: ARG001
    """Make the pipeline of a server's address for `diarist.places`; its key is ``DIARIST_API_KEY``."""
    wanted.refuse_engines(place)
    if wanted.audio_store:
        raise InputError("not_there", "An audio store is for --on runpod:….", "Leave it out.")
    return connect(place)


def connect(url: str, key: str | None = None) -> Server:
    """Use another diarist server as if its engines were here.

    Args:
        url: its address, e.g. ``http://notes.example:8000``.
        key: the caller's key; None takes ``DIARIST_API_KEY`` from the environment, if it is set.

    Raises:
        InputError: it is no address; or a key would go over plain http to another machine.
    """
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host or address.userinfo:
        raise InputError(
            "bad_place", f"{url!r} is no server's address.", "Write it as http://HOST:PORT or https://HOST."
        )
    return Server(str(address).rstrip("/"), key if key is not None else os.environ.get("DIARIST_API_KEY", ""))


@dataclass(frozen=True, slots=True)
class State:
    """How far a job is.

    Attributes:
        status: ``"queued"``, ``"running"``, ``"completed"``, ``"failed"`` or ``"cancelled"``.
        stages: share done by stage, 0 to 1.
        position: its place among those that wait; None for one that does not.
    """

    status: str
    stages: Mapping[str, float]
    position: int | None = None


class RemoteJob:
    """A job on a server. Each method has a twin for asynchronous code."""

    def __init__(self, server: Server, job_id: str) -> None:
        self._server = server
        self._path = f"/v1/jobs/{quote(job_id, safe='')}"
        self.id = job_id

    async def astate(self) -> State:
        """See `state`."""
        document = await self._server.ask("GET", self._path)
        return State(str(document["status"]), document.get("stages", {}), document.get("position"))

    async def afollow(self) -> AsyncIterator[State]:
        """Say how far it is, again and again until its end."""
        pause, longest = _LOOK_SECONDS
        while (state := await self.astate()).status not in _ENDED:
            yield state
            await anyio.sleep(pause)
            pause = min(pause * 1.2, longest)

    async def aresult(self, progress: Progress = ignore) -> Transcript:
        """See `result`."""
        async for state in self.afollow():
            for stage, done in state.stages.items():
                progress(stage, done)
        content = await self.arender("diarist")
        return await anyio.to_thread.run_sync(codec.read, Transcript, content)

    async def arender(self, format: str) -> bytes:  # noqa: A002
        """See `render`."""
        return await self._server.fetch("GET", f"{self._path}/result", params={"format": format})

    async def aedit(self, *edits: Edit) -> None:
        """See `edit`."""
        state = await self._server.ask("GET", self._path)
        document = {"operations": msgspec.to_builtins(edits)}
        headers = {"if-match": f'"{state.get("revision", 0)}"'}
        await self._server.ask("POST", f"{self._path}/edits", json=document, headers=headers)

    async def acancel(self) -> None:
        """See `cancel`."""
        await self._server.fetch("POST", f"{self._path}/cancel")

    async def adelete(self) -> None:
        """See `delete`."""
        await self._server.fetch("DELETE", self._path)

    def state(self) -> State:
        """Ask how far it is."""
        return wait_for(self.astate)

    def result(self, progress: Progress = ignore) -> Transcript:
        """Wait for its end.

        Args:
            progress: called as ``progress(stage, done)``; may raise `Cancelled`, which leaves the job to go on.

        Raises:
            DiaristError: what the server said of a job that failed.
        """
        return wait_for(lambda: self.aresult(progress))

    def render(self, format: str) -> bytes:  # noqa: A002
        """Read its transcript in any format: one of `diarist.formats.FORMATS`, or of OpenAI's."""
        return wait_for(lambda: self.arender(format))

    def edit(self, *edits: Edit) -> None:
        """Correct its transcript (`diarist.editing`). Refused if somebody else changed it at the same moment."""
        wait_for(lambda: self.aedit(*edits))

    def cancel(self) -> None:
        """Stop it."""
        wait_for(self.acancel)

    def delete(self) -> None:
        """Stop it if it is under way, and have all of it erased."""
        wait_for(self.adelete)


class Server(Pipeline):
    """A diarist server elsewhere; made by `connect`.

    Args:
        url: its address.
        key: the caller's; empty for none.
    """

    knows_voices = False

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """See `Pipeline.transcribe`. The server keeps nothing of it afterwards."""
        if naming is not None:
            raise InputError(
                "no_voices", "A server returns no voices to compare.", "Add the voices there, or transcribe here."
            )
        job = await self.asubmit(recording, options, progress)
        try:
            transcript = await job.aresult(progress)
        finally:
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(10):
                    await _quietly(job)
        if heard is not None and transcript.words:
            heard(transcript.words)
        return transcript

    async def asubmit(
        self, recording: Source | Audio, options: Options = Options(), progress: Progress = ignore
    ) -> RemoteJob:
        """See `submit`."""
        given = as_recording(recording)
        fields = _fields(options)
        headers = {"idempotency-key": secrets.token_hex(16)}
        if given.by_reference and given.wire is not None and given.cut == WHOLE:
            document = {**fields, "url": given.wire}
            return RemoteJob(self, str((await self.ask("POST", "/v1/jobs", json=document, headers=headers))["id"]))
        async with AsyncExitStack() as stack:
            opened = await in_thread(lambda report: _open(given, report), progress)
            file = stack.enter_context(opened)
            start = file.tell()

            def form() -> dict[str, Any]:
                file.seek(start)
                return {"data": fields, "files": {"file": (given.name, file, "application/octet-stream")}}

            answer = await self.ask("POST", "/v1/jobs", form=form, headers=headers)
        return RemoteJob(self, str(answer["id"]))

    def submit(self, recording: Source | Audio, options: Options = Options(), progress: Progress = ignore) -> RemoteJob:
        """Send a recording, and go on without waiting for its transcript.

        Raises:
            DiaristError: it cannot be had, or the server does not take it.
        """
        return wait_for(lambda: self.asubmit(recording, options, progress))

    def job(self, job_id: str) -> RemoteJob:
        """A job that was submitted before, by its id."""
        return RemoteJob(self, job_id)

    async def ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask the server, and read its JSON."""
        return codec.read(dict[str, Any], await self.fetch(method, path, **request))

    async def fetch(
        self, method: str, path: str, *, form: Callable[[], dict[str, Any]] | None = None, **request: Any
    ) -> bytes:
        """Ask the server, again where the network failed or it had no room.

        Raises:
            DiaristError: what it said.
            EndpointError: it cannot be reached.
        """
        headers = {**self._headers, **request.pop("headers", {})}
        retrying = AsyncRetrying(
            stop=lambda state: state.attempt_number >= (_TRIES if _reached(state) else _FIRST_TRIES),
            wait=wait_exponential_jitter(multiplier=0.5, max=15),
            retry=retry_if_exception_type((httpx.TransportError, _BusyError)),
            reraise=True,
        )
        try:
            async with httpx.AsyncClient(base_url=self.url, timeout=_TIMEOUT, headers=headers) as client:
                async for attempt in retrying:
                    with attempt:
                        async with client.stream(method, path, **request, **(form() if form else {})) as response:
                            content = await self._read(response)
                        if not response.is_success:
                            raise _error(response.status_code, content, self.url)
                        return content
        except httpx.TransportError as error:
            raise EndpointError(
                "unreachable", f"{self.url} cannot be reached: {type(error).__name__}.", "Is the server running there?"
            ) from None
        raise AssertionError("tenacity raises or returns")

    async def _read(self, response: httpx.Response) -> bytes:
        """Read an answer, as far as one is believed to go."""
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise EndpointError(
                    "endpoint_answer",
                    f"{self.url} answers with more than {MAX_ANSWER_BYTES / 1e6:.0f} MB.",
                    "Is it diarist that answers there?",
                )
        return bytes(content)


def _reached(state: RetryCallState) -> bool:
    """Whether somebody was there: nobody waits long for an address that is wrong."""
    return not (state.outcome and isinstance(state.outcome.exception(), httpx.ConnectError))


class _BusyError(EndpointError):
    """The server has no room now."""


def _error(status: int, content: bytes, url: str) -> DiaristError:
    try:
        told = json.loads(content)["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        code, message = "endpoint_failed", f"{url} answered with status {status}."
    message = " ".join(message.split())[:500]
    match status:
        case 429 | 502 | 503 | 504:
            return _BusyError(code, message)
        case 499:
            return Cancelled(message)
        case _ if 400 <= status < 500:
            return InputError(code, message, http_status=status)
        case _:
            return EndpointError(code, message)


def _fields(options: Options) -> dict[str, Any]:
    fields: dict[str, Any] = {"diarize": str(options.diarize).lower(), "model": "diarist"}
    for name in ("language", "num_speakers", "min_speakers", "max_speakers", "temperature"):
        value = getattr(options, name)
        if value is not None:
            fields[name] = str(value)
    if options.task != "transcribe":
        fields["task"] = options.task
    if options.hotwords:
        fields["hotwords[]"] = list(options.hotwords)
    if options.on_diarization_failure != "warn":
        fields["on_diarization_failure"] = options.on_diarization_failure
    return fields


def _open(recording: Recording, progress: Progress) -> Any:
    """What is sent: the caller's own bytes, else its samples as FLAC."""
    if recording.has_bytes and recording.cut == WHOLE and not recording.decoded:
        return recording.open(progress)
    import io

    from diarist.audio.decode import decode
    from diarist.audio.transport import encode_flac

    return io.BytesIO(encode_flac(decode(recording, progress=progress)))


async def _quietly(job: RemoteJob) -> None:
    """Erase a job; where that fails, its server will in time."""
    try:
        await job.adelete()
    except DiaristError:
        return
