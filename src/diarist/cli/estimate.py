"""How far a job is and how long it will take, from what its stages report. Pure: the time is passed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

_KEPT: Final = 8
"""Reports that a rate is measured over: few, since words come faster once all speakers are found."""

_QUICK: Final = 0.1
"""How much of a stage may go by quickly, as finding where there is speech does. It tells nothing of the rest."""


class Stage:
    """One stage of a job: what it reported, and where it stands between two reports."""

    def __init__(self) -> None:
        self._reports: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def report(self, done: float, now: float) -> None:
        """Note that ``done`` (0 to 1) is finished at ``now`` (seconds on any clock); what goes back is not heeded."""
        done = min(max(done, 0.0), 1.0)
        if self._reports and done <= self._reports[-1][1]:
            return
        if done <= _QUICK:
            self._reports.clear()
        self._reports.append((now, done))

    @property
    def begins(self) -> bool:
        """Whether it is still in the part that may go by quickly."""
        return not self._reports or self._reports[-1][1] <= _QUICK

    def rate(self, now: float) -> float:
        """Share of this stage that a second finishes; 0 where that is not known yet.

        A report that is late lowers it: it cannot be faster than if the next one came right now.
        """
        if len(self._reports) < 2:
            return 0.0
        (first, at_first), (last, at_last) = self._reports[0], self._reports[-1]
        if not first < last <= now:
            return 0.0
        return min((at_last - at_first) / (last - first), (at_last + self._step() - at_first) / (now - first))

    def done(self, now: float) -> float:
        """Share that is done by now: the last report, moved on by the rate, never past the next report.

        The next one is expected as far from the last as that was from the one before.
        """
        if not self._reports:
            return 0.0
        last, done = self._reports[-1]
        return min(done + min(self.rate(now) * max(now - last, 0.0), self._step()), 1.0)

    def _step(self) -> float:
        return self._reports[-1][1] - self._reports[-2][1] if len(self._reports) > 1 else 0.0


class Work:
    """A job of several stages that may run at the same time.

    Args:
        weights: how much of the job each stage is, in any unit. Other stages that report are not counted.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)
        self._heaviest = max(self._weights, key=lambda name: self._weights[name])
        self._stages = {name: Stage() for name in self._weights}
        self._shown = 0.0
        self._since: tuple[float, float] | None = None

    def report(self, stage: str, done: float, now: float) -> None:
        """Note what a stage reports; see `diarist.model.progress.Progress`."""
        if stage not in self._weights:
            return
        self._stages[stage].report(done, now)
        if stage == self._heaviest and self._stages[stage].begins:
            self._since = now, self._done(now)

    def share(self, now: float) -> float:
        """Share of the whole job that is done, 0 to 1; it never falls."""
        self._shown = max(self._shown, self._done(now))
        return self._shown

    def left(self, now: float) -> float | None:
        """Seconds until the end; None until the heaviest stage has shown how fast it is.

        All stages share one machine: when one ends, the others have its part. So it is the work in a second that stays
        the same, not the speed of each stage.
        """
        if self._since is None or not self._stages[self._heaviest].rate(now):
            return None
        began, before = self._since
        done = self._done(now)
        return (1.0 - done) * (now - began) / (done - before) if done > before else None

    def _done(self, now: float) -> float:
        done = sum(weight * self._stages[name].done(now) for name, weight in self._weights.items())
        return min(done / sum(self._weights.values()), 1.0)
