"""Jobs that compute at the same time take turns, one window each: a short recording does not wait for a long one.

Engines report progress between two windows of a recording, from the thread that computes. `Turns` lets that report
wait while it is another job's turn, so nothing is interrupted in its middle and nothing is computed twice. `whose_turn`
decides, `Book` keeps what it needs to know, and neither knows threads or a clock; `Turns` is the thin part that does.

What a paused job holds in memory it keeps. How many jobs may be open at the same time is for the caller to bound.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from diarist.model.errors import Cancelled
from diarist.model.progress import PausingProgress, Progress, ignore

LEGS: Final = frozenset({"transcription", "diarization"})
"""Stages in which an engine computes. Others never wait: a download that pauses loses its connection."""

PATIENCE: Final = 30.0
"""Seconds after which a job that waits goes before shorter ones of its owner, for one turn."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that could have the next turn.

    Attributes:
        owner: whose it is.
        used: seconds of computing that its owner has had.
        left: seconds of audio that are still before it.
        waited: seconds since its last turn, or since it came.
    """

    owner: str
    used: float
    left: float
    waited: float


def whose_turn(claims: Sequence[Claim]) -> int:
    """Decide who computes next: the owner that has used least, and of that owner's jobs the one with least left.

    So that no long job waits forever for short ones, one that has waited for `PATIENCE` goes before them.

    Args:
        claims: at least one, in order of coming, which decides between equals.

    Returns:
        The place in ``claims`` of the job that goes first.
    """
    least = min(claim.used for claim in claims)
    poorest = [place for place, claim in enumerate(claims) if claim.used == least]
    first = min(poorest, key=lambda place: claims[place].left)
    longest = max(
        (place for place in poorest if claims[place].owner == claims[first].owner),
        key=lambda place: claims[place].waited,
    )
    return longest if claims[longest].waited >= PATIENCE else first


@dataclass(slots=True, eq=False)
class Job:
    """A job in a `Book`.

    Attributes:
        owner: whose it is.
        seconds: length of its recording.
        done: how far each of its legs is, 0 to 1.
        since: when its last turn ended, or when it came.
        charged: until when its owner was charged for the turn that it has.
    """

    owner: str
    seconds: float
    done: dict[str, float] = field(default_factory=dict)
    since: float = 0.0
    charged: float = 0.0

    @property
    def left(self) -> float:
        """Seconds of audio still before its slowest leg."""
        return self.seconds * (1.0 - min(self.done.values(), default=0.0))


class Book:
    """Who has a turn, who waits for one, and what each owner has used. For one thread at a time.

    Args:
        slots: how many jobs may have a turn at the same time.
    """

    def __init__(self, slots: int = 1) -> None:
        self._slots = slots
        self._turns: list[Job] = []
        self._waiting: list[Job] = []
        self._used: dict[str, float] = {}

    def has_turn(self, job: Job) -> bool:
        """Whether it may compute."""
        return job in self._turns

    def ask(self, job: Job, now: float) -> None:
        """Note that a job wants to compute, or to go on; now another may be first.

        Args:
            job: any; it may have a turn or wait already.
            now: seconds, of any clock that never goes back.
        """
        self._charge(now)
        if job in self._turns:
            self._turns.remove(job)
            job.since = now
            self._waiting.append(job)
        elif job not in self._waiting:
            self._lift(job.owner)
            job.since = now
            self._waiting.append(job)
        self._give(now)

    def leave(self, job: Job, now: float) -> None:
        """Note that a job does not want to compute: not now, or never again."""
        self._charge(now)
        for jobs in (self._turns, self._waiting):
            if job in jobs:
                jobs.remove(job)
        self._give(now)
        self._forget()

    def _give(self, now: float) -> None:
        while self._waiting and len(self._turns) < self._slots:
            claims = [Claim(each.owner, self._used[each.owner], each.left, now - each.since) for each in self._waiting]
            job = self._waiting.pop(whose_turn(claims))
            job.charged = now
            self._turns.append(job)

    def _charge(self, now: float) -> None:
        for job in self._turns:
            self._used[job.owner] += now - job.charged
            job.charged = now

    def _lift(self, owner: str) -> None:
        """Let an owner that wanted nothing begin where the others are: who was away has saved up nothing."""
        used = self._used.get(owner, 0.0)
        if owner not in _owners(self._waiting):
            others = (_owners(self._waiting) or _owners(self._turns)) - {owner}
            used = max(used, min((self._used[each] for each in others), default=0.0))
        self._used[owner] = used

    def _forget(self) -> None:
        """Drop what would make no difference: of who is away and has used no more than anybody here."""
        here = _owners(self._turns) | _owners(self._waiting)
        least = min((self._used[each] for each in here), default=math.inf)
        self._used = {owner: used for owner, used in self._used.items() if owner in here or used > least}


def _owners(jobs: Iterable[Job]) -> set[str]:
    return {job.owner for job in jobs}


class Turns:
    """Lets the jobs of several owners share the machine. Safe to call from any thread.

    Owners get the same time of computing, however much each of them queues; of one owner's jobs, short ones go before
    long ones, and none waits forever. A job alone never waits.

    Args:
        slots: how many jobs compute at the same time.
        clock: gives seconds.
    """

    def __init__(self, slots: int = 1, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._book = Book(slots)
        self._clock = clock
        self._changed = threading.Condition()

    def ticket(self, owner: str, seconds: float) -> Ticket:
        """Let a job take part. It neither waits nor holds a turn until it reports.

        Args:
            owner: who shares with whom: one share for each owner.
            seconds: length of the recording.
        """
        return Ticket(Job(owner, seconds), self._book, self._clock, self._changed)


class Ticket:
    """One job's part in `Turns`, for a ``with`` statement.

        with turns.ticket(owner, audio.duration) as ticket:
            transcript = await pipeline.atranscribe(audio, options, ticket.progress(report))

    At its end, whatever happened, others have the turn. An engine that reports only once, at its end, keeps its turn so
    long: what an engine does between two reports is not stopped.
    """

    def __init__(self, job: Job, book: Book, clock: Callable[[], float], changed: threading.Condition) -> None:
        self._book = book
        self._clock = clock
        self._changed = changed
        self._job = job
        self._over = False

    def progress(self, report: Progress = ignore) -> PausingProgress:
        """Make the callback to hand to the engines, for both legs.

        Each call tells ``report`` first. A report of a leg then waits, in the thread that made it, until it is this
        job's turn; it raises `Cancelled`, also out of a wait, once the ticket is cancelled or closed. A leg's report
        that all is done does not wait, nor do other stages, such as ``"download"`` and ``"decode"``.

        Args:
            report: told all that is reported; what it raises stops the work, and is raised here.
        """
        return _Waiting(self, report)

    def cancel(self) -> None:
        """Stop the job: whoever waits wakes at once, and whoever computes stops at the next report.

        A cancelled task does so by itself, if `diarist.pipelines.bridge.in_thread` was given this ticket's progress.
        """
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        """Take part."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the turn back, and stop whoever still waits for it."""
        with self._changed:
            self._over = True
            self._leave()

    def wait(self, stage: str, done: float) -> None:
        """Note how far a leg is, and wait until it is this job's turn; see `progress`.

        Raises:
            Cancelled: the ticket was cancelled or closed.
        """
        with self._changed:
            if not self._over and stage in LEGS:
                self._job.done[stage] = done
                if min(self._job.done.values()) >= 1.0:
                    self._leave()  # what is left, such as joining words and speakers, is no engine's work
                    return
                self._book.ask(self._job, self._clock())
                self._changed.notify_all()
                if done >= 1.0:
                    return
                while not (self._over or self._book.has_turn(self._job)):
                    self._changed.wait()
            if self._over:
                self._leave()
                raise Cancelled

    def _leave(self) -> None:
        self._book.leave(self._job, self._clock())
        self._changed.notify_all()


class _Waiting:
    """What `Ticket.progress` gives."""

    def __init__(self, ticket: Ticket, report: Progress) -> None:
        self._ticket = ticket
        self._report = report

    def __call__(self, stage: str, done: float) -> None:
        self._report(stage, done)
        self._ticket.wait(stage, done)

    def stop(self) -> None:
        self._ticket.cancel()
