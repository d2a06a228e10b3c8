"""A pool of processes on this machine, each with engines of its own that are loaded once.

Rejected: ``concurrent.futures`` and ``multiprocessing.Pool``, in which one process that dies breaks all or is not
noticed; ``pebble`` and ``loky``, which survive it, and cannot say whether a task was begun, nor give one a process for
itself. Pickles go between processes of one user, that run one program: no stranger writes them.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final, Self

from diarist.cluster.run import Lost
from diarist.model.errors import DiaristError, EngineError

Start = Callable[[], Callable[[Any], Any]]
"""Called once in each worker: loads what is needed, and gives the function that does a task. It must be importable."""

_AHEAD: Final = 2  # tasks that a worker holds: one computed, one at hand
_STILLBORN: Final = 3  # workers in a row that end before they are ready
_PATIENCE: Final = 5.0  # seconds that a worker has to end


class Processes:
    """A `diarist.cluster.run.Pool` of processes. Close it, or use it as a context, so that they end.

    A script that uses it keeps its own work under ``if __name__ == "__main__":``, for each process imports it anew.

    Args:
        start: what each worker is: see `Start`.
        workers: how many.

    Raises:
        DiaristError: from ``submit`` and ``wait``: what ``start`` raised.
        EngineError: likewise: three workers in a row ended before they were ready.
    """

    def __init__(self, start: Start, workers: int) -> None:
        self._start = start
        self._next = 0
        self._stillborn = 0
        self._queue: deque[_Task] = deque()
        self._alone: deque[_Task] = deque()
        self._finished: list[tuple[int, Any]] = []
        self._lost: list[Lost[int]] = []
        self._workers = [_Worker(start) for _ in range(max(1, workers))]

    @property
    def slots(self) -> int:
        """See `diarist.cluster.run.Pool.slots`."""
        return len(self._workers)

    @property
    def pids(self) -> tuple[int, ...]:
        """The workers' process numbers."""
        return tuple(worker.pid for worker in self._workers)

    def submit(self, payload: Any, *, alone: bool = False, limit: float | None = None) -> int:
        """See `diarist.cluster.run.Pool.submit`."""
        self._next += 1
        (self._alone if alone else self._queue).append(_Task(self._next, payload, limit))
        self._assign()
        return self._next

    def wait(self, handles: Collection[int], seconds: float) -> Sequence[tuple[int, Any]]:
        """See `diarist.cluster.run.Pool.wait`."""
        end = time.monotonic() + seconds
        while True:
            self._assign()
            mine = [each for each in self._finished if each[0] in handles]
            left = end - time.monotonic()
            if mine or self._lost or left <= 0:
                self._finished = [each for each in self._finished if each[0] not in handles]
                return mine
            hanging = min((worker.end_hanging() for worker in self._workers), default=left)
            for ready in wait([worker.pipe for worker in self._workers], min(left, hanging)):
                self._read(next(worker for worker in self._workers if worker.pipe is ready))

    def lost(self) -> Sequence[Lost[int]]:
        """See `diarist.cluster.run.Pool.lost`."""
        found, self._lost = self._lost, []
        return found

    def close(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _assign(self) -> None:
        """Give workers that have time what waits."""
        while self._queue:
            able = [each for each in self._workers if each.ready and not each.reserved and len(each.held) < _AHEAD]
            if not able:
                break
            self._send(min(able, key=lambda each: len(each.held)), self._queue.popleft())
        for worker in self._workers:
            worker.reserved &= bool(self._alone or worker.held)
        if self._alone and not any(worker.reserved for worker in self._workers):
            min(self._workers, key=lambda each: (len(each.held), each.done)).reserved = True
        for worker in self._workers:
            if worker.reserved and not worker.held and worker.done:
                self._replace(worker)
        for worker in self._workers:
            if worker.reserved and worker.ready and not worker.held and self._alone:
                self._send(worker, self._alone.popleft())

    def _send(self, worker: _Worker, task: _Task) -> None:
        worker.held[task.handle] = task
        with contextlib.suppress(OSError):  # it has died: reading from it will tell
            worker.pipe.send((task.handle, task.payload))
        task.payload = None

    def _read(self, worker: _Worker) -> None:
        try:
            said, *more = worker.pipe.recv()
        except (EOFError, OSError):
            self._died(worker)
            return
        match said:
            case "ready":
                worker.ready, self._stillborn = True, 0
            case "broken":
                raise more[0]
            case "begun":
                worker.held[more[0]].begun = time.monotonic()
            case "done":
                handle, result = more
                del worker.held[handle]
                worker.done += 1
                worker.reserved = False
                self._finished.append((handle, result))

    def _died(self, worker: _Worker) -> None:
        code = worker.end()
        why = worker.hung or (f"killed by signal {-code}" if code < 0 else f"ended with code {code}")
        self._lost += [Lost(task.handle, task.begun is not None, why) for task in worker.held.values()]
        self._stillborn += not worker.ready
        if self._stillborn >= _STILLBORN:
            raise EngineError(
                "workers_end",
                f"{_STILLBORN} workers ended before they were ready ({why}).",
                'Start fewer, if memory is short; in a script, keep its work under: if __name__ == "__main__":',
            )
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        """Put a fresh one in a worker's place."""
        fresh = _Worker(self._start)
        fresh.reserved = worker.reserved
        self._workers[self._workers.index(worker)] = fresh
        worker.process.terminate()
        worker.end()


@dataclass(slots=True)
class _Task:
    """A task, as its pool knows it: what is sent of it, how long it may take, and since when it is computed."""

    handle: int
    payload: Any
    limit: float | None
    begun: float | None = None


class _Worker:
    """A process, as its pool knows it.

    Attributes:
        held: the tasks that it was sent and has not finished, by their handles.
        hung: why it was ended, if it was for taking too long.
        done: how many it has finished.
        ready: whether its engines are loaded.
        reserved: whether it is kept for a task that must be alone.
    """

    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, start), name="diarist-worker", daemon=True)
        self.process.start()
        theirs.close()
        self.held: dict[int, _Task] = {}
        self.hung = ""
        self.done = 0
        self.ready = self.reserved = False

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    def end_hanging(self) -> float:
        """End it if it takes too long for its task; returns the seconds in which that may be the case next."""
        left = math.inf
        for task in self.held.values():
            if task.limit is not None and task.begun is not None:
                left = task.begun + task.limit - time.monotonic()
                if left <= 0 and not self.hung:
                    self.hung = f"took longer than {task.limit:g} s"
                    self.process.kill()
        return left if left > 0 else math.inf

    def end(self) -> int:
        """Wait for its end, not for long; returns its exit code, the negative of a signal's number if one ended it."""
        self.process.join(_PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.pipe.close()
        return self.process.exitcode or 0


def _serve(pipe: Connection, start: Start) -> None:
    """Be a worker, until the other side hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who waits for us, and who ends us
    tasks: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    # Read at once, however long a task is computed: who sends must not wait.
    threading.Thread(target=_receive, args=(pipe, tasks), daemon=True).start()
    try:
        work = start()
    except Exception as error:  # noqa: BLE001 - it is raised where the pool is used
        pipe.send(("broken", told(error)))
        return
    with contextlib.suppress(OSError):  # who waited is gone, and so is this process in a moment
        pipe.send(("ready",))
        while True:
            handle, payload = tasks.get()
            pipe.send(("begun", handle))
            try:
                result = work(payload)
            except Exception as error:  # noqa: BLE001 - it is the task's result
                result = told(error)
            del payload
            pipe.send(("done", handle, result))
            del result


def _receive(pipe: Connection, tasks: queue.SimpleQueue[tuple[int, Any]]) -> None:
    try:
        while True:
            tasks.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)  # nobody is there any more to take what is computed


def told(error: Exception) -> DiaristError:
    """What can be told of an error in another process."""
    if isinstance(error, DiaristError):
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return error
    said = " ".join(str(error).split())[:200]
    return EngineError("worker_failed", f"A worker failed: {type(error).__name__}{f': {said}' if said else ''}")
