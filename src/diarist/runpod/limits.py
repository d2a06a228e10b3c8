"""How long a remote job may take, and how often one looks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from diarist.architectures import LONGEST_LOOK, SYNC_WAIT, TIME_LIMIT, time_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, in seconds.

    Attributes:
        deadline: from the call to the result, queue, cold start, a second attempt and cancelling included.
        execution: one job in one worker; beyond it the platform stops the job. The platform's clock runs from when a
            worker takes the job, which then may wait behind another, so it is never less than an endpoint's own limit.
        grace: how long a job may seem to run beyond ``execution`` before it counts as lost.
        silence: how long a job in the middle of its work may send no news before it counts as lost.
        sync_wait: how long one request waits at the platform for the result; 0 submits and then polls.
        poll_first: the shortest pause between two looks; pauses grow with the time waited.
        poll_most: the longest.
    """

    deadline: float = 900.0
    execution: float = 600.0
    grace: float = 30.0
    silence: float = 600.0
    sync_wait: float = 0.0
    poll_first: float = 0.05
    poll_most: float = LONGEST_LOOK

    @staticmethod
    def for_audio(seconds: float | None) -> Limits:
        """Limits for a recording of so many seconds: engines are taken to be at least as fast as speech.

        Short recordings first wait inside one request, which answers the moment the result is there. Long ones are
        polled from the start: their results are kept for 30 minutes instead of one.
        """
        if seconds is None:
            return Limits(deadline=3600.0, execution=3000.0)
        usual = 300.0 + seconds
        return Limits(
            deadline=2 * usual + 600.0,
            execution=max(usual, float(TIME_LIMIT)),
            sync_wait=SYNC_WAIT if seconds <= 600 else 0.0,
        )

    @staticmethod
    def for_orchestrator(seconds: float | None) -> Limits:
        """Limits for a job that waits for two others: the platform must not stop it before it gives up by itself."""
        limits = Limits.for_audio(seconds)
        return dataclasses.replace(limits, execution=max(limits.execution, time_limit("orchestrator")))
