"""The loop that gives tasks to a pool of workers: what comes next, how much is on its way, and who failed.

It knows nothing of recordings, files or machines. A `Pool` is all that differs between processes here, Ray and RunPod.

Ray Data, NeMo Curator and Daft were rejected as the loop: none sets aside a task that ends its process.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from diarist.model.errors import DiaristError, EngineError, InputError

MOST_BYTES: Final = 256 << 20
"""Bytes of payload that may be on their way or computed at a time, where more than one task is."""
MOST_DEATHS: Final = 2
"""Workers that may end while they compute a task, before it is given up."""
MOST_FAILURES: Final = 2
"""Workers whose engine may fail at a task, before it is given up."""
_SECONDS: Final = 1.0  # between two looks at a pool that says nothing

H = TypeVar("H", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done by some worker.

    Attributes:
        key: names it, e.g. a unit's number or a recording's path; no two of a run have the same.
        load: makes what the worker is sent, when its turn has come and each time it is tried. What it raises, if a
            `DiaristError`, is the task's error.
        cost: the larger ones go first, so that no long one is left for the end.
        size: bytes of what ``load`` makes.
        limit: seconds that a worker may compute it before it counts as hanging, and the worker is ended; None: any.
    """

    key: str
    load: Callable[[], Any]
    cost: float = 0.0
    size: int = 0
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: a result, or an error.

    Attributes:
        task: which.
        result: what the worker gave; None where there is an error.
        error: why it was given up.
        starts: how many times a worker was sent it.
        deaths: how many workers ended while they computed it.
    """

    task: Task
    result: Any = None
    error: DiaristError | None = None
    starts: int = 0
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Lost(Generic[H]):
    """A task whose worker is gone: it will never finish.

    Attributes:
        handle: of the task.
        begun: whether the worker itself ended, or was ended, while it computed this one. False where the task only
            waited there, and where a whole machine went: then it is not to blame.
        why: in a few words, e.g. ``"killed by signal 9"``.
    """

    handle: H
    begun: bool
    why: str = ""


class Pool(Protocol[H]):
    """Workers that are each given tasks, one after the other. Used by one thread.

    It starts a worker for each that is lost, and raises an `EngineError` from ``submit`` or ``wait`` where that leads
    nowhere: every worker ends before it is ready.
    """

    @property
    def slots(self) -> int:
        """How many tasks are computed at a time."""

    def submit(self, payload: Any, *, alone: bool = False, limit: float | None = None) -> H:
        """Give a task to some worker, and go on.

        Args:
            payload: what its worker is sent.
            alone: to a worker that has done nothing yet and holds nothing else, as it may not outlive it.
            limit: seconds after which a worker that still computes it is ended, and the task lost; None: none.

        Returns:
            What names it from now on.
        """

    def wait(self, handles: Collection[H], seconds: float) -> Sequence[tuple[H, Any]]:
        """Wait until one of some tasks has finished or is lost, for so long at most.

        Returns:
            Those that finished, each once, with the result, or the `DiaristError` that the worker raised.
        """

    def lost(self) -> Sequence[Lost[H]]:
        """Those that were lost since this was last asked, each once; none of them is ever given by ``wait``."""


def run(tasks: Iterable[Task], pool: Pool[Any], *, most_bytes: int = MOST_BYTES) -> Iterator[Outcome]:
    """Have all tasks done, the costly ones first; yields what became of each as soon as it is known.

    At most twice as many as the pool has slots are on their way: one computed and one at hand for each. A task whose
    worker ends while it computes it, or whose engine fails, is tried once more, alone in a fresh worker. A task that
    only waited where a worker ended is tried again and blamed for nothing; so is one whose machine went.

    Whoever takes the outcomes holds back the work while they do not ask for the next.

    Args:
        tasks: all of them are looked at before the first is sent.
        pool: who does them. It is not closed.
        most_bytes: of payload, on their way at a time; a larger task goes by itself.

    Raises:
        EngineError: the pool has no workers and gets none.
    """
    waiting = deque(sorted(tasks, key=lambda task: -task.cost))
    flying: dict[Hashable, Task] = {}
    starts: Counter[str] = Counter()
    deaths: Counter[str] = Counter()
    failures: Counter[str] = Counter()

    def outcome(task: Task, result: Any = None, error: DiaristError | None = None) -> Outcome:
        return Outcome(task, result, error, starts[task.key], deaths[task.key])

    while waiting or flying:
        while waiting and len(flying) < 2 * pool.slots:
            if flying and sum(task.size for task in flying.values()) + waiting[0].size > most_bytes:
                break
            task = waiting.popleft()
            try:
                payload = task.load()
            except DiaristError as error:
                yield outcome(task, error=error)
                continue
            starts[task.key] += 1
            alone = bool(deaths[task.key] or failures[task.key])
            flying[pool.submit(payload, alone=alone, limit=task.limit)] = task
            del payload  # the pool has it; held here, it would be there twice
        for handle, result in pool.wait(flying, _SECONDS) if flying else ():
            task = flying.pop(handle)
            if not isinstance(result, DiaristError):
                yield outcome(task, result)
                continue
            failures[task.key] += 1
            if isinstance(result, EngineError) and failures[task.key] < MOST_FAILURES:
                waiting.appendleft(task)
            else:
                yield outcome(task, error=result)
        for gone in pool.lost():
            task = flying.pop(gone.handle)
            deaths[task.key] += gone.begun
            if deaths[task.key] < MOST_DEATHS:
                waiting.appendleft(task)
            else:
                yield outcome(task, error=_fatal(task, gone.why, deaths[task.key]))


def results(outcomes: Iterable[Outcome]) -> Iterator[Any]:
    """The results alone, for who needs all of them: the first error is raised."""
    for each in outcomes:
        if each.error is not None:
            raise each.error
        yield each.result


def _fatal(task: Task, why: str, deaths: int) -> DiaristError:
    return InputError(
        "ends_its_worker",
        f"{task.key} ended {deaths} workers that computed it{f' ({why})' if why else ''}.",
        "It may need more memory than there is, or break a decoder or an engine: convert it, or leave it out.",
        http_status=422,
    )
