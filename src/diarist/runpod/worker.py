"""A RunPod worker: the SDK's adapter."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from diarist.jobs.runner import Service, Worker, failure, log, phase
from diarist.model.errors import DiaristError, EngineError
from diarist.model.progress import Progress


def start(load: Callable[[], Service]) -> None:
    """Load and warm what ``load`` makes, then take jobs until stopped. Never returns on the platform.

    Everything is loaded before the first job is taken, so that FlashBoot snapshots a warm process. A worker whose
    weights are missing tells the platform so, through the SDK's fitness checks, and takes no job.
    """
    # Before the SDK is imported, which reads it then. Its default, DEBUG, prints every transcript.
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")
    os.environ.setdefault("RUNPOD_LOG_CAPTURE", "off")
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)-6s | %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, signatures included
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    log.info("phase imports: %.2f s of CPU since the process began", time.process_time())

    with phase("SDK"):
        import runpod
        import runpod.serverless
    service: Service | None = None
    problem: DiaristError | None = None
    try:
        service = load()
    except DiaristError as error:
        problem = error
        log.error("cannot serve: %s", error)

    @runpod.serverless.register_fitness_check  # type: ignore[untyped-decorator]
    def weights_are_here() -> None:
        if problem is not None:
            raise RuntimeError(str(problem))

    async def refuse(_: dict[str, Any]) -> Any:
        return json.loads(failure(problem or EngineError("not_loaded", "The worker did not load.")))

    worker = Worker(service, send_progress=_send_progress, upload=_upload) if service else None
    runpod.serverless.start(
        {
            "handler": worker.handle if worker else refuse,
            "concurrency_modifier": lambda _: worker.concurrency if worker else 1,
        }
    )


async def _send_progress(job: Mapping[str, Any], output: dict[str, Any]) -> None:
    """Send progress as the SDK does, but awaited, so that it cannot overtake the result."""
    from runpod.http_client import AsyncClientSession
    from runpod.serverless.modules.rp_http import send_result

    async with AsyncClientSession() as session:
        await send_result(session, {"status": "IN_PROGRESS", "output": output}, job)


def _upload(url: str, body: bytes, progress: Progress) -> None:
    from diarist.jobs.outbound import put

    put(url, body, progress=progress)
