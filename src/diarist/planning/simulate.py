"""A discrete-event simulation of serverless endpoints: queue, scaling, cold starts, idle timeout, billing.

simpy keeps the clock and the events; rejected: an event loop of our own on heapq (one more thing to get wrong) and
salabim (animation we do not need). What happens at an event is plain function calls, so that a day of 10,000 requests
takes a tenth of a second.

The rules are the platform's as documented, and those of ``diarist emulate``, against which they are calibrated
(``benchmarks/planning.py``):

- A job waits in its endpoint's queue until a worker has room; a worker takes up to ``jobs`` at once, prepares them side
  by side, and computes one after the other in one slot.
- A worker that has taken all it may hold looks for more only every `TAKING_PAUSE` seconds. The worker SDK counts a job
  that it took a moment ago twice, so that with room for two, it pauses after each.
- The first job in the queue starts a worker if there is none; else one is started when the job at the head has waited
  ``queue_delay`` seconds and no other worker is starting.
- Who waits longer than `SYNC_WAIT` learns of the end at the next look: on average half a pause late.
- A worker without jobs stops after ``idle_timeout``.
- A worker is billed from the first billed phase of its start to its end, each life rounded up to a second.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import simpy

from diarist.architectures import (
    IDLE_TIMEOUT,
    JOBS_PER_GPU_WORKER,
    LONGEST_LOOK,
    QUEUE_DELAY,
    SYNC_WAIT,
    TAKING_PAUSE,
)
from diarist.planning.workload import Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NOISE = 1e-6
"""Seconds that the clock may be off by rounding."""

Done = Callable[[bool], None]  # told whether the job waited for a worker's start


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedEndpoint:
    """How an endpoint scales.

    Attributes:
        max_workers: most workers at once.
        min_workers: workers that are always up.
        idle_timeout: seconds a worker stays up without jobs.
        queue_delay: seconds the head of the queue waits before another worker is started.
        jobs: jobs a worker takes at once.
        free_start: seconds of a start that are not billed; they come first.
        billed_start: seconds of a start that are.
        restore_share: how many of the starts are restored from a snapshot, 0 to 1.
        restore: seconds of such a start, billed.
    """

    max_workers: int
    min_workers: int = 0
    idle_timeout: float = IDLE_TIMEOUT
    queue_delay: float = QUEUE_DELAY
    jobs: int = JOBS_PER_GPU_WORKER
    free_start: float = 0.0
    billed_start: float = 0.0
    restore_share: float = 0.0
    restore: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """What a request asks of one endpoint.

    Attributes:
        prepare: seconds beside the worker's other jobs.
        compute: seconds alone in the worker's slot.
    """

    prepare: float
    compute: float


@dataclass(frozen=True, slots=True)
class System:
    """An architecture as the simulation sees it.

    Attributes:
        endpoints: by role.
        works: for each kind of request, what each leg has to do.
        front: role of the endpoint that holds a request while its legs run, if there is one.
        front_work: what it does itself before it calls them.
        overhead: seconds outside of workers, for each hop from caller to endpoint.
        looks: after which share of the time waited one looks again whether a job is done; 0 is told at once.
    """

    endpoints: Mapping[str, SimulatedEndpoint]
    works: Callable[[Request], Mapping[str, Work]]
    front: str | None = None
    front_work: Work = Work(0.0, 0.0)
    overhead: float = 0.0
    looks: float = 0.0

    def noticing(self, waited: float) -> float:
        """Seconds, on average, until the end of a job that one waited for is noticed."""
        pause = min(LONGEST_LOOK, self.looks * waited) if waited > SYNC_WAIT else 0.0
        return pause / 2


@dataclass(frozen=True, slots=True)
class Usage:
    """What one endpoint used.

    Attributes:
        worker_seconds: billed seconds.
        busy_seconds: seconds of work in the slots.
        starts: workers started.
        peak_workers: most workers at once.
    """

    worker_seconds: float
    busy_seconds: float
    starts: int
    peak_workers: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation saw.

    Attributes:
        latencies: seconds from each request's arrival to its result, ``(num_requests,) float64``.
        cold: which requests waited for a start, ``(num_requests,) bool``.
        usage: by role.
        seconds: simulated time.
    """

    latencies: NDArray[np.float64]
    cold: NDArray[np.bool_]
    usage: Mapping[str, Usage]
    seconds: float

    def percentile(self, percent: float) -> float:
        """Latency that ``percent`` of the requests do not exceed."""
        import numpy as np

        return float(np.percentile(self.latencies, percent))

    @property
    def cold_share(self) -> float:
        """Share of the requests that waited for a start."""
        return float(self.cold.mean())


def simulate(system: System, trace: Sequence[Request], seconds: float, seed: int = 0, lead: float = 0.0) -> Outcome:
    """Run requests through a system.

    Args:
        system: the architecture.
        trace: requests by arrival, at least one.
        seconds: length of the period; what still runs at its end is billed up to there, or to the end of the last job.
        seed: of the choice which starts are restored.
        lead: seconds at the begin that are run and not counted, so that the system is in its stride.
    """
    return _Run(system, trace, random.Random(seed), lead).outcome(seconds)  # noqa: S311  # a simulation, no secret


class _Run:
    """One simulation: the callers, and the endpoints they call."""

    def __init__(self, system: System, trace: Sequence[Request], chance: random.Random, lead: float) -> None:
        import numpy as np

        self._env = simpy.Environment()
        self._system = system
        self._trace = trace
        self._lead = lead
        self._servers = {
            role: _Server(self._env, endpoint, chance, lead) for role, endpoint in system.endpoints.items()
        }
        self._latencies = np.zeros(len(trace))
        self._cold = np.zeros(len(trace), dtype=bool)

    def outcome(self, seconds: float) -> Outcome:
        """Run to the end of the last job, and at least for ``seconds``."""
        self._env.run(self._env.process(self._arrivals()))
        while any(server.busy for server in self._servers.values()):
            self._env.step()
        if self._env.now < seconds:
            self._env.run(seconds)
        usage = {role: server.close(self._env.now) for role, server in self._servers.items()}
        counted = slice(sum(request.arrival < self._lead for request in self._trace), None)
        return Outcome(self._latencies[counted], self._cold[counted], usage, self._env.now - self._lead)

    def _arrivals(self) -> simpy.events.ProcessGenerator:
        send = self._send if self._system.front is None else self._send_to_front
        for index, request in enumerate(self._trace):
            if request.arrival > self._env.now:
                yield self._env.timeout(request.arrival - self._env.now)
            send(index, request)

    def _send(self, index: int, request: Request) -> None:
        self._run_legs(request, lambda was_cold: self._finish(index, request, was_cold, hops=1))

    def _send_to_front(self, index: int, request: Request) -> None:
        def at_front(was_cold: bool, release: Callable[[], None]) -> None:
            called = self._env.now

            def back(legs_cold: bool) -> None:
                def noticed(_: simpy.events.Event) -> None:
                    release()
                    self._finish(index, request, was_cold or legs_cold, hops=2)

                late = self._system.noticing(self._env.now - called)
                self._env.timeout(late).callbacks.append(noticed)

            self._run_legs(request, back)

        self._servers[str(self._system.front)].hold(self._system.front_work, at_front)

    def _run_legs(self, request: Request, done: Done) -> None:
        legs = self._system.works(request)
        waiting = len(legs)
        any_cold = False

        def one_done(was_cold: bool) -> None:
            nonlocal waiting, any_cold
            waiting -= 1
            any_cold |= was_cold
            if waiting == 0:
                done(any_cold)

        for role, work in legs.items():
            self._servers[role].submit(work, one_done)

    def _finish(self, index: int, request: Request, was_cold: bool, hops: int) -> None:
        waited = self._env.now - request.arrival
        self._latencies[index] = waited + self._system.noticing(waited) + hops * self._system.overhead
        self._cold[index] = was_cold


@dataclass(slots=True, eq=False)
class _Worker:
    billed_from: float
    ready_at: float
    jobs: int = 0
    slot_free_at: float = 0.0
    idle_since: float = math.inf
    looks_at: float = 0.0  # takes no job before


@dataclass(slots=True, eq=False)
class _Job:
    arrival: float
    work: Work
    done: Done | None = None
    held: Callable[[bool, Callable[[], None]], None] | None = None


class _Server:
    """One endpoint at work."""

    def __init__(self, env: simpy.Environment, settings: SimulatedEndpoint, chance: random.Random, lead: float) -> None:
        self._env = env
        self._settings = settings
        self._chance = chance
        self._lead = lead
        self._queue: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._check_at = math.inf
        self._billed = 0.0
        self._busy_seconds = 0.0
        self._starts = 0
        self._peak = settings.min_workers
        for _ in range(settings.min_workers):
            worker = _Worker(billed_from=env.now, ready_at=env.now, idle_since=env.now)
            self._workers.append(worker)

    @property
    def busy(self) -> bool:
        """Whether any job is waiting or running."""
        return bool(self._queue) or any(worker.jobs for worker in self._workers)

    def submit(self, work: Work, done: Done) -> None:
        """Queue a job that computes; ``done`` is called at its end."""
        self._add(_Job(self._env.now, work, done=done))

    def hold(self, work: Work, held: Callable[[bool, Callable[[], None]], None]) -> None:
        """Queue a job that, after its own work, keeps its place in the worker until it calls what ``held`` is given."""
        self._add(_Job(self._env.now, work, held=held))

    def close(self, end: float) -> Usage:
        """Stop what still runs, at ``end``, and tell what was used."""
        for worker in list(self._workers):
            self._stop(worker, end)
        return Usage(self._billed, self._busy_seconds, self._starts, self._peak)

    def _add(self, job: _Job) -> None:
        self._queue.append(job)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._queue and (worker := self._with_room()) is not None:
            taken = min(len(self._queue), self._settings.jobs - worker.jobs)
            full = worker.jobs + 2 * taken >= self._settings.jobs
            for _ in range(taken):
                self._assign(worker, self._queue.popleft())
            if full:
                worker.looks_at = self._env.now + TAKING_PAUSE
                if worker.jobs < self._settings.jobs:
                    self._at(worker.looks_at, self._look)
        if self._queue:
            self._scale()

    def _with_room(self) -> _Worker | None:
        """Choose the ready worker with the fewest jobs."""
        now = self._env.now
        best = None
        for worker in self._workers:
            if worker.ready_at <= now and worker.looks_at <= now + _NOISE and worker.jobs < self._settings.jobs:
                if worker.jobs == 0:
                    return worker
                if best is None or worker.jobs < best.jobs:
                    best = worker
        return best

    def _look(self) -> None:
        if self._queue:
            self._dispatch()

    def _assign(self, worker: _Worker, job: _Job) -> None:
        now = self._env.now
        was_cold = worker.ready_at > job.arrival
        worker.jobs += 1
        worker.idle_since = math.inf
        begin = max(now + job.work.prepare, worker.slot_free_at)
        end = begin + job.work.compute
        worker.slot_free_at = end
        self._busy_seconds += job.work.compute

        def finish() -> None:
            if job.done is not None:
                job.done(was_cold)
                self._release(worker)
            elif job.held is not None:
                job.held(was_cold, lambda: self._release(worker))

        self._at(end, finish)

    def _release(self, worker: _Worker) -> None:
        now = self._env.now
        if worker.jobs == self._settings.jobs:
            if now > worker.looks_at:  # it looked after every pause, in vain
                worker.looks_at += math.ceil((now - worker.looks_at) / TAKING_PAUSE - _NOISE) * TAKING_PAUSE
            if worker.looks_at > now + _NOISE:
                self._at(worker.looks_at, self._look)
        worker.jobs -= 1
        if self._queue:
            self._dispatch()
        if worker.jobs == 0:
            self._rest(worker)

    def _rest(self, worker: _Worker) -> None:
        since = worker.idle_since = self._env.now
        if len(self._workers) > self._settings.min_workers:
            self._at(since + self._settings.idle_timeout, lambda: self._stop_if_idle(worker, since))

    def _stop_if_idle(self, worker: _Worker, since: float) -> None:
        if worker.idle_since == since and len(self._workers) > self._settings.min_workers:
            self._stop(worker, self._env.now)

    def _stop(self, worker: _Worker, when: float) -> None:
        self._workers.remove(worker)
        worker.idle_since = math.inf
        # Rounding noise of the clock must not cost a second.
        self._billed += math.ceil(max(0.0, when - max(worker.billed_from, self._lead)) - _NOISE)

    def _scale(self) -> None:
        """Start a worker for the head of the queue, now or when it has waited long enough; one start at a time."""
        now = self._env.now
        if len(self._workers) >= self._settings.max_workers or any(worker.ready_at > now for worker in self._workers):
            return
        due = self._queue[0].arrival + self._settings.queue_delay
        if not self._workers or now >= due:
            self._start()
        elif not now < self._check_at <= due:
            self._check_at = due
            self._at(due, self._check)

    def _check(self) -> None:
        self._check_at = math.inf
        if self._queue:
            self._scale()

    def _start(self) -> None:
        now = self._env.now
        settings = self._settings
        restored = settings.restore_share > 0 and self._chance.random() < settings.restore_share
        free, billed = (0.0, settings.restore) if restored else (settings.free_start, settings.billed_start)
        worker = _Worker(billed_from=now + free, ready_at=now + free + billed)
        self._workers.append(worker)
        self._starts += 1
        self._peak = max(self._peak, len(self._workers))
        self._at(worker.ready_at, lambda: self._ready(worker))

    def _ready(self, worker: _Worker) -> None:
        if self._queue:
            self._dispatch()
        if worker.jobs == 0 and math.isinf(worker.idle_since):
            self._rest(worker)

    def _at(self, when: float, action: Callable[[], None]) -> None:
        event = self._env.timeout(max(0.0, when - self._env.now))
        event.callbacks.append(lambda _: action())
