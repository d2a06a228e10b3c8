"""How good the plan is: against emulator runs, against the guide it replaces, and how long it takes.

python benchmarks/planning.py [--parts …] [--architectures single …] [--engines embedded|sleeping] --json

Calibration starts the emulator with real workers and embedded models, measures single requests (the profile), then
sends Poisson traces in real time at three loads and compares what the simulation predicts for the same trace with what
happened. Other work on the machine slows workers down, which no plan can foresee; so each load is predicted twice:
``plan`` uses the profile measured before, ``replay`` the seconds that each job of this very run computed. With
``--engines sleeping`` the workers sleep instead of computing, so that only the rules of the plan are compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe

from diarist.architectures import (
    ARCHITECTURES,
    JOBS_PER_GPU_WORKER,
    JOBS_PER_ORCHESTRATOR,
    LOOK_SHARE,
    ORCHESTRATOR_IDLE_TIMEOUT,
)
from diarist.planning.decision import Needs
from diarist.planning.plan import make_estimate, make_plan
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import packaged_profiles
from diarist.planning.question import Question
from diarist.planning.simulate import SimulatedEndpoint, System, Work, simulate
from diarist.planning.workload import DAY, Length, Request, Workload

PARTS = ("speed", "costs", "guide", "calibration")
# Offered work as a share of what one worker can do, and how many requests are sent.
LOADS = {"idle": (0.08, 12), "medium": (0.5, 40), "saturated": (1.4, 40)}
CLIP_SECONDS = (4.0, 10.0)
SPEECH_BEGINS = 6.0  # seconds into the sample call
IDLE_TIMEOUT = 5.0
QUEUE_DELAY = 1.0
LEGS = {name: architecture.legs for name, architecture in ARCHITECTURES.items()}
STAGES = {  # what a role's engines say that they computed
    "single": ("total",),
    "transcription": ("transcription.voice_detection", "transcription.recognition"),
    "diarization": ("diarization.networks", "diarization.clustering"),
}
MOST_SECONDS = 900.0  # for one load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--architectures", nargs="+", choices=list(LEGS), default=list(LEGS))
    parser.add_argument("--engines", choices=("embedded", "sleeping"), default="embedded")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measures: dict[str, Callable[[], Any]] = {
        "speed": speed,
        "costs": costs,
        "guide": guide,
        "calibration": lambda: [calibrate(name, arguments.engines, arguments.seed) for name in arguments.architectures],
    }
    report = describe() | {part: measures[part]() for part in arguments.parts}
    print(json.dumps(report, indent=None if arguments.json else 2))


def speed() -> dict[str, Any]:
    """Seconds of computing for a month at 10,000 requests a day: the answer, the hardest answer, the quick one."""
    relaxed, strict = question(10_000), question(10_000, needs=Needs(latency=20, client="http"))
    found: dict[str, Any] = {}
    for name, ask in (
        ("simulated", lambda: make_plan(relaxed)),
        ("simulated with targets", lambda: make_plan(strict)),
        ("closed form", lambda: make_estimate(relaxed)),
    ):
        ask()
        seconds = []
        for _ in range(5):
            began, wall = time.process_time(), time.perf_counter()
            ask()
            seconds.append((time.process_time() - began, time.perf_counter() - wall))
        found[name] = {
            "cpu_s": round(statistics.median(cpu for cpu, _ in seconds), 3),
            "wall_s": round(statistics.median(wall for _, wall in seconds), 3),
        }
    return found


def costs() -> list[dict[str, Any]]:
    """USD for an hour of audio with each profile's speeds: computing alone, and with starts and idling.

    Speeds that were measured on a CPU are priced as an RTX 3090: an upper bound, for the GPU would not be slower.
    """
    prices = packaged_prices()
    priced = {gpu.name for gpu in prices.gpus}
    rows = []
    for profile in packaged_profiles().values():
        gpu = profile.hardware if profile.hardware in priced else "RTX 3090"
        asked = Question(workload=Workload(100, lengths=(Length(60),)), profile=profile, prices=prices, gpu=gpu)
        both = profile.both.seconds(3600)
        legs = profile.transcription.seconds(3600) + profile.diarization.seconds(3600)
        plan = make_plan(asked, enough=3000)
        rows.append(
            {
                "profile": profile.name,
                "speeds_are": profile.diarization.per_audio_second.kind,
                "priced_as": gpu,
                "worker_seconds": {"single": round(both, 1), "split": round(legs, 1)},
                "computing_usd": {
                    "single": round(both * asked.gpu_price, 4),
                    "split": round(legs * asked.gpu_price, 4),
                },
                "all_usd": {option.architecture: round(option.usd_per_audio_hour, 4) for option in plan.options},
                "all_usd_assumes": "100 recordings of one hour a day, the cheapest settings",
            }
        )
    return rows


def guide() -> dict[str, Any]:
    """The guide's own bill for 2-minute files, and what its cold starts and idle timeout add to it."""
    price, compute, start, idle = 0.00034, 13.0, 60.0, 5.0
    rows = {}
    for requests in (100, 1000, 10_000):
        trace = [Request(index * 30 * DAY / requests, 120.0, True) for index in range(requests)]
        system = {
            "told": SimulatedEndpoint(max_workers=1, idle_timeout=0.0),
            "with its cold start and idle timeout": SimulatedEndpoint(
                max_workers=1, billed_start=start, idle_timeout=idle
            ),
        }
        bills = {}
        for name, endpoint in system.items():
            outcome = simulate(System({"single": endpoint}, lambda _: {"single": Work(0.0, compute)}), trace, 30 * DAY)
            bills[name] = round(outcome.usage["single"].worker_seconds * price, 2)
        bills["ours, same speeds, today's price"] = round(
            make_plan(question(requests / 30, "rtx-3090"), enough=requests).chosen.usd_per_month, 2
        )
        rows[f"{requests} requests a month"] = bills
    return {"usd_a_month_upper_bound": rows}


def question(per_day: float, profile: str = "rtx-4090", **others: Any) -> Question:
    profiles = packaged_profiles()
    return Question(
        workload=Workload(per_day), profile=profiles[profile], prices=packaged_prices(),
        gpu=profiles[profile].hardware, **others,
    )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One request as it happened, in seconds; by role where several work on it."""

    audio: float
    latency: float
    queued: Mapping[str, float]
    executed: Mapping[str, float]
    computed: Mapping[str, float]


@dataclass(frozen=True)
class Speeds:
    """What the profile run measured, in seconds.

    Attributes:
        work: of a job, by role and clip length.
        overhead: of a request, outside of workers.
        start: what a cold request takes longer than a warm one, without the front's start.
        front_start: what of that is the start of the endpoint that calls the others; 0 where there is none.
        stop: that a worker lives on after its idle timeout.
    """

    work: Mapping[tuple[str, float], Work]
    overhead: float
    start: float
    front_start: float
    stop: float


def calibrate(architecture: str, engines: str, seed: int) -> dict[str, Any]:
    """Profile an emulated architecture, then predict and measure three loads."""
    from diarist.audio.audio import Audio
    from diarist.audio.decode import decode
    from diarist.weights.fetch import ensure

    recording = decode(ensure("sample-telephone") / "sample.wav")
    speech = recording.samples[int(SPEECH_BEGINS * 16_000) :]
    clips = {seconds: Audio(speech[: int(seconds * 16_000)]) for seconds in CLIP_SECONDS}
    opened = partial(open_emulator, architecture, engines)
    speeds = measure_speeds(architecture, opened, clips)
    slowest = max(statistics.mean(speeds.work[role, length].compute for length in clips) for role in LEGS[architecture])
    loads = []
    for name, (load, count) in LOADS.items():
        trace = poisson(load / slowest, count, seed)
        loads.append({"load": name, "offered": load, **measure_load(architecture, opened, clips, trace, speeds)})
    return {
        "architecture": architecture,
        "engines": engines,
        "profile": {
            "compute_s": {
                f"{role}, {seconds:g} s": round(work.compute, 2) for (role, seconds), work in speeds.work.items()
            },
            "overhead_s": round(speeds.overhead, 3),
            "start_s": round(speeds.start, 2),
            "front_start_s": round(speeds.front_start, 2),
            "stop_s": round(speeds.stop, 2),
        },
        "loads": loads,
    }


def poisson(rate: float, count: int, seed: int) -> list[Request]:
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1 / rate, count))
    lengths = generator.choice(CLIP_SECONDS, count)
    return [Request(float(arrival), float(length), True) for arrival, length in zip(arrivals, lengths, strict=True)]


class Watch:
    """Looks at an emulator's workers: when each started, was ready, and was last seen."""

    def __init__(self, emulator: Any) -> None:
        self._emulator = emulator
        self._workers: dict[str, Any] = {}
        self._seen: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            for worker in self._emulator.workers:
                self._workers[worker.id] = worker
                self._seen[worker.id] = time.monotonic()

    def close(self, begin: float, end: float) -> float:
        """Stop looking; seconds that all workers lived between two moments."""
        self._stop.set()
        self._thread.join()
        return sum(
            max(0.0, min(self._seen[name], end) - max(worker.started, begin)) for name, worker in self._workers.items()
        )

    def ready_within(self, begin: float, end: float) -> bool:
        """Whether a worker became ready between two moments."""
        return any(begin < worker.ready <= end for worker in self._workers.values() if worker.ready is not None)


def send(pipeline: Any, clip: Any, architecture: str) -> Run:
    began = time.monotonic()
    timings = pipeline.transcribe(clip).timings
    latency = time.monotonic() - began
    place = {role: "" if role == "single" else f"{role}." for role in LEGS[architecture]}
    return Run(
        clip.duration,
        latency,
        {role: timings[f"{prefix}queued"] for role, prefix in place.items()} | {"": timings.get("queued", 0.0)},
        {role: timings[f"{prefix}executed"] for role, prefix in place.items()},
        {role: sum(timings[stage] for stage in STAGES[role]) for role in place},
    )


def open_emulator(architecture: str, engines: str) -> Any:
    from diarist.runpod.emulator.emulator import emulate

    stub = Path(__file__).with_name("planning_stub.py")
    handlers = dict.fromkeys(LEGS[architecture], stub) if engines == "sleeping" else None
    return emulate(architecture, max_workers=1, idle_timeout=IDLE_TIMEOUT, queue_delay=QUEUE_DELAY, handlers=handlers)


def measure_speeds(architecture: str, opened: Callable[[], Any], clips: Mapping[float, Any]) -> Speeds:
    """Single requests: cold ones, after everything has stopped, and warm ones."""
    from diarist.runpod.place import open_pipeline

    cold: list[Run] = []
    warm: list[Run] = []
    stops: list[float] = []
    front = ARCHITECTURES[architecture].front
    last = max(IDLE_TIMEOUT, ORCHESTRATOR_IDLE_TIMEOUT) if front else IDLE_TIMEOUT
    with opened() as emulator:
        pipeline = open_pipeline(f"runpod:{architecture}", emulator.environ)
        for _ in range(3):
            cold.append(send(pipeline, clips[CLIP_SECONDS[0]], architecture))
            warm += [send(pipeline, clip, architecture) for clip in (*clips.values(), *clips.values())]
            answered = time.monotonic()
            while emulator.workers:
                time.sleep(0.01)
            stops.append(time.monotonic() - answered - last)
    work = {}
    for role in LEGS[architecture]:
        for length in clips:
            mine = [run for run in warm if run.audio == length]
            compute = statistics.mean(run.computed[role] for run in mine)
            work[role, length] = Work(statistics.mean(run.executed[role] for run in mine) - compute, compute)
    usual = statistics.median(run.latency for run in warm if run.audio == CLIP_SECONDS[0])
    waited = [statistics.median(run.queued[""] for run in runs) for runs in (cold, warm)]
    front_start = waited[0] - waited[1] if front else 0.0
    return Speeds(
        work,
        overhead=statistics.median(run.latency - max(run.executed.values()) for run in warm) / (2 if front else 1),
        start=statistics.median(run.latency for run in cold) - usual - front_start,
        front_start=front_start,
        stop=statistics.median(stops),
    )


def measure_load(
    architecture: str,
    opened: Callable[[], Any],
    clips: Mapping[float, Any],
    trace: Sequence[Request],
    speeds: Speeds,
) -> dict[str, Any]:
    """Send a trace in real time, and compare with both predictions."""
    from diarist.runpod.place import open_pipeline

    with opened() as emulator, ThreadPoolExecutor(len(trace)) as pool:
        watch = Watch(emulator)
        pipeline = open_pipeline(f"runpod:{architecture}", emulator.environ)
        began = time.monotonic() + 0.5

        def one(request: Request) -> Run:
            time.sleep(max(0.0, began + request.arrival - time.monotonic()))
            return send(pipeline, clips[request.audio], architecture)

        runs = list(pool.map(one, trace, timeout=MOST_SECONDS))
        end = time.monotonic()
        used = watch.close(began, end)
    cold = [
        any(watch.ready_within(arrived, arrived + queued + 0.5) for queued in run.queued.values())
        for run, request in zip(runs, trace, strict=True)
        for arrived in [began + request.arrival]
    ]
    measured = figures([run.latency for run in runs], used, statistics.mean(cold))
    by_request = dict(zip(trace, runs, strict=True))

    def planned(request: Request) -> Mapping[str, Work]:
        return {role: speeds.work[role, request.audio] for role in LEGS[architecture]}

    def replayed(request: Request) -> Mapping[str, Work]:
        usual = planned(request)
        return {role: Work(usual[role].prepare, seconds) for role, seconds in by_request[request].computed.items()}

    plan = predict(architecture, trace, planned, speeds, end - began)
    replay = predict(architecture, trace, replayed, speeds, end - began)
    return {
        "requests": len(trace),
        "seconds": round(end - began, 1),
        "measured": measured,
        "plan": plan,
        "plan_error": errors(plan, measured),
        "replay": replay,
        "replay_error": errors(replay, measured),
    }


def predict(
    architecture: str,
    trace: Sequence[Request],
    works: Callable[[Request], Mapping[str, Work]],
    speeds: Speeds,
    seconds: float,
) -> dict[str, Any]:
    endpoint = SimulatedEndpoint(
        max_workers=1,
        idle_timeout=IDLE_TIMEOUT + speeds.stop,
        queue_delay=QUEUE_DELAY,
        jobs=JOBS_PER_GPU_WORKER,
        billed_start=speeds.start,
    )
    endpoints = dict.fromkeys(LEGS[architecture], endpoint)
    front = ARCHITECTURES[architecture].front
    if front is not None:
        endpoints[front] = dataclasses.replace(
            endpoint,
            jobs=JOBS_PER_ORCHESTRATOR,
            idle_timeout=max(IDLE_TIMEOUT, ORCHESTRATOR_IDLE_TIMEOUT) + speeds.stop,
            billed_start=speeds.front_start,
        )
    system = System(endpoints, works, front=front, overhead=speeds.overhead, looks=LOOK_SHARE)
    outcome = simulate(system, trace, seconds)
    used = sum(usage.worker_seconds for usage in outcome.usage.values())
    return figures(outcome.latencies, used, outcome.cold_share)


def figures(latencies: Any, worker_seconds: float, cold_share: float) -> dict[str, Any]:
    return {
        "p50_s": round(float(np.percentile(latencies, 50)), 2),
        "p95_s": round(float(np.percentile(latencies, 95)), 2),
        "worker_seconds": round(worker_seconds, 1),
        "cold_share": round(cold_share, 3),
    }


def errors(predicted: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, float]:
    """Relative errors of the prediction."""
    return {name: round(predicted[name] / measured[name] - 1, 3) for name in ("p50_s", "p95_s", "worker_seconds")}


if __name__ == "__main__":
    main()
