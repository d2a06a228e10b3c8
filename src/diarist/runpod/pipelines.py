"""Pipelines whose engines are on RunPod: `SplitPipeline` (two endpoints) and `EndpointPipeline` (one).

Both are thin. `Recording` is a recording as it crosses the wire; the split pipeline runs its two legs with
`diarist.pipelines.local.run_legs`, as local engines do, so words meet speakers by the same code everywhere.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from diarist.model.codec import load
from diarist.model.errors import Cancelled, EndpointError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.local import run_legs
from diarist.runpod.client import API, MAX_RUNSYNC_BYTES, Endpoint, Result, connect
from diarist.runpod.limits import Limits

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.runpod.store import AudioStore

MAX_SENT_BYTES: Final = (MAX_RUNSYNC_BYTES - 100_000) * 3 // 4
"""The most that encoded audio may take, in bytes before base64, with room for the rest of the request."""
_LOOK_SECONDS: Final = 0.1

N = TypeVar("N", Transcription, Diarization, Transcript)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording on its way to an endpoint.

    Attributes:
        audio: what the job's ``audio`` field says: base64, a URL or a volume path.
        seconds: its length; None where nobody here has decoded it.
        sent_as: ``"flac"`` (no loss), ``"opus"``, ``"flac by reference"`` (from an audio store), ``"reference"`` (the
            caller's own URL), or ``"inline"`` (as the caller encoded it).
        warnings: what was wrong with it, or lost on the way.
    """

    audio: str
    seconds: float | None
    sent_as: str
    warnings: tuple[str, ...] = ()

    @staticmethod
    def reference(audio: str) -> Recording:
        """A recording that endpoints fetch themselves: an https URL or ``volume:PATH``."""
        return Recording(audio, None, "reference")

    @staticmethod
    def of(audio: Audio) -> Recording:
        """Pack decoded audio: without loss while it fits one request, as Opus beyond.

        Raises:
            InputError: it does not fit even so.
        """
        import base64

        from diarist.audio.transport import pack

        packed = pack(audio, MAX_SENT_BYTES)
        lossy = ("Sent as Opus, since FLAC does not fit one request; words may differ a little.",)
        warnings = audio.warnings if packed.codec == "flac" else (*audio.warnings, *lossy)
        return Recording(base64.b64encode(packed.data).decode(), audio.duration, packed.codec, warnings)


class _RemotePipeline(ABC):
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

    def transcribe(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Transcript:
        """See `diarist.pipelines.local.Pipeline.transcribe`."""
        progress("sending", 0.0)
        if self._store is None:
            return self.transcribe_recording(Recording.of(audio), options, progress)
        from diarist.audio.transport import encode_flac

        with self._store.holding(encode_flac(audio), ".flac") as url:
            return self.transcribe_recording(
                Recording(url, audio.duration, "flac by reference", audio.warnings), options, progress
            )

    @abstractmethod
    def transcribe_recording(
        self, recording: Recording, options: Options = Options(), progress: Progress = ignore
    ) -> Transcript:
        """Transcribe a recording that is packed already, or that endpoints fetch themselves."""

    def _job(
        self,
        portal: BlockingPortal,
        endpoint: Endpoint,
        job: Mapping[str, Any],
        recording: Recording,
        stage: str,
        report: Progress,
    ) -> Result:
        """Run one job from a thread, reporting while it runs; a raised report cancels the job."""
        newest: dict[str, float] = {}

        async def run() -> Result:
            limits = self._limits(recording.seconds)
            return await endpoint.run(job, limits, newest.update, retry_failed=self._retry_failed)

        return _wait_for(portal, run, lambda: report(stage, min(newest.values(), default=0.0)))


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

    def transcribe_recording(
        self, recording: Recording, options: Options = Options(), progress: Progress = ignore
    ) -> Transcript:
        """Run both legs and attribute. A failed leg cancels the other's job; see `run_legs` for what fails what."""
        with start_blocking_portal() as portal, _connected(portal, self._api_key, self._base_url) as endpoint:
            words = endpoint(self._transcription, "The transcription endpoint")
            turns = endpoint(self._diarization, "The diarization endpoint")

            def transcribe(report: Progress) -> Transcription:
                job = _job_input(recording, _text_fields(options))
                result = self._job(portal, words, job, recording, "transcription", report)
                return _noun(Transcription, result, words.name)

            def diarize(report: Progress) -> Diarization:
                job = _job_input(recording, _speaker_fields(options))
                result = self._job(portal, turns, job, recording, "diarization", report)
                return _noun(Diarization, result, turns.name)

            transcript = run_legs(
                transcribe, diarize if options.diarize else None, options, progress, recording.warnings
            )
        return _placed(transcript, self._place, recording)


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

    def transcribe_recording(
        self, recording: Recording, options: Options = Options(), progress: Progress = ignore
    ) -> Transcript:
        """Have it transcribed by the endpoint."""
        name = f"The {self._place.removeprefix('runpod:')} endpoint"
        fields = {
            **_text_fields(options),
            "diarize": options.diarize,
            "on_diarization_failure": options.on_diarization_failure,
            **_speaker_fields(options),
        }
        with start_blocking_portal() as portal, _connected(portal, self._api_key, self._base_url) as endpoint:
            result = self._job(
                portal, endpoint(self._endpoint, name), _job_input(recording, fields), recording, "endpoint", progress
            )
        transcript = _noun(Transcript, result, name)
        warnings = dict.fromkeys((*recording.warnings, *transcript.warnings))
        return _placed(dataclasses.replace(transcript, warnings=tuple(warnings)), self._place, recording)


def _connected(portal: BlockingPortal, api_key: str, base_url: str) -> Any:
    return portal.wrap_async_context_manager(connect(api_key, base_url=base_url))


def _wait_for(portal: BlockingPortal, run: Callable[[], Awaitable[Result]], report: Callable[[], None]) -> Result:
    """Wait in a thread; if ``report`` raises, cancel and wait until the job is cancelled at the platform too."""
    scope = portal.call(anyio.CancelScope)

    async def work() -> Result:
        with scope:
            return await run()
        raise Cancelled

    future = portal.start_task_soon(work)
    try:
        while True:
            try:
                return future.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                report()
    finally:
        if not future.done():
            portal.call(scope.cancel)
            future.exception()


def _job_input(recording: Recording, fields: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in fields.items() if value is not None}
    return {"audio": recording.audio, "response_format": "diarist", **given}


def _text_fields(options: Options) -> dict[str, Any]:
    return {
        "language": options.language,
        "temperature": options.temperature,
        "hotwords": options.hotwords or None,
        "task": options.task if options.task != "transcribe" else None,
    }


def _speaker_fields(options: Options) -> dict[str, Any]:
    return {
        "num_speakers": options.num_speakers,
        "min_speakers": options.min_speakers,
        "max_speakers": options.max_speakers,
    }


def _noun(cls: type[N], result: Result, endpoint: str) -> N:
    try:
        noun = load(cls, result.output)
    except InputError as error:
        raise EndpointError(
            "endpoint_answer",
            f"{endpoint} does not answer as diarist does: {error.message}",
            "Does it run the right image, of this version?",
        ) from None
    waits = {"queued": result.queued, "executed": result.executed}
    return dataclasses.replace(
        noun, timings={**noun.timings, **{name: s for name, s in waits.items() if s is not None}}
    )


def _placed(transcript: Transcript, place: str, recording: Recording) -> Transcript:
    return dataclasses.replace(transcript, place={"where": place, "audio": recording.sent_as})
