"""A RunPod worker: the SDK's adapter."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from diarist.jobs.runner import Service, Worker, log
from diarist.model.errors import DiaristError, EngineError
from diarist.model.progress import Progress

_ASKING_SECONDS: Final = 2.0
"""Seconds in which a worker that cannot start is handed the job to say so with."""


def start(load: Callable[[], Service]) -> None:
    """Load and warm what ``load`` makes, then take jobs until stopped. Never returns on the platform.

    Everything is loaded before the first job is taken, so that FlashBoot snapshots a warm process, and no job waits in
    a cold worker that a warm one could do. A worker that cannot start takes one job and fails it with the reason,
    through the SDK's prestart hook: by itself, the platform would start one after the other, without a word to those
    who wait.
    """
    # Before the SDK is imported, which reads it then. Its default, DEBUG, prints every transcript.
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")
    os.environ.setdefault("RUNPOD_LOG_CAPTURE", "off")
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)-6s | %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, signatures included
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    log.info("phase imports: %.2f s of CPU since the process began", time.process_time())

    with ThreadPoolExecutor(1) as beside:
        importing = beside.submit(_import_sdk)  # reading weights leaves it time
        worker = _loaded(load)
        importing.result()
    import runpod.serverless

    if isinstance(worker, DiaristError):
        problem = worker

        @runpod.serverless.register_prestart_hook  # type: ignore[untyped-decorator]
        async def load_engines() -> None:
            # The SDK is asking for a job already. Failing at once would break that off, and lose a job just handed out.
            await asyncio.sleep(_ASKING_SECONDS)
            raise problem from None

        runpod.serverless.start({"handler": lambda _: None})  # never called
        return
    runpod.serverless.start({"handler": worker.handle, "concurrency_modifier": lambda _: worker.concurrency})


def _import_sdk() -> None:
    began = time.perf_counter()
    import runpod
    import runpod.serverless  # noqa: F401

    log.info("phase SDK: %.2f s, beside the weights", time.perf_counter() - began)


def _loaded(load: Callable[[], Service]) -> Worker | DiaristError:
    """The worker, or why there is none."""
    try:
        return Worker(load(), send_progress=_send_progress, send_piece=_send_piece, upload=_upload)
    except DiaristError as error:
        problem = error
    except Exception as error:  # noqa: BLE001 - whatever it is, who waits for a worker is told
        log.exception("the worker broke while it started")
        said = " ".join(str(error).split())[:300]
        problem = EngineError("not_loaded", f"The worker does not start: {type(error).__name__}: {said}")
    log.error("cannot serve: %s", problem)
    # The hook's answer holds a traceback; that of where it was loaded is for the log alone.
    return problem.with_traceback(None)


async def _send_progress(job: Mapping[str, Any], output: dict[str, Any]) -> None:
    """Send progress as the SDK does, but awaited, so that it cannot overtake the result."""
    from runpod.http_client import AsyncClientSession
    from runpod.serverless.modules.rp_http import send_result

    async with AsyncClientSession() as session:
        await send_result(session, {"status": "IN_PROGRESS", "output": output}, job)


async def _send_piece(job: Mapping[str, Any], piece: dict[str, Any]) -> None:
    """Send a piece of a stream as the SDK does for a handler that is a generator.

    Ours is none: then every job's output would be a list, also where nobody asked for a stream.
    """
    from runpod.http_client import AsyncClientSession
    from runpod.serverless.modules.rp_http import stream_result

    async with AsyncClientSession() as session:
        await stream_result(session, {"output": piece}, job)


def _upload(url: str, body: bytes, progress: Progress) -> None:
    from diarist.jobs.outbound import put

    put(url, body, progress=progress)
