"""The orchestrator: a split pipeline in a CPU worker, so that clients need to know one endpoint only.

It never decodes: the recording, or its URL, goes to both legs as it came. So the image needs no numpy and no codecs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from diarist.model.errors import InputError
from diarist.model.progress import Progress
from diarist.runpod.client import SYNC_WAIT, Limits
from diarist.runpod.protocol import AudioJob, SpeakerTextJob, read_job
from diarist.runpod.results import Output, transcript_output
from diarist.runpod.settings import platform_url
from diarist.runpod.split import Recording, SplitPipeline

CONCURRENCY: Final = 16
"""Jobs at a time: they wait on the network, so many fit into one small worker."""
DEADLINE: Final = 1740.0
"""Seconds; a minute less than our client and ``diarist deploy`` let the orchestrator run, so that
the caller gets our error and both legs are cancelled before the platform stops us. ``DIARIST_DEADLINE`` overrides."""


class OrchestratorService:
    """Calls both legs for every job.

    Args:
        pipeline: reaches the two endpoints.
    """

    slots = CONCURRENCY
    concurrency = CONCURRENCY

    def __init__(self, pipeline: SplitPipeline) -> None:
        self._pipeline = pipeline

    def read(self, value: object) -> SpeakerTextJob:
        """See `Service`."""
        return read_job(SpeakerTextJob, value)

    def prepare(self, job: AudioJob) -> Recording:
        """See `Service`."""
        reference = job.audio.startswith(("https://", "volume:"))
        return Recording(job.audio, None, "reference" if reference else "inline")

    def work(self, job: SpeakerTextJob, prepared: Recording, report: Progress) -> Output:
        """See `Service`."""
        return transcript_output(self._pipeline.transcribe_recording(prepared, job.options(), report), job)


def load(env: Mapping[str, str] = os.environ) -> OrchestratorService:
    """Make the service from ``TRANSCRIPTION_ENDPOINT_ID``, ``DIARIZATION_ENDPOINT_ID`` and ``CHILD_API_KEY``.

    The key is a restricted one, for these two endpoints only; ``RUNPOD_API_KEY`` is a name that the SDK keeps.

    Raises:
        InputError: one of them is not set, or a setting is wrong.
    """
    names = ("TRANSCRIPTION_ENDPOINT_ID", "DIARIZATION_ENDPOINT_ID", "CHILD_API_KEY")
    missing = [name for name in names if not env.get(name)]
    if missing:
        raise InputError("missing_setting", f"{' and '.join(missing)} must be set.", "Set them on the endpoint.")
    deadline = _seconds(env, "DIARIST_DEADLINE", DEADLINE)
    transcription, diarization, key = (env[name] for name in names)
    return OrchestratorService(
        SplitPipeline(
            transcription,
            diarization,
            key,
            base_url=platform_url(env),
            limits=lambda _: Limits(deadline=deadline, execution=deadline, sync_wait=SYNC_WAIT),
            retry_failed=True,
        )
    )


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    try:
        return float(text) if text else default
    except ValueError:
        raise InputError("bad_setting", f"{name} must be a number of seconds, not {text!r}.") from None
