"""The orchestrator: a split pipeline in a CPU worker, so that clients need to know one endpoint only.

It never decodes: the recording, or its URL, goes to both legs as it came. So the image needs no numpy and no codecs.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from diarist.architectures import JOBS_PER_ORCHESTRATOR, LAST_WORDS, LEGS_MAY_QUEUE, SYNC_WAIT, orchestrator_deadline
from diarist.audio.recording import Recording
from diarist.jobs.cache import MAX_AGE, MAX_BYTES, ResultCache, cache_key
from diarist.jobs.environment import number
from diarist.jobs.request import AudioJob, SpeakerTextJob, read_job
from diarist.jobs.response import Output, transcript_output
from diarist.jobs.runner import Prepared
from diarist.jobs.single_flight import SingleFlight
from diarist.model.errors import InputError
from diarist.model.progress import Progress
from diarist.model.transcript import Transcript
from diarist.pipelines.bridge import in_thread
from diarist.runpod.limits import Limits
from diarist.runpod.pipelines import SplitPipeline
from diarist.runpod.settings import platform_url

if TYPE_CHECKING:
    from diarist.transcription.base import Heard

log = logging.getLogger("diarist.worker")

DEADLINE: Final = float(orchestrator_deadline())
"""Seconds; a minute less than our client and ``diarist deploy`` let the orchestrator run, so that
the caller gets our error and both legs are cancelled before the platform stops us. ``DIARIST_DEADLINE`` overrides."""


class OrchestratorService:
    """Calls both legs for every job.

    Args:
        pipeline: reaches the two endpoints.
        cache: keeps transcripts; None keeps none.
        revision: stands for the endpoints and their models in the names of what is kept.
    """

    slots = JOBS_PER_ORCHESTRATOR
    concurrency = JOBS_PER_ORCHESTRATOR

    def __init__(self, pipeline: SplitPipeline, cache: ResultCache | None = None, revision: str = "") -> None:
        self._pipeline = pipeline
        self._cache = cache
        self._revision = revision
        self._flights: SingleFlight[Transcript] = SingleFlight()

    def read(self, value: object) -> SpeakerTextJob:
        """See `Service`."""
        return read_job(SpeakerTextJob, value)

    async def prepare(self, job: AudioJob, _: Progress) -> Prepared:
        """See `Service`. Nothing is read: the endpoints do that, and the platform bounds what came along."""
        return Prepared(Recording("the recording", None, wire=job.audio))

    async def check(self, _: Exception) -> None:
        """See `Service`. There are no engines here that could break; what the legs say is about theirs."""

    async def work(
        self, job: SpeakerTextJob, prepared: Prepared, report: Progress, heard: Heard | None = None
    ) -> Output:
        """See `Service`. Words that are kept, or that another job is finding, come with the result only."""
        recording = prepared.recording
        options = job.options()
        key = cache_key(job.audio, options, self._revision)
        # What a URL names may change, so only recordings that came along are kept.
        cache = None if recording.by_reference else self._cache
        transcript = await in_thread(lambda _: cache.get(key), report) if cache else None
        if transcript is not None:
            transcript = dataclasses.replace(transcript, place={**transcript.place, "cache": "hit"})
        else:
            transcript = await self._flights.run(
                key, lambda: self._pipeline.atranscribe(recording, options, report, heard=heard)
            )
            made = transcript
            # A transcript that lacks its speakers today may have them tomorrow.
            if cache and not (options.diarize and len(made.models) < 2):
                await in_thread(lambda _: cache.put(key, made), report)
        return transcript_output(transcript, job)


def load_orchestrator(env: Mapping[str, str] = os.environ) -> OrchestratorService:
    """Make the service from ``TRANSCRIPTION_ENDPOINT_ID``, ``DIARIZATION_ENDPOINT_ID`` and ``CHILD_API_KEY``.

    The key is a restricted one, for these two endpoints only; ``RUNPOD_API_KEY`` is a name that the SDK keeps.
    ``DIARIST_CACHE_URL`` turns the cache on; then ``DIARIST_CACHE_VERSION`` must name what the endpoints run, e.g. the
    tag of their images, since their models cannot be asked without waking them.

    Raises:
        InputError: one of them is not set, or a setting is wrong.
    """
    names = ("TRANSCRIPTION_ENDPOINT_ID", "DIARIZATION_ENDPOINT_ID", "CHILD_API_KEY")
    for name, value in env.items():
        if "{{" in value and (name in names or name.startswith(("DIARIST_", "AWS_"))):
            raise InputError(
                "bad_setting",
                f"{name} is a reference to a secret that nobody filled in.",
                "Make the secret in the console under Settings, Secrets, by the very name of the reference.",
            )
    missing = [name for name in names if not env.get(name)]
    if missing:
        raise InputError("missing_setting", f"{' and '.join(missing)} must be set.", "Set them on the endpoint.")
    deadline = number(env, "DIARIST_DEADLINE", DEADLINE)
    transcription, diarization, key = (env[name] for name in names)
    pipeline = SplitPipeline(
        transcription,
        diarization,
        key,
        base_url=platform_url(env),
        limits=lambda _: _leg_limits(deadline),
        note=log.info,
        key_name="CHILD_API_KEY",
    )
    version = env.get("DIARIST_CACHE_VERSION", "")
    if not env.get("DIARIST_CACHE_URL"):
        return OrchestratorService(pipeline)
    if not version:
        raise InputError("missing_setting", "DIARIST_CACHE_VERSION must be set.", "Use the tag of the legs' images.")
    cache = ResultCache(
        env["DIARIST_CACHE_URL"],
        max_bytes=int(number(env, "DIARIST_CACHE_BYTES", MAX_BYTES)),
        max_age=number(env, "DIARIST_CACHE_SECONDS", MAX_AGE),
    )
    return OrchestratorService(pipeline, cache, f"{transcription} {diarization} {version}")


def _leg_limits(deadline: float) -> Limits:
    """Limits of a leg: one that the platform stops after its own time is submitted once more before the deadline."""
    own = deadline + LAST_WORDS - LEGS_MAY_QUEUE  # see `orchestrator_deadline`
    return Limits(deadline=deadline, execution=max(own, deadline / 2), sync_wait=SYNC_WAIT)
