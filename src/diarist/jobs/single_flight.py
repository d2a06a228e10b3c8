"""Identical work that is under way at the same time is done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs identical work once at a time; who comes later waits for the result of who came first.

    For one event loop. aiocache and asyncstdlib's caches were looked at: they keep results, and do not wait for work.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return what ``work`` returns, or what the same work that is under way returns.

        Args:
            key: what makes two pieces of work the same.
            work: does it.

        Raises:
            Exception: whatever ``work`` raised, here or there. A cancellation there is not one here: then this caller
                does the work.
        """
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.result:
                return flight.result[0]
        flight = self._flights[key] = _Flight()
        try:
            flight.result.append(await work())
        except Exception as error:
            flight.error = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        return flight.result[0]


class _Flight(Generic[T]):
    """Work under way. Landed with neither result nor error, it was given up."""

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.result: list[T] = []
        self.error: Exception | None = None
