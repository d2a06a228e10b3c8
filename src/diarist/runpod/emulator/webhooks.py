"""The emulated platform's webhooks: who submitted a job with one is sent what /status says once it has ended.

As documented: any answer but 200 is a failure, and there are two more tries, ten seconds apart. Nothing is signed. Not
documented, and so taken to be: that every end counts, cancelling too, and how long an answer may take.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import aiohttp

from diarist.runpod.emulator.platform_jobs import PlatformJob

WEBHOOK_PAUSE: Final = 10.0
"""Seconds between two tries."""
_TRIES: Final = 3
_PATIENCE: Final = aiohttp.ClientTimeout(total=30.0)

log = logging.getLogger("diarist.emulator")


class Webhooks:
    """Calls webhooks. For one event loop.

    Args:
        pause: seconds between two tries.
    """

    def __init__(self, pause: float = WEBHOOK_PAUSE) -> None:
        self._pause = pause
        self._calls: set[asyncio.Task[None]] = set()

    def ended(self, job: PlatformJob) -> None:
        """Take note of a job that ended."""
        if job.webhook:
            task = asyncio.ensure_future(self._call(job.webhook, job))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Call nobody any more."""
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _call(self, url: str, job: PlatformJob) -> None:
        body = job.view()
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            for attempt in range(_TRIES):
                if attempt:
                    await asyncio.sleep(self._pause)
                try:
                    async with session.post(url, json=body, allow_redirects=False) as answer:
                        if answer.status == 200:
                            return
                        said = f"it answered {answer.status}"
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    said = type(error).__name__
                log.warning("the webhook of job %s failed: %s", job.id, said)
