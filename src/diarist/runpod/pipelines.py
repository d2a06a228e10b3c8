"""Pipelines whose engines are on RunPod: `SplitPipeline` (two endpoints) and `EndpointPipeline` (one).

Both are thin. A recording that endpoints can fetch themselves, or that came encoded already, is passed through;
anything else is sent by `diarist.audio.transport`. The split pipeline runs its two legs with
`diarist.pipelines.legs.run_legs`, as local engines do, so words meet speakers by the same code everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, TypeVar

from diarist.audio.recording import WHOLE, Recording, as_recording, data_url
from diarist.jobs.request import AudioJob, DiarizationJob, SpeakerTextJob, TranscriptionJob, job_fields
from diarist.model.codec import load
from diarist.model.errors import EndpointError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.base import Naming, Pipeline, Source
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.legs import DifferentRecordingsError, misplaced, run_legs
from diarist.runpod.client import API, MAX_RUNSYNC_BYTES, Endpoint, Result, connect
from diarist.runpod.limits import Limits

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.runpod.store import AudioStore
    from diarist.transcription.base import Heard

MAX_SENT_BYTES: Final = (MAX_RUNSYNC_BYTES - 100_000) * 3 // 4
"""The most that a recording may take, in bytes before base64, with room for the rest of the request."""

N = TypeVar("N", Transcription, Diarization, Transcript)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A recording as a job names it.

    Attributes:
        audio: what the job's ``audio`` field says.
        seconds: its length; None where nobody here knows it.
        how: ``"reference"`` (a URL or volume path that endpoints fetch), ``"inline"`` (as the caller encoded it),
            ``"original"`` (the caller's own bytes), ``"flac"`` (no loss) or ``"opus"``; ``" by reference"`` follows
            where an audio store held it.
        warnings: what was wrong with it, or lost on the way.
    """

    audio: str
    seconds: float | None
    how: str
    warnings: tuple[str, ...] = ()


class _RemotePipeline(Pipeline):
    """What remote pipelines share: a key, an address, limits."""

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = API,
        limits: Callable[[float | None], Limits] = Limits.for_audio,
        retry_failed: bool = False,
        store: AudioStore | None = None,
    ) -> None:
        self._store = store
        self._api_key = api_key
        self._base_url = base_url
        self._limits = limits
        self._retry_failed = retry_failed

    @asynccontextmanager
    async def _sending(self, recording: Recording, progress: Progress) -> AsyncIterator[_Sent]:
        """Name a recording as a job does, for as long as the block runs."""
        if recording.wire is not None and recording.cut == WHOLE:
            yield _Sent(recording.wire, None, "reference" if recording.by_reference else "inline")
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
            yield _Sent(data_url(packed.data, name), packed.seconds, packed.codec, warnings)
            return
        suffix = PurePath(recording.name).suffix if packed.codec == "original" else f".{packed.codec}"
        holding = store.holding(packed.data, suffix)
        url = await in_thread(lambda _: holding.__enter__(), progress)
        try:
            yield _Sent(url, packed.seconds, f"{packed.codec} by reference", packed.warnings)
        finally:
            await in_thread(lambda _: holding.__exit__(None, None, None), ignore)

    async def _job(
        self, endpoint: Endpoint, sent: _Sent, kind: type[AudioJob], options: Options, stage: str, progress: Progress
    ) -> Result:
        """Run one job, reporting at each look; a report that raises cancels it."""
        return await endpoint.run(
            {"audio": sent.audio, "response_format": "diarist", **job_fields(kind, options)},
            self._limits(sent.seconds),
            lambda stages: progress(stage, min(stages.values(), default=0.0)),
            retry_failed=self._retry_failed,
        )


class SplitPipeline(_RemotePipeline):
    """Transcription and diarization on two endpoints, called at the same time; words meet speakers here.

    Args:
        transcription: id of the transcription endpoint.
        diarization: id of the diarization endpoint.
        api_key: allowed to use both.
        base_url: of the platform.
        limits: from a recording's length to how long to wait.
        retry_failed: whether a leg that failed by no fault of the recording is tried once more.
        place: what the transcript says about where it was made.
        store: where recordings are put for both endpoints to read; None sends them along.
    """

    def __init__(
        self,
        transcription: str,
        diarization: str,
        api_key: str,
        *,
        base_url: str = API,
        limits: Callable[[float | None], Limits] = Limits.for_audio,
        retry_failed: bool = False,
        place: str = "runpod:split",
        store: AudioStore | None = None,
    ) -> None:
        super().__init__(api_key, base_url=base_url, limits=limits, retry_failed=retry_failed, store=store)
        self._transcription = transcription
        self._diarization = diarization
        self._place = place

    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """See `Pipeline.transcribe`. A failed leg cancels the other's job; `run_legs` says what fails what."""
        async with (
            self._sending(as_recording(recording), progress) as sent,
            connect(self._api_key, base_url=self._base_url) as endpoint,
        ):
            words = endpoint(self._transcription, "The transcription endpoint")
            turns = endpoint(self._diarization, "The diarization endpoint")

            async def transcribe() -> Transcription:
                result = await self._job(words, sent, TranscriptionJob, options, "transcription", progress)
                found = _noun(Transcription, result, words.name)
                if heard and found.words:
                    heard(found.words)
                return found

            async def diarize() -> Diarization:
                result = await self._job(turns, sent, DiarizationJob, options, "diarization", progress)
                return _noun(Diarization, result, turns.name)

            async def both() -> Transcript:
                return await run_legs(transcribe, diarize if options.diarize else None, options, sent.warnings, naming)

            try:
                transcript = await both()
            except DifferentRecordingsError:
                if heard is not None:
                    raise  # words that were told cannot be taken back
                # What a URL names may have changed between the two downloads. Then both get the new one now.
                transcript = await both()
        return _placed(transcript, self._place, sent)


class EndpointPipeline(_RemotePipeline):
    """Everything on one endpoint: the single worker, or the orchestrator.

    Args:
        endpoint: its id.
        api_key: allowed to use it.
        place: ``"runpod:single"`` or ``"runpod:orchestrator"``.
        base_url: of the platform.
        limits: from a recording's length to how long to wait.
        store: where recordings are put for the endpoint to read; None sends them along.
    """

    knows_voices = False

    def __init__(
        self,
        endpoint: str,
        api_key: str,
        place: str,
        *,
        base_url: str = API,
        limits: Callable[[float | None], Limits] = Limits.for_audio,
        store: AudioStore | None = None,
    ) -> None:
        super().__init__(api_key, base_url=base_url, limits=limits, store=store)
        self._endpoint = endpoint
        self._place = place

    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """See `Pipeline.transcribe`.

        Raises:
            InputError: also where names were asked for: this endpoint returns no voices to know people by.
        """
        if naming is not None:
            raise InputError(
                "not_there",
                f"{self._place} returns no voices, so nobody can be named or followed there.",
                "Use runpod:split, or engines on this machine.",
            )
        name = f"The {self._place.removeprefix('runpod:')} endpoint"
        async with (
            self._sending(as_recording(recording), progress) as sent,
            connect(self._api_key, base_url=self._base_url) as endpoint,
        ):
            result = await self._job(
                endpoint(self._endpoint, name), sent, SpeakerTextJob, options, "endpoint", progress
            )
        transcript = _noun(Transcript, result, name)
        if heard and transcript.words:
            heard(transcript.words)
        warnings = dict.fromkeys((*sent.warnings, *transcript.warnings))
        return _placed(dataclasses.replace(transcript, warnings=tuple(warnings)), self._place, sent)


def _noun(cls: type[N], result: Result, endpoint: str) -> N:
    try:
        noun = load(cls, result.output)
        problem = misplaced(noun) if isinstance(noun, Transcription) else None
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
        noun, timings={**noun.timings, **{name: s for name, s in waits.items() if s is not None}}
    )


def _placed(transcript: Transcript, place: str, sent: _Sent) -> Transcript:
    return dataclasses.replace(transcript, place={"where": place, "audio": sent.how})
