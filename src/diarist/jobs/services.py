"""The services of the endpoints that have models: transcription, diarization, and both."""

from __future__ import annotations

import dataclasses
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from diarist.attribution import attribute
from diarist.audio.audio import SAMPLE_RATE
from diarist.audio.decode import MAX_SECONDS, decode
from diarist.audio.recording import WORKER_KINDS, Recording, digest_of, parse_recording
from diarist.audio.sandbox import Sandbox
from diarist.audio.url_rules import UrlRules
from diarist.jobs.environment import number
from diarist.jobs.request import AudioJob, DiarizationJob, SpeakerTextJob, TranscriptionJob, read_job
from diarist.jobs.response import Output, diarization_output, transcript_output, transcription_output
from diarist.jobs.runner import CONCURRENCY, Doubtful, Prepared, phase
from diarist.jobs.warm_up import voice_like
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import EngineError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import SourceInfo
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.local import hear, tell_apart

if TYPE_CHECKING:
    from diarist.diarization.base import Diarizer
    from diarist.pipelines.local import LocalPipeline
    from diarist.transcription.base import Heard, Transcriber

log = logging.getLogger("diarist.worker")

VOLUME: Final = Path("/runpod-volume")
"""Where RunPod mounts an endpoint's network volume."""
MIN_SECONDS: Final = 0.1
"""Shorter than any word."""
_NO_MEMORY: Final = (
    "out of memory",  # CUDA, torch, CTranslate2
    "failed to allocate memory",  # ONNX Runtime's arena
    "is smaller than requested bytes",  # the same, where it has a limit
    "alloc_failed",  # cuBLAS and cuDNN: CUBLAS_STATUS_ALLOC_FAILED
    "bad_alloc",  # C++: std::bad_alloc
    "bad allocation",
)


class _EngineService(ABC):
    """What services with engines share: jobs in, decoded audio out, one computation at a time."""

    slots = 1
    concurrency = CONCURRENCY

    def __init__(self, env: Mapping[str, str] = os.environ, rules: UrlRules = UrlRules()) -> None:
        self._rules = rules
        self._decoder = Sandbox()
        self._max_seconds = number(env, "DIARIST_MAX_SECONDS", MAX_SECONDS)

    def start_decoder(self) -> None:
        """Start the process that decodes, so that the first job finds it ready."""
        self._decoder.start()

    async def prepare(self, job: AudioJob, report: Progress) -> Prepared:
        """Download and decode a job's recording.

        Raises:
            FieldError: it cannot be had, is not audio, too short or too long.
        """
        return await in_thread(lambda inner: self._decoded(job, inner), report)

    def _decoded(self, job: AudioJob, report: Progress) -> Prepared:
        try:
            recording = parse_recording(job.audio, WORKER_KINDS, volume=VOLUME, rules=self._rules)
            # Read once: a URL might hold something else the second time.
            with recording.open(report) as file:
                digest = digest_of(file)
                num_bytes = file.seek(0, os.SEEK_END)
                file.seek(0)
                audio = self._decoder.decode(
                    Recording(recording.name, lambda _: nullcontext(file)),
                    max_seconds=self._max_seconds,
                    progress=report,
                )
        except InputError as error:
            raise FieldError(
                error.code, error.message, error.hint, field="audio", http_status=error.http_status
            ) from None
        if audio.duration < MIN_SECONDS:
            raise FieldError(
                "audio_too_short",
                f"The recording holds {len(audio.samples)} samples ({audio.duration:.3f} s at {SAMPLE_RATE} Hz).",
                f"Send at least {MIN_SECONDS} s.",
                field="audio",
            )
        source = SourceInfo(digest, len(audio.samples))
        return Prepared(Recording.of(audio, recording.name), source, audio.duration, num_bytes)

    async def check(self, failure: Exception) -> None:
        """See `Service`: run the engines again on what they were warmed up with."""
        if memory_is_gone(failure):
            raise failure
        await in_thread(lambda _: self.warm_up(), ignore)

    @abstractmethod
    def warm_up(self) -> None:
        """Run every engine once on a short clip; raises `EngineError` where one fails."""


def memory_is_gone(error: BaseException | None) -> bool:
    """Whether an engine said that memory ran out, in whatever words.

    Afterwards a worker's memory is not to be trusted, even where a short clip still fits into it: torch and ONNX
    Runtime keep what they took, in pieces.
    """
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
            return True
        error = error.__cause__
    return False


class SingleService(_EngineService):
    """Words and speakers in one worker."""

    def __init__(self, pipeline: LocalPipeline, **options: Any) -> None:
        super().__init__(**options)
        self._pipeline = pipeline

    def read(self, value: object) -> SpeakerTextJob:
        """See `Service`."""
        return read_job(SpeakerTextJob, value)

    async def work(
        self, job: SpeakerTextJob, prepared: Prepared, report: Progress, heard: Heard | None = None
    ) -> Output | Doubtful:
        """See `Service`."""
        options = job.options()
        transcript = await self._pipeline.atranscribe(prepared.recording, options, report, heard=heard)
        output = transcript_output(transcript, job)
        if options.diarize and all(model.task != "diarization" for model in transcript.models):
            return Doubtful(output, EngineError("no_speakers", " ".join(transcript.warnings)))
        return output

    def warm_up(self) -> None:
        """See `_EngineService`."""
        self._pipeline.transcribe(voice_like(), Options(on_diarization_failure="fail"))


class TranscriptionService(_EngineService):
    """Words; speakers only where the caller brings the turns."""

    def __init__(self, transcriber: Transcriber, **options: Any) -> None:
        super().__init__(**options)
        self._transcriber = transcriber

    def read(self, value: object) -> TranscriptionJob:
        """See `Service`."""
        return read_job(TranscriptionJob, value)

    async def work(
        self, job: TranscriptionJob, prepared: Prepared, report: Progress, heard: Heard | None = None
    ) -> Output:
        """See `Service`."""
        audio = decode(prepared.recording)
        given = job.diarization(audio.duration)
        words = await in_thread(lambda inner: hear(self._transcriber, audio, job.options(), inner, heard), report)
        if job.response_format == "diarist" and given is None:
            return transcription_output(dataclasses.replace(words, source=prepared.source))
        return transcript_output(attribute(words, given), job)

    def warm_up(self) -> None:
        """See `_EngineService`."""
        hear(self._transcriber, voice_like())


class DiarizationService(_EngineService):
    """Speaker turns."""

    def __init__(self, diarizer: Diarizer, **options: Any) -> None:
        super().__init__(**options)
        self._diarizer = diarizer

    def read(self, value: object) -> DiarizationJob:
        """See `Service`."""
        return read_job(DiarizationJob, value)

    async def work(self, job: DiarizationJob, prepared: Prepared, report: Progress, _: Heard | None = None) -> Output:
        """See `Service`. There are no words here."""
        audio = decode(prepared.recording)
        turns = await in_thread(lambda inner: tell_apart(self._diarizer, audio, job.options(), inner), report)
        return diarization_output(dataclasses.replace(turns, source=prepared.source), job)

    def warm_up(self) -> None:
        """See `_EngineService`."""
        tell_apart(self._diarizer, voice_like())


S = TypeVar("S", bound=_EngineService)


def _ready(service: S) -> S:
    service.start_decoder()
    with phase("warm-up"):
        service.warm_up()
    return service


def load_single(env: Mapping[str, str] = os.environ) -> SingleService:
    """Load and warm both engines.

    ``DIARIST_MODEL``, ``DIARIST_DIARIZER`` and ``DIARIST_DEVICE`` choose; ``auto``, the default, takes the best that
    the image or the endpoint's cached model brings.
    """
    from diarist.engines import load

    with phase("weights"):
        pipeline = load(
            env.get("DIARIST_MODEL") or "auto",
            env.get("DIARIST_DIARIZER") or "auto",
            device=env.get("DIARIST_DEVICE") or "auto",
            note=log.info,
        )
    return _ready(SingleService(pipeline, env=env))


def load_transcription(env: Mapping[str, str] = os.environ) -> TranscriptionService:
    """Load and warm the transcription engine; see `load_single`."""
    from diarist.engines import load

    with phase("weights"):
        pipeline = load(
            env.get("DIARIST_MODEL") or "auto", None, device=env.get("DIARIST_DEVICE") or "auto", note=log.info
        )
    return _ready(TranscriptionService(pipeline.transcriber, env=env))


def load_diarization(env: Mapping[str, str] = os.environ) -> DiarizationService:
    """Load and warm the diarization engine; see `load_single`."""
    from diarist.engines import open_diarizer

    with phase("weights"):
        diarizer = open_diarizer(
            env.get("DIARIST_DIARIZER") or "auto", device=env.get("DIARIST_DEVICE") or "auto", note=log.info
        )
    return _ready(DiarizationService(diarizer, env=env))
