"""A pool of Ray actors: workers on the machines of a cluster, each with engines of its own.

Ray Data was rejected: a row that ends its process is tried again without end, and one that raises
loses those beside it. An actor is sent one task at a time, so that its death is blamed on that one; where its whole
machine went, on none.
"""

from __future__ import annotations

import importlib
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from diarist.cluster.run import Lost
from diarist.extras import install
from diarist.model.errors import DiaristError, EngineError, InputError

_STILLBORN: Final = 3  # actors in a row that end before they are ready
_NODE_SECONDS: Final = 90.0  # that a machine has to answer, or a cluster to notice that it has gone


class Actors:
    """A `diarist.cluster.run.Pool` of Ray actors. Close it, or use it as a context, so that they end.

    Args:
        start: called once in each actor: loads what is needed, and gives the function that does a task.
        workers: how many.
        address: of the cluster, as ``HOST:PORT``. There is no default: a bare one joins whatever runs on the machine.
        cpus: that each worker is given; fractions of GPUs are left to the cluster's own settings.

    Raises:
        InputError: Ray is not installed, or no cluster is there.
        EngineError: from ``wait``: three workers in a row ended before they were ready.
    """

    def __init__(
        self, start: Callable[[], Callable[[Any], Any]], workers: int, address: str, *, cpus: float = 1
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it sends statistics to its maker
        try:
            ray: Any = importlib.import_module("ray")  # its types differ from release to release
        except ImportError:
            raise InputError("no_ray", "--ray needs Ray.", f"Install it: {install('ray')}") from None
        host = address.rpartition(":")[0]
        # Ray takes 127.0.0.1 for the machine's outer address, where nobody listens, and waits there for minutes.
        inside = {"_node_ip_address": host} if host.startswith("127.") else {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **inside)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                "no_cluster", f"There is no Ray cluster at {address}.", "Start one: ray start --head"
            ) from error
        self._ray = ray
        self._make = ray.remote(num_cpus=cpus, max_restarts=0)(_Actor).remote
        self._start = start
        self._next = self._stillborn = 0
        self._queue: deque[_Task] = deque()
        self._alone: deque[_Task] = deque()
        self._lost: list[Lost[int]] = []
        self._workers = [self._fresh() for _ in range(max(1, workers))]

    @property
    def slots(self) -> int:
        """See `diarist.cluster.run.Pool.slots`."""
        return len(self._workers)

    def submit(self, payload: Any, *, alone: bool = False, limit: float | None = None) -> int:
        """See `diarist.cluster.run.Pool.submit`."""
        self._next += 1
        (self._alone if alone else self._queue).append(_Task(self._next, payload, limit))
        self._assign()
        return self._next

    def wait(self, handles: Collection[int], seconds: float) -> Sequence[tuple[int, Any]]:
        """See `diarist.cluster.run.Pool.wait`."""
        del handles  # all that is given to it is asked for by its one user
        self._assign()
        busy = {worker.answer: worker for worker in self._workers if worker.answer is not None}
        ready, _ = self._ray.wait(list(busy), num_returns=1, timeout=seconds) if busy else ([], [])
        found = [each for answer in ready for each in self._read(busy[answer])]
        self._end_hanging()
        self._assign()
        return found

    def lost(self) -> Sequence[Lost[int]]:
        """See `diarist.cluster.run.Pool.lost`."""
        found, self._lost = self._lost, []
        return found

    def close(self) -> None:
        """End all workers, and leave the cluster."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fresh(self) -> _Worker:
        actor = self._make(self._start)
        return _Worker(actor, actor.ready.remote())

    def _assign(self) -> None:
        for at, worker in enumerate(self._workers):
            if worker.answer is not None:
                continue
            if self._alone and worker.done:
                self._ray.kill(worker.actor)
                self._workers[at] = self._fresh()
            elif self._alone or self._queue:
                worker.task = (self._alone or self._queue).popleft()
                worker.answer = worker.actor.work.remote(worker.task.payload)
                worker.began = time.monotonic()

    def _read(self, worker: _Worker) -> list[tuple[int, Any]]:
        """What a worker answered: a task's result, that it is ready, or that it is gone."""
        task, worker.task = worker.task, None
        answer, worker.answer = worker.answer, None
        try:
            result = self._ray.get(answer)
        except self._ray.exceptions.RayActorError as error:
            self._gone(worker, task, type(error).__name__)
            return []
        except self._ray.exceptions.RayError as error:
            result = EngineError("worker_failed", f"A worker failed: {type(error).__name__}")
        if task is None:
            if isinstance(result, DiaristError):
                raise result
            worker.node, self._stillborn = result, 0
            return []
        worker.done += 1
        return [(task.handle, result)]

    def _gone(self, worker: _Worker, task: _Task | None, why: str) -> None:
        self._stillborn += task is None
        if self._stillborn >= _STILLBORN:
            raise EngineError("workers_end", f"{_STILLBORN} workers ended before they were ready ({why}).")
        if task is not None:
            self._lost.append(Lost(task.handle, bool(worker.hung) or self._lives(worker.node), worker.hung or why))
        self._workers[self._workers.index(worker)] = self._fresh()

    def _lives(self, node: str) -> bool:
        """Whether a machine is still in the cluster: it answers, or the cluster says that it is gone.

        Its workers' ends are told at once; that it has gone itself, a cluster notices after some twenty seconds.
        """
        strategy = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        there = self._ray.remote(num_cpus=0, max_retries=0)(_nothing)
        answer = there.options(scheduling_strategy=strategy(node, soft=False)).remote()
        end = time.monotonic() + _NODE_SECONDS
        while time.monotonic() < end:
            if node not in {each["NodeID"] for each in self._ray.nodes() if each["Alive"]}:
                return False
            if self._ray.wait([answer], timeout=1)[0]:
                try:
                    self._ray.get(answer)
                except self._ray.exceptions.RayError:
                    return False
                return True
        return False

    def _end_hanging(self) -> None:
        for worker in self._workers:
            task = worker.task
            if task is not None and task.limit is not None and time.monotonic() - worker.began > task.limit:
                worker.hung = f"took longer than {task.limit:g} s"
                self._ray.kill(worker.actor)


@dataclass(slots=True)
class _Task:
    handle: int
    payload: Any
    limit: float | None


@dataclass(slots=True, eq=False)
class _Worker:
    """An actor, as its pool knows it: what it was asked and since when, and the machine that it is on."""

    actor: Any
    answer: Any
    task: _Task | None = None
    began: float = 0.0
    node: str = ""
    hung: str = ""
    done: int = 0


def _nothing() -> None:
    """What a machine is asked to do, to see whether it is there."""


class _Actor:
    """What runs in the cluster. Errors are results, so that Ray's own are those of its machines."""

    def __init__(self, start: Callable[[], Callable[[Any], Any]]) -> None:
        self._work: Callable[[Any], Any] | None = None
        self._error: DiaristError | None = None
        try:
            self._work = start()
        except DiaristError as error:
            self._error = error

    def ready(self) -> Any:
        """The machine that it is on, or why it cannot work."""
        ray: Any = importlib.import_module("ray")
        return self._error or ray.get_runtime_context().get_node_id()

    def work(self, payload: Any) -> Any:
        """Do a task."""
        from diarist.cluster.local import told

        assert self._work is not None  # noqa: S101  # it was ready
        try:
            return self._work(payload)
        except Exception as error:  # noqa: BLE001 - it is the task's result
            return told(error)
