"""The plan: all three architectures under one workload, side by side, and the one to deploy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from diarist.architectures import (
    ARCHITECTURES,
    JOBS_PER_GPU_WORKER,
    JOBS_PER_ORCHESTRATOR,
    NEW_ACCOUNT_WORKERS,
    ORCHESTRATOR_IDLE_TIMEOUT,
    ArchitectureName,
)
from diarist.model.errors import InputError
from diarist.planning.coldstart import cold_start, start_of
from diarist.planning.decision import COLD_SHARE_LIMIT, Candidate, Decision, decide, misfit, too_slow
from diarist.planning.demand import all_workers, leg_estimates, workers_needed
from diarist.planning.estimate import BUSY_LIMIT, estimate_endpoint
from diarist.planning.question import GPU_DISK_GB, Question
from diarist.planning.simulate import Outcome, simulate
from diarist.planning.systems import Scaling, system_of
from diarist.planning.workload import DAY

DAYS_PER_MONTH = 30
ENOUGH_REQUESTS = 10_000  # simulated, rather than a whole month of a high volume: a tenth of a second each time
LEAD = 1800.0
IDLE_TIMEOUTS = (5, 10, 30, 60, 120, 300, 600)
DEFAULT_COLD_SHARE = 0.04  # so that the 95th percentile is a warm request, where a latency target is given
FEWEST_MAX_WORKERS = 2  # one more than is needed, so that one worker that does not start is not the end


@dataclass(frozen=True, slots=True)
class Option:
    """One architecture with its settings, and what came of it.

    Attributes:
        architecture: which.
        scaling: worker settings.
        simulated: whether the figures below are simulated; else they are the closed form's.
        usd_per_month: for a month of 30 days.
        usd_per_request: the same, per request.
        usd_per_audio_hour: the same, per hour of audio.
        p50: seconds that half of the requests do not exceed.
        p95: … 95 %; None in a closed form.
        p99: … 99 %; None in a closed form.
        cold_share: share of the requests that wait for a start.
        cold_start: seconds that a start adds.
        worker_seconds: billed seconds per request, by role.
        peak_workers: most workers at once, by role; empty in a closed form.
        objection: why it is not chosen, if it fails a need.
    """

    architecture: ArchitectureName
    scaling: Scaling
    simulated: bool
    usd_per_month: float
    usd_per_request: float
    usd_per_audio_hour: float
    p50: float
    p95: float | None
    p99: float | None
    cold_share: float
    cold_start: float
    worker_seconds: Mapping[str, float]
    peak_workers: Mapping[str, int]
    objection: str | None = None

    @property
    def name(self) -> str:
        """The architecture and what sets this option apart from its others."""
        up = ", one always up" if self.scaling.min_workers else ""
        return f"{self.architecture} (idle {self.scaling.idle_timeout:g} s{up})"


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer.

    Attributes:
        decision: what to deploy; None in a closed form, which knows no percentiles.
        chosen: the option that was decided for; the cheapest in a closed form.
        options: all that were considered, per architecture from the cheapest settings to the fastest.
        assumptions: everything the figures rest on, a sentence each.
        outcomes: the simulations behind the options, by their names, for charts.
    """

    decision: Decision | None
    chosen: Option
    options: tuple[Option, ...]
    assumptions: tuple[str, ...]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


def make_plan(question: Question, enough: int = ENOUGH_REQUESTS) -> Plan:
    """Simulate every architecture and decide.

    Args:
        question: what is to be planned.
        enough: requests to simulate, unless a month has fewer: in whole days, or in shortened hours of one day.

    Raises:
        InputError: nothing does what is needed, or there is no price.
    """
    workload = question.workload
    days = max(1, min(DAYS_PER_MONTH, math.ceil(enough / workload.per_day)))
    hour = 3600 * min(1.0, enough / workload.per_day)
    lead = LEAD if hour < 3600 else 0.0  # a shortened day must not weigh its first minutes more than a whole one does
    trace = workload.trace(days, question.seed, hour, lead)
    if not trace:
        message = f"{workload.per_day:g} requests a day are none in {days} days."
        raise InputError("bad_volume", message, "Give a higher volume, or another --seed.")
    end = lead + 24 * hour * days
    counted = [request for request in trace if request.arrival >= lead]
    audio = sum(request.audio for request in counted)
    options: list[Option] = []
    candidates: list[Candidate] = []
    outcomes: dict[str, Outcome] = {}
    for architecture in ARCHITECTURES:
        for scaling in _scalings(architecture, question):
            outcome = simulate(system_of(architecture, question.profile, scaling), trace, end, question.seed, lead)
            option = _option(architecture, scaling, question, outcome, len(counted), audio)
            candidate = _candidate(option, question)
            unfit, slow = misfit(candidate, question.needs), too_slow(candidate, question.needs)
            options.append(dataclasses.replace(option, objection=unfit or slow))
            candidates.append(candidate)
            outcomes[option.name] = outcome
            if unfit or not slow:
                break  # other settings would only cost more
    decision = decide(candidates, question.needs)
    chosen = options[candidates.index(decision.candidate)]
    shortened = "" if hour == 3600 else f" of {hour / 60:.1f} minutes for every hour"
    simulated = f"Simulated: {len(counted)} requests in {days} day{'s' * (days > 1)}{shortened}, seed {question.seed}."
    return Plan(decision, chosen, tuple(options), (*assumptions(question), simulated), outcomes)


def make_estimate(question: Question) -> Plan:
    """Answer quickly, from the closed form: costs and shares, no percentiles and so no decision on latency."""
    options = []
    for architecture in ARCHITECTURES:
        scaling = _scalings(architecture, question)[0]
        options.append(_estimated(architecture, scaling, question))
    allowed = [option for option in options if question.needs.client == "python" or option.architecture != "split"]
    chosen = min(allowed, key=lambda option: option.usd_per_month)
    note = "Closed form: M/G/1 with setup and delayed switch-off per worker; no percentiles, targets are not checked."
    return Plan(None, chosen, tuple(options), (*assumptions(question), note))


def _scalings(architecture: ArchitectureName, question: Question) -> list[Scaling]:
    """Settings to try until one is fast enough: the cheapest, rarely cold ones, and with a worker always up."""
    needed = workers_needed(architecture, question)
    quota = question.needs.worker_quota or NEW_ACCOUNT_WORKERS
    spare = ARCHITECTURES[architecture].fitting(quota)
    most = question.max_workers or max(needed, min(spare, max(FEWEST_MAX_WORKERS, needed + 1)))

    def scaling(min_workers: int, idle_timeout: float) -> Scaling:
        return Scaling(
            min_workers=min_workers,
            max_workers=max(most, min_workers),
            idle_timeout=idle_timeout,
            queue_delay=question.queue_delay,
            restore_share=question.restore_share,
            restore=question.restore,
        )

    timeouts = _idle_timeouts(architecture, question) if question.idle_timeout is None else [question.idle_timeout]
    if question.min_workers is not None:
        return [scaling(question.min_workers, timeout) for timeout in timeouts]
    return [*(scaling(0, timeout) for timeout in timeouts), scaling(1, timeouts[-1])]


def _idle_timeouts(architecture: ArchitectureName, question: Question) -> list[float]:
    """Idle timeouts to try, by the closed form: the cheapest, and the shortest that make waiting for a start rare."""
    by_timeout = {timeout: leg_estimates(architecture, timeout, question) for timeout in IDLE_TIMEOUTS}
    cheapest = min(by_timeout, key=lambda timeout: sum(leg.worker_seconds for leg in by_timeout[timeout].values()))
    timeouts = [float(cheapest)]
    for share in (DEFAULT_COLD_SHARE, COLD_SHARE_LIMIT / 2):
        rare = [
            timeout
            for timeout, legs in by_timeout.items()
            if timeout > timeouts[-1] and max(leg.cold_share for leg in legs.values()) <= share
        ]
        timeouts += [float(timeout) for timeout in rare[:1]]
    return timeouts


def _estimated(architecture: ArchitectureName, scaling: Scaling, question: Question) -> Option:
    legs = leg_estimates(architecture, scaling.idle_timeout, question)
    worker_seconds = {role: leg.worker_seconds for role, leg in legs.items()}
    service = max(leg.work for leg in legs.values()) + question.profile.overhead.value
    front = ARCHITECTURES[architecture].front
    usd = sum(worker_seconds.values()) * question.gpu_price
    if front:
        start = start_of(question.profile, front).billed
        one = estimate_endpoint(question.workload.rates(), service, service**2, start, ORCHESTRATOR_IDLE_TIMEOUT)
        # A front worker holds many jobs at once: what it is busy with is at most all of the time.
        worker_seconds[front] = min(one.worker_seconds, DAY / question.workload.per_day)
        usd += worker_seconds[front] * question.cpu_price
        service += question.profile.overhead.value
    if scaling.min_workers:
        day = DAY / question.workload.per_day
        worker_seconds = {role: max(seconds, scaling.min_workers * day) for role, seconds in worker_seconds.items()}
        usd = sum(
            seconds * (question.cpu_price if role == front else question.gpu_price)
            for role, seconds in worker_seconds.items()
        )
    return Option(
        architecture,
        scaling,
        simulated=False,
        usd_per_month=usd * question.workload.per_day * DAYS_PER_MONTH,
        usd_per_request=usd,
        usd_per_audio_hour=usd / question.workload.mean_audio * 3600,
        p50=service,
        p95=None,
        p99=None,
        cold_share=0.0 if scaling.min_workers else max(leg.cold_share for leg in legs.values()),
        cold_start=cold_start(question.profile, architecture),
        worker_seconds=worker_seconds,
        peak_workers={},
    )


def _option(
    architecture: ArchitectureName, scaling: Scaling, question: Question, outcome: Outcome, requests: int, audio: float
) -> Option:
    usd = sum(
        usage.worker_seconds * (question.cpu_price if role == ARCHITECTURES[architecture].front else question.gpu_price)
        for role, usage in outcome.usage.items()
    )
    return Option(
        architecture,
        scaling,
        simulated=True,
        usd_per_month=usd * DAYS_PER_MONTH * DAY / outcome.seconds,
        usd_per_request=usd / requests,
        usd_per_audio_hour=usd / audio * 3600,
        p50=outcome.percentile(50),
        p95=outcome.percentile(95),
        p99=outcome.percentile(99),
        cold_share=outcome.cold_share,
        cold_start=cold_start(question.profile, architecture),
        worker_seconds={role: usage.worker_seconds / requests for role, usage in outcome.usage.items()},
        peak_workers={role: usage.peak_workers for role, usage in outcome.usage.items()},
    )


def _candidate(option: Option, question: Question) -> Candidate:
    return Candidate(
        option.architecture,
        name=option.name,
        always_up=option.scaling.min_workers > 0,
        usd_per_month=option.usd_per_month,
        p95=option.p95 if option.p95 is not None else math.inf,
        cold_share=option.cold_share,
        cold_start=option.cold_start,
        workers=all_workers(option.architecture, question),
    )


def assumptions(question: Question) -> Sequence[str]:
    """Say all that the figures rest on."""
    profile, prices, workload = question.profile, question.prices, question.workload

    lines = [
        f"Requests: {workload.per_day:g} a day, Poisson, mean length {workload.mean_audio / 60:.2f} min,"
        f" {workload.plain_share:.0%} without speakers.",
        f"A month has {DAYS_PER_MONTH} days; a worker is billed from container start to stop, rounded up to a second.",
        (
            f"GPU: {question.gpu} at ${question.usd_per_second:.6f}/s (given)."
            if question.usd_per_second is not None
            else f"GPU: {question.gpu} at ${prices.gpu(question.gpu).usd_per_second:.6f}/s, {prices.source}."
        ),
        f"Orchestrator: {question.vcpus} vCPU at ${prices.cpu_usd_per_second(question.vcpus):.7f}/s"
        f" ({prices.cpu_source}).",
        f"Container disk: {GPU_DISK_GB} GB at ${prices.disk_usd_per_gb_month}/GB and month while a worker runs.",
        f"Speeds: profile {profile.name} ({profile.hardware}; {profile.models}).",
    ]
    for name, speed in (
        ("Transcription", profile.transcription),
        ("Diarization", profile.diarization),
        ("Both in one worker", profile.both),
        ("Download and decoding", profile.preparation),
    ):
        lines.append(speed.per_audio_second.told(name, "s per second of audio"))
        lines.append(speed.per_request.told(f"{name}, also", "s per request"))
    lines.append(profile.overhead.told("Outside of workers", "s per call"))
    for role, phases in profile.starts.items():
        for phase, details in phases.items():
            lines.append(details.seconds.told(f"Start of {role}, {phase}", "s" if details.billed else "s, not billed"))
    lines += [
        f"A worker takes {JOBS_PER_GPU_WORKER} jobs at once and computes one after the other; an orchestrator holds"
        f" {JOBS_PER_ORCHESTRATOR}.",
        f"Another worker is started when a job has waited {question.queue_delay:g} s in the queue; workers are enough"
        f" when none computes more than {BUSY_LIMIT:.0%} of the busiest hour.",
        (
            f"FlashBoot restores {question.restore_share:.0%} of the starts, in {question.restore:g} s (given)."
            if question.restore_share
            else "FlashBoot is not counted: there is no promise how often it restores a worker."
        ),
        "The caller's upload is not in the latency.",
    ]
    for architecture in ARCHITECTURES:
        needed = all_workers(architecture, question)
        if question.needs.worker_quota is None and needed > NEW_ACCOUNT_WORKERS:
            lines.append(
                f"{architecture.capitalize()} needs {needed} workers in the busiest hour; a new account has"
                f" {NEW_ACCOUNT_WORKERS}, more come with a higher balance. Say what yours has with --quota."
            )
    return lines
