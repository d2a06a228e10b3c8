"""The application: routes, the door around them, and what begins and ends with the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp

from diarist import __version__
from diarist.audio.decode import MAX_SECONDS
from diarist.audio.url_rules import UrlRules
from diarist.jobs.job import Keep
from diarist.jobs.sqlite_store import SQLiteJobStore
from diarist.model.errors import DiaristError, EngineError
from diarist.model.progress import Progress
from diarist.pipelines.base import Pipeline
from diarist.pipelines.local import LocalPipeline
from diarist.server import asr, docs, health, jobs, openai, page, sounds, transcripts, voices, webhooks
from diarist.server.admission import Admission, Bounds
from diarist.server.description import described
from diarist.server.desk import Desk
from diarist.server.disk import Disk
from diarist.server.errors import add_handlers, note_unforeseen
from diarist.server.forms import FormBounds
from diarist.server.house import House
from diarist.server.keys import Caller, Keys
from diarist.server.metrics import Metrics
from diarist.server.models import Model, Models
from diarist.server.opening import DeskBounds
from diarist.server.uploads import sweep
from diarist.server.work import Workshop

log = logging.getLogger("diarist.server")

OPEN_PATHS: Final = ("/health", "/ping", *docs.OPEN_PATHS)
_JOBS: Final = "/v1/jobs"
_WORK: Final = ("/v1/audio/", "/asr", "/detect-language", "/openai/deployments/")

_PAUSE_SECONDS: Final = 1.0

Open = Callable[[Progress], Pipeline]
"""Makes the pipeline, which may take minutes; told how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server behaves.

    Attributes:
        state: folder of all that is kept.
        use_keys: whether callers need one.
        hosts: names that this server is called by.
        origins: pages of other sites that may ask.
        aliases: more names of models.
        max_bytes: the largest upload.
        max_seconds: the longest recording.
        keep: for how long things are kept.
        bounds: how much work is taken in.
        rules: what URLs of recordings may reach, and webhooks.
        webhook_secret: signs webhooks of jobs that brought no secret.
        disk_bytes: what all that is kept may take; None for no bound.
        unload_after: seconds without work after which the engines give their memory back; None: never.
    """

    state: Path
    use_keys: bool = False
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    aliases: dict[str, str] = field(default_factory=dict)
    max_bytes: int = 4 << 30
    max_seconds: float = MAX_SECONDS
    keep: Keep = field(default_factory=Keep)
    bounds: DeskBounds = field(default_factory=DeskBounds)
    rules: UrlRules = field(default_factory=UrlRules)
    webhook_secret: str = field(default="", repr=False)
    disk_bytes: int | None = None
    unload_after: float | None = None


class Server:
    """A server that is ready to be run by uvicorn.

    Args:
        settings: how it behaves.
        open_pipeline: makes the engines, once the server answers.
        failed: called where that fails, with the reason: nothing can be done then.

    Attributes:
        app: the ASGI application.
        house: its parts.
    """

    def __init__(
        self, settings: Settings, open_pipeline: Open, *, failed: Callable[[DiaristError], None] = lambda _: None
    ) -> None:
        self._settings = settings
        self._open = open_pipeline
        self._failed = failed
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        metrics = Metrics()
        store = SQLiteJobStore(settings.state / "jobs.db", keep=settings.keep)
        desk = Desk(store, settings.state / "audio", bounds=settings.bounds, audience=metrics)
        self.house = House(
            desk,
            settings.state,
            metrics,
            Disk(settings.state, desk, settings.disk_bytes),
            FormBounds(total_bytes=settings.max_bytes),
            webhook_rules=settings.rules,
            signs_webhooks=bool(settings.webhook_secret),
        )
        self._caller = webhooks.Caller(store, settings.rules, settings.webhook_secret)
        inner = _Application(
            title="diarist",
            version=__version__,
            summary="Who said what, and when",
            docs_url=None,
            redoc_url=None,
            lifespan=self._lifespan,
        )
        inner.state.house = self.house
        for room in (openai, asr, jobs, transcripts, sounds, voices, health, docs, page):
            inner.include_router(room.router)
        add_handlers(inner)
        self.app: ASGIApp = Admission(
            inner,
            hosts=settings.hosts,
            origins=settings.origins,
            keys=Keys(settings.state) if settings.use_keys else None,
            room=self._room,
            bounds=Bounds(form_bytes=settings.max_bytes),
            open_paths=(*OPEN_PATHS, *page.OPEN_PATHS),
        )

    async def _room(self, caller: Caller, path: str) -> None:
        if path == _JOBS or path.startswith(_WORK):
            await self.house.desk.room(caller)
            await self.house.disk.room()

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        sweep(self.house.uploads)
        # Legs of open jobs hold a thread each while it is another's turn; asyncio's own pool has few.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64, "diarist-serve"))
        async with anyio.create_task_group() as group:
            group.start_soon(self._load)
            for work in (self.house.desk.run, self.house.disk.run, self._caller.run):
                group.start_soon(_on_and_on, work)
            yield
            group.cancel_scope.cancel()
        if self.house.desk.workshop is not None:
            self.house.desk.workshop.close()
        self.house.desk.store.close()

    def stop(self) -> None:
        """Take no more work, and tell those who wait to come again; for when the server is told to end."""
        self.house.desk.stop()

    async def _load(self) -> None:
        loading = self.house.loading

        def report(stage: str, done: float) -> None:
            loading.stage, loading.done = stage, done

        def ready() -> tuple[Workshop, list[Model], str]:
            settings = self._settings
            workshop = Workshop(
                lambda: self._open(report),
                max_seconds=settings.max_seconds,
                rules=settings.rules,
                unload_after=settings.unload_after,
            )
            report("warm-up", 0.0)
            workshop.warm_up()
            with workshop.engines.use() as pipeline:
                return workshop, loaded_models(pipeline), revision(pipeline)

        try:
            workshop, models, means = await anyio.to_thread.run_sync(ready, abandon_on_cancel=True)
            self.house.models = Models(models, self._settings.aliases)
        except DiaristError as error:
            self._failed(error)
            return
        except Exception as error:  # noqa: BLE001 - engines may be anybody's
            note_unforeseen(error, "loading")
            hint = "Report it to whoever made the engines; the log has the place."
            self._failed(EngineError("not_loaded", f"The engines cannot be loaded: {type(error).__name__}.", hint))
            return
        await self.house.desk.begin(workshop, means)
        loading.stage, loading.done, loading.ready = "ready", 1.0, True
        log.info("ready")


class _Application(FastAPI):
    _described: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        if self._described is None:
            self._described = described(super().openapi())
        return self._described


async def _on_and_on(work: Callable[[], Awaitable[None]]) -> None:
    """Have work done beside the answers; what it cannot foresee ends neither it nor the server."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001
            note_unforeseen(error, "beside the answers")
            await anyio.sleep(_PAUSE_SECONDS)
        else:
            return


def loaded_models(pipeline: Pipeline) -> list[Model]:
    """The transcription models that a pipeline has; of one elsewhere, nothing is known but that it is there."""
    if isinstance(pipeline, LocalPipeline):
        return [Model(name=pipeline.transcriber.model.name)]
    return [Model(name="diarist")]


def revision(pipeline: Pipeline) -> str:
    """What decides a result besides the request: versions and models."""
    if isinstance(pipeline, LocalPipeline):
        engines = (pipeline.transcriber, pipeline.diarizer)
        return f"{__version__} " + " ".join(repr(engine.model) for engine in engines if engine is not None)
    return f"{__version__} {type(pipeline).__name__}"
