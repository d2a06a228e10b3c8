"""The services of the endpoints that have models: transcription, diarization, and both."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from diarist.attribution import attribute
from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import MAX_SECONDS, decode
from diarist.audio.recording import WORKER_KINDS, Recording, parse_recording
from diarist.audio.url_rules import UrlRules
from diarist.jobs.request import AudioJob, DiarizationJob, SpeakerTextJob, TranscriptionJob, read_job
from diarist.jobs.response import Output, diarization_output, transcript_output, transcription_output
from diarist.jobs.runner import CONCURRENCY, phase
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.progress import Progress
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.local import hear, tell_apart

if TYPE_CHECKING:
    from diarist.diarization.base import Diarizer
    from diarist.pipelines.local import LocalPipeline
    from diarist.transcription.base import Transcriber

log = logging.getLogger("diarist.worker")

VOLUME: Final = Path("/runpod-volume")
"""Where RunPod mounts an endpoint's network volume."""
MIN_SECONDS: Final = 0.1
"""Shorter than any word."""


class _EngineService:
    """What services with engines share: jobs in, decoded audio out, one computation at a time."""

    slots = 1
    concurrency = CONCURRENCY

    def __init__(self, env: Mapping[str, str] = os.environ, rules: UrlRules = UrlRules()) -> None:
        self._rules = rules
        self._max_seconds = _number(env, "DIARIST_MAX_SECONDS", MAX_SECONDS)

    async def prepare(self, job: AudioJob, report: Progress) -> Recording:
        """Download and decode a job's recording.

        Raises:
            FieldError: it cannot be had, is not audio, too short or too long.
        """
        return await in_thread(lambda inner: self._decoded(job, inner), report)

    def _decoded(self, job: AudioJob, report: Progress) -> Recording:
        try:
            recording = parse_recording(job.audio, WORKER_KINDS, volume=VOLUME, rules=self._rules)
            audio = decode(recording, max_seconds=self._max_seconds, progress=report)
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
        return recording


class SingleService(_EngineService):
    """Words and speakers in one worker."""

    def __init__(self, pipeline: LocalPipeline, **options: Any) -> None:
        super().__init__(**options)
        self._pipeline = pipeline

    def read(self, value: object) -> SpeakerTextJob:
        """See `Service`."""
        return read_job(SpeakerTextJob, value)

    async def work(self, job: SpeakerTextJob, prepared: Recording, report: Progress) -> Output:
        """See `Service`."""
        return transcript_output(await self._pipeline.atranscribe(prepared, job.options(), report), job)


class TranscriptionService(_EngineService):
    """Words; speakers only where the caller brings the turns."""

    def __init__(self, transcriber: Transcriber, **options: Any) -> None:
        super().__init__(**options)
        self._transcriber = transcriber

    def read(self, value: object) -> TranscriptionJob:
        """See `Service`."""
        return read_job(TranscriptionJob, value)

    async def work(self, job: TranscriptionJob, prepared: Recording, report: Progress) -> Output:
        """See `Service`."""
        audio = decode(prepared)
        given = job.diarization(audio.duration)
        words = await in_thread(lambda inner: hear(self._transcriber, audio, job.options(), inner), report)
        if job.response_format == "diarist" and given is None:
            return transcription_output(words)
        return transcript_output(attribute(words, given), job)


class DiarizationService(_EngineService):
    """Speaker turns."""

    def __init__(self, diarizer: Diarizer, **options: Any) -> None:
        super().__init__(**options)
        self._diarizer = diarizer

    def read(self, value: object) -> DiarizationJob:
        """See `Service`."""
        return read_job(DiarizationJob, value)

    async def work(self, job: DiarizationJob, prepared: Recording, report: Progress) -> Output:
        """See `Service`."""
        audio = decode(prepared)
        turns = await in_thread(lambda inner: tell_apart(self._diarizer, audio, job.options(), inner), report)
        return diarization_output(turns, job)


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
    with phase("warm-up"):
        pipeline.transcribe(_noise())
    return SingleService(pipeline, env=env)


def load_transcription(env: Mapping[str, str] = os.environ) -> TranscriptionService:
    """Load and warm the transcription engine; see `load_single`."""
    from diarist.engines import load

    with phase("weights"):
        pipeline = load(
            env.get("DIARIST_MODEL") or "auto", None, device=env.get("DIARIST_DEVICE") or "auto", note=log.info
        )
    with phase("warm-up"):
        pipeline.transcriber.transcribe(_noise())
    return TranscriptionService(pipeline.transcriber, env=env)


def load_diarization(env: Mapping[str, str] = os.environ) -> DiarizationService:
    """Load and warm the diarization engine; see `load_single`."""
    from diarist.engines import open_diarizer

    with phase("weights"):
        diarizer = open_diarizer(
            env.get("DIARIST_DIARIZER") or "auto", device=env.get("DIARIST_DEVICE") or "auto", note=log.info
        )
    with phase("warm-up"):
        diarizer.diarize(_noise())
    return DiarizationService(diarizer, env=env)


def _noise() -> Audio:
    """Two seconds of faint noise: something to run every model on once, before the first job."""
    import numpy as np

    values = np.random.default_rng(0).integers(-300, 300, 2 * SAMPLE_RATE)
    return Audio((values / 32768).astype(np.float32))


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    try:
        return float(text) if text else default
    except ValueError:
        raise InputError("bad_setting", f"{name} must be a number, not {text!r}.") from None
