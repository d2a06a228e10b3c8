"""A pool of calls to engines elsewhere: each waits in an event loop, and holds neither a process nor a thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Self

from diarist.cluster.run import Lost
from diarist.model.errors import DiaristError, EngineError

Work = Callable[[Any], Awaitable[Any]]


class Calls:
    """A `diarist.cluster.run.Pool` of awaitables. Close it, or use it as a context: what still waits is cancelled.

    Args:
        work: does a task.
        slots: how many at a time.
    """

    def __init__(self, work: Work, slots: int) -> None:
        self._work = work
        self._slots = max(1, slots)
        self._next = 0
        self._flying: dict[int, concurrent.futures.Future[Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._turn = asyncio.Semaphore(self._slots)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="diarist-calls")
        self._thread.start()

    @property
    def slots(self) -> int:
        """See `diarist.cluster.run.Pool.slots`."""
        return self._slots

    def submit(self, payload: Any, *, alone: bool = False, limit: float | None = None) -> int:
        """See `diarist.cluster.run.Pool.submit`; each call is alone."""
        del alone
        self._next += 1
        self._flying[self._next] = asyncio.run_coroutine_threadsafe(self._call(payload, limit), self._loop)
        return self._next

    def wait(self, handles: Collection[int], seconds: float) -> Sequence[tuple[int, Any]]:
        """See `diarist.cluster.run.Pool.wait`."""
        mine = {self._flying[handle]: handle for handle in handles}
        done, _ = concurrent.futures.wait(mine, seconds, concurrent.futures.FIRST_COMPLETED)
        return [(mine[each], self._flying.pop(mine[each]).result()) for each in done]

    def lost(self) -> Sequence[Lost[int]]:
        """See `diarist.cluster.run.Pool.lost`: none ever is."""
        return ()

    def close(self) -> None:
        """Cancel what waits, and end."""

        async def end() -> None:
            rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _call(self, payload: Any, limit: float | None) -> Any:
        async with self._turn:
            try:
                async with asyncio.timeout(limit):
                    return await self._work(payload)
            except TimeoutError:
                return EngineError("too_slow", f"It took longer than {limit:g} s." if limit else "It took too long.")
            except DiaristError as error:
                return error
            except Exception as error:  # noqa: BLE001 - it is the task's result
                return EngineError("call_failed", f"A call failed: {type(error).__name__}")
