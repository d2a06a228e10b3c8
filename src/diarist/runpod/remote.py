"""What pipelines on RunPod share: how a recording is sent, and how a job is run and its result read."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from diarist.audio.recording import WHOLE, Recording, data_url
from diarist.jobs.pieces import Piece, unspoken
from diarist.jobs.request import AudioJob, SpeakerTextJob, job_fields
from diarist.model.codec import load
from diarist.model.errors import EndpointError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription, Word
from diarist.pipelines.base import Pipeline
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.legs import misplaced
from diarist.runpod.calls import Note, usable_key
from diarist.runpod.client import API, MAX_RUNSYNC_BYTES, Endpoint, Result, connect, request_id
from diarist.runpod.ledger import Job, Ledger
from diarist.runpod.limits import Limits

if TYPE_CHECKING:
    from diarist.runpod.store import AudioStore
    from diarist.transcription.base import Heard

MAX_SENT_BYTES: Final = (MAX_RUNSYNC_BYTES - 100_000) * 3 // 4
"""The most that a recording may take, in bytes before base64, with room for the rest of the request."""

T = TypeVar("T")
N = TypeVar("N", Transcription, Diarization, Transcript)


@dataclass(frozen=True, slots=True)
class Sent:
    """A recording as a job names it.

    Attributes:
        audio: what the job's ``audio`` field says.
        name: what people call it.
        seconds: its length; None where nobody here knows it.
        how: ``"reference"`` (a URL or volume path that endpoints fetch), ``"inline"`` (as the caller encoded it),
            ``"original"`` (the caller's own bytes), ``"flac"`` (no loss) or ``"opus"``; ``" by reference"`` follows
            where an audio store held it.
        warnings: what was wrong with it, or lost on the way.
    """

    audio: str
    name: str
    seconds: float | None
    how: str
    warnings: tuple[str, ...] = ()


class Listening:
    """Tells words of an endpoint as they come: in order, each once, whatever pieces are lost or come again.

    Args:
        heard: is told.
    """

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._told = 0

    def hear(self, value: object) -> None:
        """Tell what is new in a piece. One that is none, or that others before it are missing for, waits for `rest`."""
        try:
            piece = load(Piece, value) if isinstance(value, Mapping) else None
        except InputError:
            piece = None
        if piece is not None and 0 <= piece.offset <= self._told:
            self._tell(piece.words[self._told - piece.offset :])

    def rest(self, words: Sequence[Word]) -> None:
        """Tell what of all words was not told."""
        self._tell(tuple(unspoken(word) for word in words[self._told :]))

    def _tell(self, words: Sequence[Word]) -> None:
        if words:
            self._told += len(words)
            self._heard(words)


class RemotePipeline(Pipeline):
    """A key, an address, limits.

    Args:
        api_key: allowed to use the endpoints.
        place: what the transcript says about where it was made.
        base_url: of the platform.
        limits: from a recording's length to how long to wait.
        retry_failed: whether a job that failed by no fault of the recording is submitted once more.
        store: where recordings are put for endpoints to read, and large results for us; None sends them along.
        note: told in one line why it takes longer.
        key_name: the setting that the key came from, for messages.
        ledger: remembers jobs in case that we die, and finds those of a client that died; None remembers none.

    Raises:
        InputError: the key is none.
    """

    def __init__(
        self,
        api_key: str,
        place: str,
        *,
        base_url: str = API,
        limits: Callable[[float | None], Limits] = Limits.for_audio,
        retry_failed: bool = True,
        store: AudioStore | None = None,
        note: Note = lambda _: None,
        key_name: str = "RUNPOD_API_KEY",
        ledger: Ledger | None = None,
    ) -> None:
        self._api_key = usable_key(api_key, key_name)
        self._key_name = key_name
        self._place = place
        self._base_url = base_url
        self._limits = limits
        self._retry_failed = retry_failed
        self._store = store
        self._note = note
        self._ledger = ledger

    def _connected(self) -> AbstractAsyncContextManager[Callable[[str, str], Endpoint]]:
        return connect(self._api_key, base_url=self._base_url, note=self._note, key_name=self._key_name)

    @asynccontextmanager
    async def _sending(self, recording: Recording, progress: Progress) -> AsyncIterator[Sent]:
        """Name a recording as a job does, for as long as the block runs."""
        if recording.wire is not None and recording.cut == WHOLE:
            how = "reference" if recording.by_reference else "inline"
            yield Sent(recording.wire, recording.name, None, how)
            return
        progress("sending", 0.0)
        from diarist.audio.transport import pack_recording

        store = self._store
        limit = MAX_SENT_BYTES if store is None else None
        packed = await in_thread(lambda report: pack_recording(recording, limit, report), progress)
        if store is None:
            lossy = ("Sent as Opus, since FLAC does not fit one request; words may differ a little.",)
            warnings = (*packed.warnings, *(lossy if packed.codec == "opus" else ()))
            name = recording.name if packed.codec == "original" else f"{recording.name}.{packed.codec}"
            yield Sent(data_url(packed.data, name), recording.name, packed.seconds, packed.codec, warnings)
            return
        suffix = PurePath(recording.name).suffix if packed.codec == "original" else f".{packed.codec}"
        async with _entered(store.holding(packed.data, suffix), progress) as url:
            yield Sent(url, recording.name, packed.seconds, f"{packed.codec} by reference", packed.warnings)

    async def _job(
        self,
        endpoint: Endpoint,
        sent: Sent,
        kind: type[AudioJob],
        options: Options,
        stage: str,
        progress: Progress,
        listening: Listening | None = None,
    ) -> Result:
        """Run one job, reporting at each look; a report that raises cancels it.

        A job of ours that asks the same and that nobody waits for any more is waited for instead.
        """
        fields = job_input(endpoint.id, sent.audio, kind, options)
        ledger, known = self._ledger, None
        noted: list[Job] = []
        if ledger is not None and self._store is None:  # a bucket has another URL for each result
            known = ledger.abandoned(fields["request_id"], endpoint.id, self._base_url)
        if ledger is not None and known is not None:
            noted.append(dataclasses.replace(known, pid=os.getpid(), detached=False))
            ledger.add(noted[0])

        def submitted(job_id: str) -> None:
            if ledger is not None:
                noted.append(
                    self._noted(job_id, endpoint, fields["request_id"], sent.name, whole=kind is SpeakerTextJob)
                )
                ledger.add(noted[-1])

        async def run(more: Mapping[str, Any]) -> Result:
            return await endpoint.run(
                {**fields, **more, **({"stream": True} if listening else {})},
                self._limits(sent.seconds),
                lambda stages: progress(stage, min(stages.values(), default=0.0)),
                retry_failed=self._retry_failed,
                resume=known.id if known else None,
                submitted=submitted,
                on_piece=listening.hear if listening else None,
            )

        try:
            if self._store is None:
                return await run({})
            async with _entered(self._store.receiving(), progress) as (put_url, read):
                result = await run({"result_put_url": put_url})
                if not (isinstance(result.output, Mapping) and result.output.get("result_uploaded")):
                    return result
                return dataclasses.replace(result, output=_parsed(await in_thread(lambda _: read(), progress)))
        finally:
            if ledger is not None:
                for job in noted:
                    ledger.remove(job)

    def _noted(self, job_id: str, endpoint: Endpoint, question: str, name: str, *, whole: bool, **more: Any) -> Job:
        return Job(
            id=job_id,
            endpoint=endpoint.id,
            url=self._base_url,
            place=self._place,
            name=name,
            question=question,
            whole=whole,
            **more,
        )


def job_input(endpoint_id: str, audio: str, kind: type[AudioJob], options: Options) -> dict[str, Any]:
    """What a job for an endpoint of ours says, under a name that is the same for the same question."""
    fields = {"audio": audio, "response_format": "diarist", **job_fields(kind, options)}
    return {"request_id": request_id(endpoint_id, fields), **fields}


def noun(cls: type[N], result: Result, endpoint: str) -> N:
    """Make a noun of a job's output.

    Raises:
        EndpointError: it is none.
    """
    try:
        made = load(cls, result.output)
        problem = misplaced(made) if isinstance(made, Transcription) else None
    except InputError as error:
        problem = error.message
    if problem is not None:
        raise EndpointError(
            "endpoint_answer",
            f"{endpoint} does not answer as diarist does: {problem}",
            "Does it run the right image, of this version?",
        )
    waits = {"queued": result.queued, "executed": result.executed}
    return dataclasses.replace(
        made, timings={**made.timings, **{name: s for name, s in waits.items() if s is not None}}
    )


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise EndpointError("endpoint_answer", "The result in the bucket is not JSON.", "Try again.") from None


@asynccontextmanager
async def _entered(block: AbstractContextManager[T], progress: Progress) -> AsyncIterator[T]:
    """Enter and leave a block that takes its time, in threads."""
    value = await in_thread(lambda _: block.__enter__(), progress)
    try:
        yield value
    finally:
        await in_thread(lambda _: block.__exit__(None, None, None), ignore)
