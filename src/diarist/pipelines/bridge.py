"""Between threads and awaitables: engines compute in threads, what waits for them does not hold one.

`asyncio.to_thread` alone was rejected: a task that is cancelled leaves its thread computing, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.from_thread import start_blocking_portal

from diarist.model.errors import Cancelled
from diarist.model.progress import PausingProgress, Progress

T = TypeVar("T")


def wait_for(work: Callable[[], Awaitable[T]]) -> T:
    """Run asynchronous work and return its result.

    It runs in an event loop of its own, in another thread, so it may be called where a loop runs already (a notebook).
    Ctrl-C here cancels the work, and waits until it has stopped.
    """
    with start_blocking_portal() as portal:
        future = portal.start_task_soon(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


async def in_thread(work: Callable[[Progress], T], progress: Progress) -> T:
    """Run what computes in a thread. If the waiting task is cancelled, it stops at its next report of progress.

    A report that waits (see `PausingProgress`) is not waited for.

    Args:
        work: is given what it must report to.
        progress: told what it reports.

    Raises:
        Exception: what ``work`` raised.
    """
    stop = threading.Event()

    def report(stage: str, done: float) -> None:
        if stop.is_set():
            raise Cancelled
        progress(stage, done)

    future = asyncio.get_running_loop().run_in_executor(None, work, report)
    try:
        return await asyncio.shield(future)
    finally:
        if not future.done():
            # Cancelled. A slot that is free again must not have the old work still computing beside the next.
            stop.set()
            if isinstance(progress, PausingProgress):
                progress.stop()
            with anyio.CancelScope(shield=True), contextlib.suppress(BaseException):
                await asyncio.wait({future})
        if not future.cancelled():
            future.exception()
