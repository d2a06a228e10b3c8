"""What a load asks of each endpoint, in the mean: workers, billed seconds, waits for a start."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diarist.architectures import ARCHITECTURES, ArchitectureName
from diarist.planning.coldstart import start_of
from diarist.planning.estimate import estimate_endpoint, workers_for
from diarist.planning.profiles import Speed
from diarist.planning.question import Question


@dataclass(frozen=True, slots=True)
class Leg:
    """What one endpoint does for a request, in the mean.

    Attributes:
        worker_seconds: billed seconds per request of the whole load.
        cold_share: share of its jobs that wait for a start.
        work: seconds of a job.
    """

    worker_seconds: float
    cold_share: float
    work: float


def workers_needed(architecture: ArchitectureName, question: Question) -> int:
    """Workers of each GPU endpoint that the busiest hour keeps busy."""
    peak = max(question.workload.rates())
    return max(workers_for(peak, _mean_work(role, question)) for role in ARCHITECTURES[architecture].legs)


def all_workers(architecture: ArchitectureName, question: Question) -> int:
    """Workers that the account must have for the busiest hour."""
    needed = question.max_workers or workers_needed(architecture, question)
    return ARCHITECTURES[architecture].workers(needed, question.min_workers or 0)


def _moments(role: str, question: Question) -> tuple[float, float, float]:
    """Share of the requests that come to a role, and the first two moments of their work there."""
    profile, workload = question.profile, question.workload
    total = sum(length.share for length in workload.lengths)
    plain = workload.plain_share
    kinds: list[tuple[float, Speed]] = {
        "single": [(1 - plain, profile.both), (plain, profile.transcription)],
        "transcription": [(1.0, profile.transcription)],
        "diarization": [(1 - plain, profile.diarization)],
    }[role]
    share = sum(weight for weight, _ in kinds)
    first = second = 0.0
    for weight, speed in kinds:
        for length in workload.lengths:
            part = weight * length.share / total / share if share else 0.0
            mean_audio = 60 * length.mean_minutes
            mean_square = mean_audio**2 * math.exp(length.sigma**2)
            fixed, slope = speed.per_request.value, speed.per_audio_second.value
            first += part * (fixed + slope * mean_audio)
            second += part * (fixed**2 + 2 * fixed * slope * mean_audio + slope**2 * mean_square)
    return share, first, second


def _mean_work(role: str, question: Question) -> float:
    """Seconds of work per request of the whole load."""
    share, mean, _ = _moments(role, question)
    return share * mean


def leg_estimates(architecture: ArchitectureName, idle_timeout: float, question: Question) -> dict[str, Leg]:
    """Expectations for each GPU endpoint, by the closed form."""
    legs: dict[str, Leg] = {}
    for role in ARCHITECTURES[architecture].legs:
        share, mean, second = _moments(role, question)
        if share == 0:
            legs[role] = Leg(0.0, 0.0, 0.0)
            continue
        rates = [rate * share for rate in question.workload.rates()]
        start = start_of(question.profile, role)
        found = estimate_endpoint(rates, mean, second, start.billed, idle_timeout)
        legs[role] = Leg(found.worker_seconds * share, found.cold_share, mean)
    return legs
