"""The emulated platform's jobs: states, queues, retention. No HTTP and no processes here.

States and bodies are those of RunPod's documentation (operation reference, job states).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Status = Literal["IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]
OPEN: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})

DELIVERIES: Final = 3
"""How many workers may be lost with a job before it fails. The platform retries too; how often is not documented."""
DEFAULT_EXECUTION: Final = 600.0
DEFAULT_TTL: Final = 24 * 3600.0
KEEP_RUN: Final = 1800.0
KEEP_RUNSYNC: Final = 60.0
"""Seconds that a result is kept (RunPod documentation)."""


@dataclass(slots=True, eq=False)
class PlatformJob:
    """One job. Times are seconds of `time.monotonic`."""

    id: str
    endpoint: str
    input: Any
    sync: bool
    execution: float
    ttl: float
    webhook: str | None = None
    created: float = field(default_factory=time.monotonic)
    status: Status = "IN_QUEUE"
    deliveries: int = 0
    worker: str | None = None
    taken: float | None = None
    ended: float | None = None
    output: Any = None
    error: Any = None
    progress: Any = None
    chunks: list[Any] = field(default_factory=list)

    def handed_out(self) -> dict[str, Any]:
        """Return what a worker gets."""
        return {"id": self.id, "input": self.input, **({"webhook": self.webhook} if self.webhook else {})}

    def view(self) -> dict[str, Any]:
        """Return the body of /status."""
        body: dict[str, Any] = {"id": self.id, "status": self.status}
        if self.taken is not None:
            body["delayTime"] = int((self.taken - self.created) * 1000)
            body["workerId"] = self.worker
            if self.ended is not None:
                body["executionTime"] = int((self.ended - self.taken) * 1000)
        if self.output is not None:
            body["output"] = self.output
        elif self.status == "IN_PROGRESS" and self.progress is not None:
            body["output"] = self.progress
        if self.error is not None:
            body["error"] = self.error
        return body


class PlatformJobs:
    """All jobs of all emulated endpoints. Used from one event loop; `changed` wakes those who wait.

    Args:
        ended: told each job that ended.
    """

    def __init__(self, ended: Callable[[PlatformJob], None] = lambda _: None) -> None:
        self._ended = ended
        self._jobs: dict[str, PlatformJob] = {}
        self._queues: dict[str, deque[PlatformJob]] = {}
        self._stops: dict[str, list[str]] = {}
        self._waiting: set[asyncio.Event] = set()
        self.retried = 0

    def submit(self, endpoint: str, body: dict[str, Any], *, sync: bool) -> PlatformJob:
        """Queue a job from the body of /run or /runsync."""
        policy = body.get("policy") or {}
        job = PlatformJob(
            id=f"{'sync-' if sync else ''}{uuid.uuid4()}-e1",
            endpoint=endpoint,
            input=body["input"],
            sync=sync,
            execution=policy.get("executionTimeout", DEFAULT_EXECUTION * 1000) / 1000,
            ttl=policy.get("ttl", DEFAULT_TTL * 1000) / 1000,
            webhook=body.get("webhook"),
        )
        self._jobs[job.id] = job
        self._queue(endpoint).append(job)
        self.changed()
        return job

    def get(self, job_id: str) -> PlatformJob | None:
        """Find a job that is open or whose result is still kept."""
        return self._jobs.get(job_id)

    def all(self) -> list[PlatformJob]:
        """All jobs that are open or whose result is still kept."""
        return list(self._jobs.values())

    def take(self, endpoint: str, worker: str, count: int) -> list[PlatformJob]:
        """Hand up to ``count`` queued jobs to a worker."""
        queue = self._queue(endpoint)
        taken: list[PlatformJob] = []
        while queue and len(taken) < count:
            job = queue.popleft()
            job.status, job.worker, job.taken = "IN_PROGRESS", worker, time.monotonic()
            job.deliveries += 1
            taken.append(job)
        if taken:
            self.changed()
        return taken

    def finish(self, job: PlatformJob, status: Status, *, output: Any = None, error: Any = None) -> None:
        """End an open job; a job that has ended stays as it is, whoever reports late."""
        if job.status not in OPEN:
            return
        if job.status == "IN_QUEUE":
            self._queue(job.endpoint).remove(job)
        if job.worker is not None and status in {"CANCELLED", "TIMED_OUT"}:
            self._stops.setdefault(job.worker, []).append(job.id)
        job.status, job.ended = status, time.monotonic()
        job.output, job.error, job.progress = output, error, None
        self.changed()
        self._ended(job)

    def requeue(self, job: PlatformJob) -> None:
        """Queue a job again, as the platform does when a worker is lost or a client asks for a retry."""
        job.status, job.worker, job.taken, job.ended = "IN_QUEUE", None, None, None
        job.output = job.error = job.progress = None
        self._queue(job.endpoint).appendleft(job)
        self.retried += 1
        self.changed()

    def worker_lost(self, worker: str, reason: str) -> None:
        """Queue the jobs of a dead worker again, or fail those that have cost enough workers."""
        for job in [job for job in self._jobs.values() if job.worker == worker and job.status == "IN_PROGRESS"]:
            if job.deliveries < DELIVERIES:
                self.requeue(job)
            else:
                self.finish(job, "FAILED", error=reason)

    def stops(self, worker: str) -> list[str]:
        """Take the ids of jobs that a worker should stop."""
        return self._stops.pop(worker, [])

    def purge(self, endpoint: str) -> int:
        """Drop queued jobs; returns how many."""
        dropped = list(self._queue(endpoint))
        for job in dropped:
            self.finish(job, "CANCELLED")
        return len(dropped)

    def queued(self, endpoint: str) -> list[PlatformJob]:
        """Queued jobs, the oldest first."""
        return list(self._queue(endpoint))

    def running(self, worker: str) -> list[PlatformJob]:
        """Jobs that a worker has."""
        return [job for job in self._jobs.values() if job.worker == worker and job.status == "IN_PROGRESS"]

    def counts(self, endpoint: str) -> dict[str, int]:
        """Return the ``jobs`` part of /health."""
        by_status = Counter(job.status for job in self._jobs.values() if job.endpoint == endpoint)
        return {
            "completed": by_status["COMPLETED"],
            "failed": by_status["FAILED"] + by_status["TIMED_OUT"],
            "inProgress": by_status["IN_PROGRESS"],
            "inQueue": by_status["IN_QUEUE"],
            "retried": self.retried,
        }

    def expire(self) -> None:
        """Stop jobs over their limits and forget what is no longer kept."""
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.status == "IN_PROGRESS" and job.taken is not None and now - job.taken > job.execution:
                self.finish(job, "TIMED_OUT", error="job timed out")
            if job.status in OPEN and now - job.created > job.ttl:
                self.finish(job, "CANCELLED")
                del self._jobs[job.id]
            elif job.ended is not None and now - job.ended > (KEEP_RUNSYNC if job.sync else KEEP_RUN):
                del self._jobs[job.id]

    def changed(self) -> None:
        """Wake everybody who waits in `until`."""
        for event in self._waiting:
            event.set()

    async def until(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so, at most ``seconds``; returns whether it is."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    await event.wait()
                    event.clear()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)
        return ready()

    def _queue(self, endpoint: str) -> deque[PlatformJob]:
        return self._queues.setdefault(endpoint, deque())
