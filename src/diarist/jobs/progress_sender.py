"""How progress leaves a worker: seldom, and never after the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

PROGRESS_SECONDS: Final = 2.0
"""Progress is sent at most this often, and first after this long: short jobs send none."""

SendProgress = Callable[[Mapping[str, Any], dict[str, Any]], Awaitable[None]]


class ProgressSender:
    """Sends the newest progress of a job now and then, and never after `close`.

    Args:
        job: as the SDK gave it.
        send: how progress reaches the platform; None sends none.
    """

    def __init__(self, job: Mapping[str, Any], send: SendProgress | None) -> None:
        self._job, self._send = job, send
        self._stages: dict[str, float] = {}
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    def update(self, stage: str, done: float) -> None:
        """Note how far a stage is, 0 to 1."""
        self._stages[stage] = round(done, 3)
        busy = self._sending is not None and not self._sending.done()
        if self._send is None or self._closed or busy or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_SECONDS
        self._sending = asyncio.ensure_future(self._send(self._job, {"progress": dict(self._stages)}))

    async def close(self) -> None:
        """Wait for what is under way; nothing is sent any more."""
        self._closed = True
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)
