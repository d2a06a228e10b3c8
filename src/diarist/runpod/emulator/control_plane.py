"""The emulated platform's HTTP: what RunPod's API says to clients, and what its SDK expects to hear as a worker.

aiohttp serves it: the SDK brings it along. The workers' side follows the SDK's source (rp_job, rp_http, rp_ping,
rp_scale); it is not a documented interface, which is why the SDK's version is pinned.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from aiohttp import web

from diarist.runpod.client import MAX_RUN_BYTES, MAX_RUNSYNC_BYTES
from diarist.runpod.emulator.platform_jobs import PlatformJob, PlatformJobs

TAKE_SECONDS: Final = 20.0
"""How long a worker's request for a job is held open. An instant "no" would make the SDK spin."""
MAX_RESULT_BYTES: Final = 20_000_000
"""The platform answers 400 to larger results (field reports), and the caller gets nothing."""
MAX_PIECE_BYTES: Final = 1_000_000
"""Documented limit of one piece of a stream."""
Middleware = Callable[
    [web.Request, Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[web.StreamResponse]
]


class Workers(Protocol):
    """What the control plane must know about workers."""

    def seen(self, worker: str) -> None:
        """Note that a worker asked for a job."""

    def accepts(self, worker: str) -> bool:
        """Whether the worker should get jobs: it is not being stopped."""

    def refresh(self, worker: str) -> None:
        """Stop a worker that asks for it; another starts when there are jobs for it."""

    def counts(self, endpoint: str) -> Mapping[str, int]:
        """Return the ``workers`` part of /health."""


class ControlPlane:
    """The control plane.

    Args:
        jobs: shared with the pool of workers.
        workers: their pool.
        endpoints: ids that exist.
        api_key: what clients and workers must show.
        middlewares: aiohttp middlewares put in front, for tests that break the network.
    """

    def __init__(
        self,
        jobs: PlatformJobs,
        workers: Workers,
        endpoints: frozenset[str],
        api_key: str,
        middlewares: tuple[Any, ...] = (),
    ) -> None:
        self._jobs = jobs
        self._workers = workers
        self._endpoints = endpoints
        self._api_key = api_key
        self.app = web.Application(client_max_size=64 << 20, middlewares=[*middlewares, self._guard])
        self.app.add_routes(
            [
                web.get("/v2/{endpoint}/job-take/{worker}", self._take),
                web.get("/v2/{endpoint}/job-take-batch/{worker}", self._take),
                web.get("/v2/{endpoint}/job-stop/{worker}", self._stop),
                web.post("/v2/{endpoint}/job-done/{worker}/{job}", self._done),
                web.post("/v2/{endpoint}/job-stream/{worker}/{job}", self._chunk),
                web.get("/v2/{endpoint}/ping/{worker}", self._ping),
                web.post("/v2/{endpoint}/run", self._run),
                web.post("/v2/{endpoint}/runsync", self._runsync),
                web.get("/v2/{endpoint}/status/{job}", self._status),
                web.post("/v2/{endpoint}/status/{job}", self._status),
                web.get("/v2/{endpoint}/stream/{job}", self._stream),
                web.post("/v2/{endpoint}/cancel/{job}", self._cancel),
                web.post("/v2/{endpoint}/retry/{job}", self._retry),
                web.post("/v2/{endpoint}/purge-queue", self._purge),
                web.get("/v2/{endpoint}/health", self._health),
            ]
        )

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(key.encode(), self._api_key.encode()):
            return _error(401, "unauthorized")
        if request.match_info.get("endpoint") not in self._endpoints:
            return _error(404, "endpoint not found")
        return await handler(request)

    # The workers' side.

    async def _take(self, request: web.Request) -> web.Response:
        endpoint, worker = request.match_info["endpoint"], request.match_info["worker"]
        count = int(request.query.get("batch_size", 1))
        self._workers.seen(worker)
        await self._jobs.until(
            lambda: bool(self._jobs.queued(endpoint)) and self._workers.accepts(worker), TAKE_SECONDS
        )
        # A worker that hung up while waiting must not get a job.
        if request.transport is None or request.transport.is_closing() or not self._workers.accepts(worker):
            return web.Response(status=204)
        taken = [job.handed_out() for job in self._jobs.take(endpoint, worker, count)]
        if not taken:
            return web.Response(status=204)
        return web.json_response(taken if "job-take-batch" in request.path else taken[0])

    async def _stop(self, request: web.Request) -> web.Response:
        worker = request.match_info["worker"]
        ids: list[str] = []

        def ready() -> bool:
            ids.extend(self._jobs.stops(worker))
            return bool(ids)

        await self._jobs.until(ready, TAKE_SECONDS)
        return web.json_response({"jobsToStop": ids}) if ids else web.Response(status=204)

    async def _done(self, request: web.Request) -> web.Response:
        text = await request.text()
        if len(text.encode()) > MAX_RESULT_BYTES:
            return _error(400, "result too large")
        try:
            body = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return _error(400, "result is not JSON")
        job = self._job(request)
        if job is None:
            return _error(404, "job not found")
        if body.get("stopPod"):
            self._workers.refresh(request.match_info["worker"])
        if job.worker != request.match_info["worker"]:
            return web.Response()  # a worker that was given up reports late; another has the job now
        if body.get("status") == "IN_PROGRESS":
            if job.status == "IN_PROGRESS":
                job.progress = body.get("output")
        elif body.get("error"):
            self._jobs.finish(job, "FAILED", output=body.get("output"), error=body["error"])
        else:
            self._jobs.finish(job, "COMPLETED", output=body.get("output"))
        return web.Response()

    async def _chunk(self, request: web.Request) -> web.Response:
        text = await request.text()
        if len(text.encode()) > MAX_PIECE_BYTES:
            return _error(400, "piece too large")
        try:
            piece = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return _error(400, "piece is not JSON")
        job = self._job(request)
        if job is None:
            return _error(404, "job not found")
        if job.worker == request.match_info["worker"] and job.status == "IN_PROGRESS":
            job.chunks.append(piece)
        return web.Response()

    async def _ping(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    # The clients' side.

    async def _run(self, request: web.Request) -> web.Response:
        body = await _submitted(request, MAX_RUN_BYTES)
        job = self._jobs.submit(request.match_info["endpoint"], body, sync=False)
        return web.json_response({"id": job.id, "status": job.status})

    async def _runsync(self, request: web.Request) -> web.Response:
        wait = request.query.get("wait", "90000")
        if not wait.isdigit() or not 1000 <= int(wait) <= 300_000:
            return _error(400, "wait must be from 1000 to 300000")
        body = await _submitted(request, MAX_RUNSYNC_BYTES)
        job = self._jobs.submit(request.match_info["endpoint"], body, sync=True)
        await self._jobs.until(lambda: job.ended is not None, int(wait) / 1000)
        return web.json_response(job.view())

    async def _status(self, request: web.Request) -> web.Response:
        job = self._job(request)
        return web.json_response(job.view()) if job else _error(404, "job not found")

    async def _stream(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job is None:
            return _error(404, "job not found")
        chunks, job.chunks = job.chunks, []
        return web.json_response({"status": job.status, "stream": chunks})

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job is None:
            return _error(404, "job not found")
        self._jobs.finish(job, "CANCELLED")
        return web.json_response({"id": job.id, "status": job.status})

    async def _retry(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job is None:
            return _error(404, "job not found")
        if job.status not in {"FAILED", "TIMED_OUT"}:
            return _error(400, "only FAILED and TIMED_OUT jobs can be retried")
        job.deliveries = 0
        self._jobs.requeue(job)
        return web.json_response({"id": job.id, "status": job.status})

    async def _purge(self, request: web.Request) -> web.Response:
        removed = self._jobs.purge(request.match_info["endpoint"])
        return web.json_response({"removed": removed, "status": "completed"})

    async def _health(self, request: web.Request) -> web.Response:
        endpoint = request.match_info["endpoint"]
        return web.json_response({"jobs": self._jobs.counts(endpoint), "workers": dict(self._workers.counts(endpoint))})

    def _job(self, request: web.Request) -> PlatformJob | None:
        job = self._jobs.get(request.match_info["job"])
        return job if job is not None and job.endpoint == request.match_info["endpoint"] else None


async def _submitted(request: web.Request, limit: int) -> dict[str, Any]:
    raw = await request.read()
    if len(raw) > limit:
        raise web.HTTPBadRequest(text=json.dumps({"error": f"payload is larger than {limit // 1_000_000} MB"}))
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or "input" not in body:
        raise web.HTTPBadRequest(text=json.dumps({"error": "the body must be a JSON object with an input"}))
    if not isinstance(body.get("webhook", ""), str):
        raise web.HTTPBadRequest(text=json.dumps({"error": "webhook must be a URL"}))
    return body


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


async def serve(app: web.Application, sock: socket.socket) -> web.AppRunner:
    """Serve on a bound socket; the runner is to be cleaned up."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    return runner
