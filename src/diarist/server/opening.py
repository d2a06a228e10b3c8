"""Which of the jobs that wait are opened now. An open job holds its samples in memory, and shares the engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from diarist.jobs.job import MAX_ATTEMPTS, Job

SHORT_SECONDS: Final = 120.0
"""A recording of so many seconds or fewer is short."""

_UNKNOWN_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskBounds:
    """How much work is taken in.

    Attributes:
        queued: jobs that wait, of all callers.
        queued_seconds: seconds of audio that wait, of all callers.
        share: how much of the queue one key may fill.
        open: jobs that have begun; each holds its samples in memory.
        open_seconds: seconds of audio of the long ones among them, unless it is a single one; an hour is 230 MB.
        patience: seconds for which a plain request's work goes on when nobody waits for it any more.
    """

    queued: int = 100
    queued_seconds: float = 48 * 3600.0
    share: float = 0.75
    open: int = 4
    open_seconds: float = 6 * 3600.0
    patience: float = 60.0


def length(job: Job) -> float:
    """Seconds that a recording counts for."""
    return job.seconds if job.seconds is not None else _UNKNOWN_SECONDS


def to_open(queued: Iterable[Job], under_way: Collection[Job], bounds: DeskBounds) -> list[Job]:
    """Decide which jobs begin now.

    Whoever has fewest open goes first, and of one owner's jobs the short ones, but an hour of waiting makes up for an
    hour of audio. Long recordings leave room for a short one, and those of one owner for another's. A job that took its
    worker along twice has its last attempt alone, so that it takes no other with it.

    Args:
        queued: those that wait.
        under_way: those that have begun.
        bounds: how many may.

    Returns:
        Some of ``queued``, in the order in which they begin.
    """
    here, chosen = list(under_way), list[Job]()
    waiting = sorted(queued, key=lambda job: job.created + length(job))
    if any(job.attempts >= MAX_ATTEMPTS for job in here):
        return []
    if suspect := next((job for job in waiting if job.attempts >= MAX_ATTEMPTS - 1), None):
        return [] if here else [suspect]
    while len(here) < bounds.open:
        held = Counter(job.owner for job in here)
        fitting = [job for job in waiting if _fits(job, here, bounds)]
        if not fitting:
            break
        first = min(fitting, key=lambda job: held[job.owner])
        waiting.remove(first)
        here.append(replace(first, attempts=first.attempts + 1))
        chosen.append(first)
    return chosen


def _fits(job: Job, here: Collection[Job], bounds: DeskBounds) -> bool:
    if length(job) <= SHORT_SECONDS:
        return True
    long = [each for each in here if length(each) > SHORT_SECONDS]
    return not long or (
        len(long) < bounds.open - 1
        and sum(each.owner == job.owner for each in long) < max(1, bounds.open - 2)
        and sum(map(length, long)) + length(job) <= bounds.open_seconds
    )
