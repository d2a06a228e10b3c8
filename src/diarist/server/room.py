"""Whether there is room for more work: the queue's bounds, and what a key may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from diarist.jobs.job import Load
from diarist.server.errors import Busy
from diarist.server.forms import Upload
from diarist.server.keys import Caller
from diarist.server.opening import DeskBounds

_UNKNOWN_SECONDS: Final = 600.0
"""What a recording of unknown length counts for."""
_UNKNOWN_BYTES_PER_SECOND: Final = 16_000.0
_DAY: Final = 86_400.0


class Room:
    """Says whether there is room, and remembers what keys with a limit sent in the last 24 hours.

    Args:
        bounds: of the queue.
        clock: gives unix seconds.
    """

    def __init__(self, bounds: DeskBounds, clock: Callable[[], float]) -> None:
        self._bounds = bounds
        self._clock = clock
        self._today: dict[str, list[tuple[float, float]]] = {}

    def took(self, caller: Caller, seconds: float) -> None:
        """Note that a recording was taken in."""
        if caller.limits.audio_hours_per_day is not None:
            self._today.setdefault(caller.id, []).append((self._clock(), seconds))

    def check(self, caller: Caller, load: Mapping[str, Load], seconds: float) -> None:
        """Refuse a recording that there is no room for.

        Args:
            caller: who sends it.
            load: what waits and runs, by owner.
            seconds: its length, as far as it is known.

        Raises:
            Busy: the queue is full, or the caller's limits are reached.
        """
        queued = sum(each.queued for each in load.values())
        waiting = sum(each.seconds_queued for each in load.values())
        if queued >= self._bounds.queued or (queued and waiting + seconds > self._bounds.queued_seconds):
            raise Busy(
                "queue_full",
                f"{queued} recordings with {waiting / 3600:.1f} h of audio wait already.",
                "Try again later.",
                retry_after=30,
            )
        own, limits = load.get(caller.id, Load()), caller.limits
        if caller.id and own.queued >= self._bounds.queued * self._bounds.share:
            raise Busy(
                "too_many_jobs",
                f"{own.queued} recordings of this key wait already; the rest of the queue is for others.",
                "Try again later.",
                retry_after=30,
            )
        if limits.concurrent is not None and own.queued + own.running >= limits.concurrent:
            raise Busy(
                "too_many_jobs",
                f"This key may have {limits.concurrent} recordings in work at a time.",
                "Wait until one is done.",
                retry_after=10,
            )
        if limits.audio_hours_per_day is not None:
            since = self._clock() - _DAY
            recent = [entry for entry in self._today.get(caller.id, ()) if entry[0] > since]
            self._today[caller.id] = recent
            if sum(each for _, each in recent) + seconds > limits.audio_hours_per_day * 3600:
                raise Busy(
                    "audio_limit_exceeded",
                    f"This key may send {limits.audio_hours_per_day:g} hours of audio in 24 hours.",
                    "Try again tomorrow, or ask whoever runs the server.",
                )


def assumed_seconds(seconds: float | None, upload: Upload | None) -> float:
    """How much audio something counts for: by its head, else by its size."""
    if seconds is not None:
        return seconds
    return upload.num_bytes / _UNKNOWN_BYTES_PER_SECOND if upload else _UNKNOWN_SECONDS
