"""The emulated platform's workers: real processes that run handler files with the real SDK.

Scales each endpoint from its minimum to its maximum by queue delay, stops workers that idle, queues the jobs of dead
ones again. Each worker leads a process group of its own, so that the SDK's heartbeat process goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import diarist
from diarist.architectures import EndpointScaling
from diarist.runpod.emulator import exit_with_parent
from diarist.runpod.emulator.platform_jobs import PlatformJobs

_TICK: Final = 0.05
_STOP_SECONDS: Final = 1.0
_FAILED_STARTS: Final = 2
"""Workers that die before they ask for a job, after which the endpoint counts as unhealthy. Jobs wait all the same."""
_START_PAUSE: Final = 0.25
"""Seconds before another worker is started after one that died so, doubling each time. The platform's are not known."""
_SECRETS: Final = frozenset({"RUNPOD_API_KEY", "CHILD_API_KEY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """One emulated endpoint.

    Attributes:
        id: as clients name it.
        handler: the file that workers run.
        env: added to the workers' environment.
        scaling: how many workers there are, and how long an idle one stays.
        queue_delay: seconds that a job may wait before another worker is started.
    """

    id: str
    handler: Path
    env: Mapping[str, str]
    scaling: EndpointScaling
    queue_delay: float


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One worker. Times are seconds of `time.monotonic`.

    Attributes:
        ready: when it first asked for a job; None until then.
        idle_since: when it last had nothing to do; None while it has a job.
    """

    id: str
    endpoint: str
    process: asyncio.subprocess.Process
    log: Path
    started: float
    ready: float | None = None
    idle_since: float | None = None
    stopping: bool = False


class WorkerPool:
    """All workers of all endpoints.

    Args:
        jobs: the platform's jobs.
        specs: the endpoints.
        folder: for logs and the workers' home.
        api_key: what workers show to the control plane.
    """

    def __init__(self, jobs: PlatformJobs, specs: tuple[EndpointSpec, ...], folder: Path, api_key: str) -> None:
        self._jobs = jobs
        self._specs = specs
        self._folder = folder
        self._api_key = api_key
        self._workers: dict[str, WorkerProcess] = {}
        self._failed_starts = dict.fromkeys((spec.id for spec in specs), 0)
        self._no_start_before = dict.fromkeys((spec.id for spec in specs), 0.0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self.past: list[WorkerProcess] = []

    @property
    def workers(self) -> tuple[WorkerProcess, ...]:
        """Workers that run."""
        return tuple(self._workers.values())

    def seen(self, worker: str) -> None:
        """See `Workers`."""
        found = self._workers.get(worker)
        if found is not None and found.ready is None:
            found.ready = time.monotonic()
            self._failed_starts[found.endpoint] = 0

    def accepts(self, worker: str) -> bool:
        """See `Workers`."""
        found = self._workers.get(worker)
        return found is not None and not found.stopping

    def refresh(self, worker: str) -> None:
        """See `Workers`. What else it holds is queued again once it is gone."""
        found = self._workers.get(worker)
        if found is not None and not found.stopping:
            found.stopping = True
            self._background(self.stop(found))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def counts(self, endpoint: str) -> Mapping[str, int]:
        """See `Workers`."""
        mine = [worker for worker in self._workers.values() if worker.endpoint == endpoint and not worker.stopping]
        running = sum(1 for worker in mine if self._jobs.running(worker.id))
        ready = sum(1 for worker in mine if worker.ready is not None)
        return {
            "idle": ready - running,
            "running": running,
            "ready": ready,
            "initializing": len(mine) - ready,
            "throttled": 0,
            "unhealthy": int(self._failed_starts.get(endpoint, 0) >= _FAILED_STARTS),
        }

    async def run(self, base_url: str) -> None:
        """Scale until cancelled, then stop all workers.

        Args:
            base_url: of the control plane, e.g. ``"http://127.0.0.1:8000"``.
        """
        try:
            while True:
                self._jobs.expire()
                for spec in self._specs:
                    await self._scale(spec, base_url)
                await asyncio.sleep(_TICK)
        finally:
            await asyncio.gather(*(self.stop(worker) for worker in self.workers))
            await asyncio.gather(*self._tasks)

    async def _scale(self, spec: EndpointSpec, base_url: str) -> None:
        queued = self._jobs.queued(spec.id)
        live = [worker for worker in self.workers if worker.endpoint == spec.id and not worker.stopping]
        waited = time.monotonic() - queued[0].created if queued else 0.0
        starting = any(worker.ready is None for worker in live)
        short = len(live) < spec.scaling.min_workers or (queued and not live)
        behind = queued and not starting and waited > spec.queue_delay and len(live) < spec.scaling.max_workers
        if short or behind:
            if time.monotonic() >= self._no_start_before[spec.id]:
                await self._start(spec, base_url)
            return
        for worker in live:
            busy = bool(self._jobs.running(worker.id)) or worker.ready is None
            worker.idle_since = None if busy else worker.idle_since or time.monotonic()
            idle = time.monotonic() - worker.idle_since if worker.idle_since else 0.0
            if idle > spec.scaling.idle_timeout and len(live) > spec.scaling.min_workers and not queued:
                await self.stop(worker)
                return

    async def _start(self, spec: EndpointSpec, base_url: str) -> None:
        self._number += 1
        worker_id = f"{spec.id}-{self._number}"
        log = self._folder / f"{worker_id}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # its folder is not a place to import from
                "-u",
                exit_with_parent.__file__,
                str(spec.handler),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment(spec, worker_id, base_url),
                cwd=self._folder,
                start_new_session=True,
            )
        worker = WorkerProcess(worker_id, spec.id, process, log, time.monotonic())
        self._workers[worker_id] = worker
        self._background(self._watch(worker))

    def _environment(self, spec: EndpointSpec, worker_id: str, base_url: str) -> dict[str, str]:
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        base = f"{base_url}/v2/{spec.id}"
        packages = [str(Path(diarist.__file__).parents[1]), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
        return {
            **{name: value for name, value in os.environ.items() if name not in _SECRETS},
            "PYTHONPATH": os.pathsep.join(str(Path(package).resolve()) for package in packages),
            # A key in ~/.runpod/config.toml would replace the worker's own, so workers have a home of their own.
            "HOME": str(home),
            "XDG_CACHE_HOME": str(cache),
            "TMPDIR": str(self._temporary(worker_id)),
            "RUNPOD_POD_ID": worker_id,
            "RUNPOD_ENDPOINT_ID": spec.id,
            "RUNPOD_AI_API_KEY": self._api_key,
            "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=EMULATED",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=EMULATED",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=EMULATED",
            "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID?gpu=EMULATED",
            # They test the platform's machines (free disk, a GPU, 8.8.8.8), not this one.
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
            **spec.env,
        }

    def _temporary(self, worker_id: str) -> Path:
        folder = self._folder / "tmp" / worker_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def _watch(self, worker: WorkerProcess) -> None:
        status = await worker.process.wait()
        _kill(worker, signal.SIGKILL)  # what it leaves behind
        if worker.process.stdin is not None:
            worker.process.stdin.close()
            with contextlib.suppress(OSError):
                await worker.process.stdin.wait_closed()
        self._workers.pop(worker.id, None)
        self.past.append(worker)
        if worker.ready is None and not worker.stopping:
            pause = _START_PAUSE * 2 ** min(self._failed_starts[worker.endpoint], 8)
            self._failed_starts[worker.endpoint] += 1
            self._no_start_before[worker.endpoint] = time.monotonic() + pause
        self._jobs.worker_lost(worker.id, f"the worker died with this job too often, last with status {status}")

    async def stop(self, worker: WorkerProcess) -> None:
        """Stop a worker: SIGTERM, and SIGKILL for what remains after a moment."""
        worker.stopping = True
        self._jobs.changed()
        _kill(worker, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(worker.process.wait()), _STOP_SECONDS)
        _kill(worker, signal.SIGKILL)
        await worker.process.wait()


def _kill(worker: WorkerProcess, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.process.pid, signum)
