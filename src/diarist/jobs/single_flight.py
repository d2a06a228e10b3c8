"""Identical work that is under way at the same time is done once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Final

from diarist.model.errors import Cancelled
from diarist.model.transcript import Transcript

_LOOK_SECONDS: Final = 0.1


class SingleFlight:
    """Runs identical work once at a time; who comes later waits for the result of who came first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Future[Transcript]] = {}

    def run(self, key: str, work: Callable[[], Transcript], report: Callable[[], None]) -> Transcript:
        """Return ``work()``, or what the same work that is under way returns.

        Args:
            key: what makes two pieces of work the same.
            work: does it.
            report: called while waiting for somebody else; may raise `Cancelled`.

        Raises:
            Exception: whatever ``work`` raised, here or there; a cancellation there is not one here.
        """
        while True:
            with self._lock:
                flight = self._flights.get(key)
                if flight is None:
                    own = self._flights[key] = Future()
                    break
            try:
                return _joined(flight, report)
            except CancelledError:
                continue  # the first one gave up, so somebody else must do it
        try:
            result = work()
        except BaseException as error:
            with self._lock:
                del self._flights[key]
            if isinstance(error, Cancelled) or not isinstance(error, Exception):
                own.cancel()
            else:
                own.set_exception(error)
            raise
        with self._lock:
            del self._flights[key]
        own.set_result(result)
        return result


def _joined(flight: Future[Transcript], report: Callable[[], None]) -> Transcript:
    while True:
        try:
            return flight.result(timeout=_LOOK_SECONDS)
        except TimeoutError:
            report()
