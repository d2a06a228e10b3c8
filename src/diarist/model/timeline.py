"""The algebra of time: half-open spans ``[start, end)`` in seconds from the start of the recording.

Times are quantised to one millisecond when a span is made. Engines resolve no finer (a segmentation frame is 17 ms),
and it makes JSON exact: a span that has crossed a wire equals the span that was sent, so every place gives the same
transcript.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time ``[start, end)``, in seconds.

    Raises:
        ValueError: a bound is not finite, is negative, or ``end < start``.
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"a span needs finite times, not [{self.start}, {self.end})")
        # float() also unwraps numpy scalars, which are not JSON.
        object.__setattr__(self, "start", round(float(self.start), 3))
        object.__setattr__(self, "end", round(float(self.end), 3))
        if self.start < 0 or self.end < self.start:
            raise ValueError(f"a span needs 0 <= start <= end, not [{self.start}, {self.end})")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    @property
    def midpoint(self) -> float:
        """The time halfway, in seconds."""
        return (self.start + self.end) / 2

    def intersection(self, other: Span) -> float:
        """Seconds that both spans cover; 0 where they only touch."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def gap(self, other: Span) -> float:
        """Seconds of nothing between the two spans; 0 where they touch or overlap."""
        return max(0.0, max(self.start, other.start) - min(self.end, other.end))


def union(spans: Iterable[Span], max_gap: float = 0.0) -> tuple[Span, ...]:
    """Merge spans that overlap, touch, or lie at most ``max_gap`` seconds apart.

    Returns:
        Disjoint spans in order; empty spans are dropped.
    """
    merged: list[list[float]] = []
    for span in sorted((s for s in spans if s.duration > 0), key=lambda s: s.start):
        if merged and span.start - merged[-1][1] <= max_gap + 1e-9:
            merged[-1][1] = max(merged[-1][1], span.end)
        else:
            merged.append([span.start, span.end])
    return tuple(Span(start, end) for start, end in merged)


def total(spans: Iterable[Span]) -> float:
    """Seconds covered by at least one span."""
    return sum(span.duration for span in union(spans))


def overlapped(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The disjoint stretches, in order, where at least two of the spans are active at once."""
    edges = sorted(edge for s in spans if s.duration > 0 for edge in ((s.start, 1), (s.end, -1)))
    active, opened, found = 0, 0.0, []
    for time, step in edges:
        # Ends sort before starts at the same instant, so spans that only touch do not count.
        if active == 2 and step < 0:
            found.append(Span(opened, time))
        elif active == 1 and step > 0:
            opened = time
        active += step
    return union(found)


def gaps(spans: Iterable[Span], within: Span) -> tuple[Span, ...]:
    """The stretches of ``within`` that no span covers, in order."""
    free: list[Span] = []
    cursor = within.start
    for span in union(spans):
        if span.start >= within.end:
            break
        if span.start > cursor:
            free.append(Span(cursor, span.start))
        cursor = max(cursor, span.end)
    if cursor < within.end:
        free.append(Span(cursor, within.end))
    return tuple(free)
