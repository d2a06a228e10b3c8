"""A closed form for quick answers, and a check on the simulation: one endpoint, Poisson arrivals.

An endpoint of one worker that scales to zero is an M/G/1 queue with setup and delayed switch-off (after Welch, "On a
generalized M/G/1 queuing process in which the first customer of each busy period receives exceptional service", 1964):
the system renews itself whenever the worker becomes idle, so expectations over one such cycle give the shares exactly.
Several workers are taken as several such queues with the load split evenly, which is an approximation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BUSY_LIMIT = 0.8  # share of its time that a worker may compute before another one is counted in


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expectations per job.

    Attributes:
        worker_seconds: billed seconds.
        cold_share: share of the jobs that wait for a start.
        wait: mean seconds between arrival and the begin of the work.
        workers: workers counted in, at the busiest time.
    """

    worker_seconds: float
    cold_share: float
    wait: float
    workers: int


def one_worker(rate: float, mean: float, second_moment: float, start: float, idle_timeout: float) -> Estimate:
    """Exact expectations for an endpoint of one worker.

    Args:
        rate: jobs per second.
        mean: mean seconds of work per job.
        second_moment: mean of their squares.
        start: seconds of a start, all billed.
        idle_timeout: seconds a worker stays up without jobs.

    Raises:
        ValueError: there is more work than one worker can do.
    """
    load = rate * mean
    if load >= 1:
        raise ValueError(f"load {load} is too much for one worker")
    off = math.exp(-rate * idle_timeout)  # probability that an idle worker stops before the next job
    jobs = (1 + rate * start * off) / (1 - load)  # per cycle
    idle = (1 - off) / rate
    worker_seconds = mean + (start * off + idle) / jobs
    cold_share = off * (1 + rate * start) / jobs
    # Pollaczek-Khinchine, and what a start adds to the jobs that come in its cycle (a vacation that begins with a job).
    wait = rate * second_moment / (2 * (1 - load))
    wait += off * (2 * start + rate * start * start) / (2 * (1 + rate * start * off))
    return Estimate(worker_seconds, cold_share, wait, 1)


def estimate_endpoint(
    rates: Sequence[float], mean: float, second_moment: float, start: float, idle_timeout: float
) -> Estimate:
    """Expectations over the hours of a day, each with its own rate and as many workers as it needs.

    Args:
        rates: jobs per second, for each hour.
        mean: mean seconds of work per job.
        second_moment: mean of their squares.
        start: seconds of a start, all billed.
        idle_timeout: seconds a worker stays up without jobs.
    """
    total = sum(rates)
    worker_seconds = cold_share = wait = 0.0
    most = 1
    for rate in rates:
        if rate == 0:
            continue
        workers = workers_for(rate, mean)
        hour = one_worker(rate / workers, mean, second_moment, start, idle_timeout)
        worker_seconds += rate / total * hour.worker_seconds
        cold_share += rate / total * hour.cold_share
        wait += rate / total * hour.wait
        most = max(most, workers)
    return Estimate(worker_seconds, cold_share, wait, most)


def workers_for(rate: float, mean: float) -> int:
    """Workers that keep each other's load below `BUSY_LIMIT`."""
    return max(1, math.ceil(rate * mean / BUSY_LIMIT))
