"""RunPod's three architectures on one machine: a local control plane and real workers.

A development tool. It speaks RunPod's protocols well enough for the real SDK and our client, over the loopback
interface only; it does not know prices, regions, images or GPUs, and its queue is lost when it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal

import diarist
from diarist.architectures import (
    ARCHITECTURES,
    EMULATED_IDLE_TIMEOUT,
    MIN_WORKERS,
    QUEUE_DELAY,
    ROLES,
    ArchitectureName,
    EndpointScaling,
    RoleName,
    scaling_of,
)
from diarist.model.errors import InputError, WeightsError
from diarist.runpod.emulator.control_plane import ControlPlane, serve
from diarist.runpod.emulator.platform_jobs import PlatformJobs
from diarist.runpod.emulator.webhooks import WEBHOOK_PAUSE, Webhooks
from diarist.runpod.emulator.worker_pool import EndpointSpec, WorkerPool, WorkerProcess


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator. Made by `emulate`.

    Attributes:
        environ: what a client needs to find it: ids, key and address.
        url: of the control plane, ending in ``/v2``.
        jobs: the platform's jobs.
        pool: its workers.
        folder: where workers' logs are.
    """

    environ: Mapping[str, str]
    url: str
    jobs: PlatformJobs
    pool: WorkerPool
    folder: Path
    loop: asyncio.AbstractEventLoop

    @property
    def workers(self) -> tuple[WorkerProcess, ...]:
        """Workers that run now."""
        return self.pool.workers

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until every worker that should always run has asked for a job.

        Raises:
            WeightsError: a worker does not start; the message holds what it said.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            workers = self.pool.workers
            if workers and all(worker.ready is not None for worker in workers):
                return
            if any(worker.ready is None for worker in self.pool.past):
                break
            time.sleep(0.02)
        logs = sorted(self.folder.glob("*.log"))
        raise WeightsError("no_worker", "A worker does not start.", logs[-1].read_text()[-500:] if logs else "")


@contextmanager
def emulate(
    architecture: ArchitectureName,
    *,
    port: int = 0,
    min_workers: int = MIN_WORKERS,
    max_workers: int = 1,
    idle_timeout: float = EMULATED_IDLE_TIMEOUT,
    queue_delay: float = QUEUE_DELAY,
    handlers: Mapping[str, Path] | None = None,
    env: Mapping[str, str] | None = None,
    middlewares: tuple[Any, ...] = (),
    webhook_pause: float = WEBHOOK_PAUSE,
) -> Iterator[Emulator]:
    """Emulate one architecture until the block is left; then no process and no file of it remains.

    Args:
        architecture: what to emulate.
        port: on the loopback interface; 0 takes a free one.
        min_workers: per endpoint, kept running.
        max_workers: per leg; the orchestrator has as many as a deployment's.
        idle_timeout: seconds after which an idle worker is stopped; the orchestrator's at least after 60.
        queue_delay: seconds that a job may wait before another worker is started.
        handlers: files to run instead of diarist's own, by role.
        env: added to every worker's environment.
        middlewares: aiohttp middlewares in front of the control plane, e.g. to break its network in a test.
        webhook_pause: seconds before a webhook that failed is called again.

    Raises:
        InputError: the port is taken, or the handler files cannot be found.
    """
    scaling = scalings(architecture, min_workers=min_workers, max_workers=max_workers, idle_timeout=idle_timeout)
    files = {role: (handlers or {}).get(role) or _handler(role) for role in ARCHITECTURES[architecture].roles}
    with (
        tempfile.TemporaryDirectory(prefix="diarist-emulator-", ignore_cleanup_errors=True) as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(
            _running(
                architecture,
                port,
                files,
                scaling,
                queue_delay,
                dict(env or {}),
                middlewares,
                Path(folder),
                Webhooks(webhook_pause),
            )
        ) as emulator,
    ):
        yield emulator


def scalings(
    architecture: ArchitectureName, *, min_workers: int, max_workers: int, idle_timeout: float
) -> dict[RoleName, EndpointScaling]:
    """How the workers of each endpoint come and go: as a deployment's do."""
    return {
        role: scaling_of(role, min_workers=min_workers, max_workers=max_workers, idle_timeout=idle_timeout)
        for role in ARCHITECTURES[architecture].roles
    }


@asynccontextmanager
async def _running(
    architecture: ArchitectureName,
    port: int,
    files: Mapping[RoleName, Path],
    scaling: Mapping[RoleName, EndpointScaling],
    queue_delay: float,
    env: Mapping[str, str],
    middlewares: tuple[Any, ...],
    folder: Path,
    webhooks: Webhooks,
) -> AsyncIterator[Emulator]:
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise InputError("port_taken", f"Port {port} cannot be used: {error.strerror}.", "Choose another.") from None
    root = f"http://127.0.0.1:{listener.getsockname()[1]}"
    key = f"emulated-{secrets.token_hex(16)}"
    ids = {role: f"emulated-{role}" for role in files}
    shape = ARCHITECTURES[architecture]
    legs = {ROLES[leg].id_variable: ids[leg] for leg in shape.legs}
    own_env = {shape.front: {**legs, "DIARIST_RUNPOD_URL": f"{root}/v2", "CHILD_API_KEY": key}} if shape.front else {}
    specs = tuple(
        EndpointSpec(
            id=ids[role],
            handler=file.resolve(),
            env={**own_env.get(role, {}), **env},
            scaling=scaling[role],
            queue_delay=queue_delay,
        )
        for role, file in files.items()
    )
    jobs = PlatformJobs(webhooks.ended)
    pool = WorkerPool(jobs, specs, folder, key)
    runner = await serve(ControlPlane(jobs, pool, frozenset(ids.values()), key, middlewares).app, listener)
    scaler = asyncio.create_task(pool.run(root))
    found_by = {ROLES[shape.front].id_variable: ids[shape.front]} if shape.front else legs
    try:
        environ = {"RUNPOD_API_KEY": key, "DIARIST_RUNPOD_URL": f"{root}/v2", **found_by}
        yield Emulator(environ, f"{root}/v2", jobs, pool, folder, asyncio.get_running_loop())
    finally:
        scaler.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await scaler
        await webhooks.close()
        await runner.cleanup()


def _handler(role: RoleName) -> Path:
    """Find a handler file: beside the package's sources, or where the wheel put it."""
    places = (Path(diarist.__file__).parents[2], Path(diarist.__file__).parent / "runpod" / "handlers")
    name = ROLES[role].handler
    found = next((place / name for place in places if (place / name).is_file()), None)
    if found is None:
        raise InputError("no_handler", f"{name} is not installed.", "Install diarist again.")
    return found
