"""What routes find at hand: the desk, the models and the folders of a server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast
from weakref import WeakValueDictionary

import anyio

from diarist.audio.url_rules import UrlRules
from diarist.server.desk import Desk
from diarist.server.disk import Disk
from diarist.server.errors import Busy
from diarist.server.forms import FormBounds
from diarist.server.metrics import Metrics
from diarist.server.models import Models

if TYPE_CHECKING:
    from fastapi import Request


@dataclass(slots=True)
class Loading:
    """How far the engines are.

    Attributes:
        stage: what is being done.
        done: share of it, 0 to 1.
        ready: whether requests can be answered.
    """

    stage: str = "starting"
    done: float = 0.0
    ready: bool = False


@dataclass(slots=True)
class House:
    """The parts of a server.

    Attributes:
        desk: takes work.
        state: the folder of all that is kept.
        metrics: what is counted.
        disk: holds what is kept within its bound.
        form_bounds: what a form may hold.
        webhook_rules: what may be called when a job ends.
        signs_webhooks: whether the server signs calls of jobs that brought no secret.
        loading: how far the engines are.
        thinking: for threads that compute for a moment beside the engines.
        decoding: for those that decode for ears: one at a time, since all samples are in memory meanwhile.
        learning: for voices that are learnt.
        making: a lock for each file that is being made.
    """

    desk: Desk
    state: Path
    metrics: Metrics
    disk: Disk
    form_bounds: FormBounds = field(default_factory=FormBounds)
    webhook_rules: UrlRules = field(default_factory=UrlRules)
    signs_webhooks: bool = False
    loading: Loading = field(default_factory=Loading)
    thinking: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(2))
    decoding: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    learning: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    making: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _models: Models | None = None

    @property
    def models(self) -> Models:
        """The models, by all their names.

        Raises:
            Busy: they are not loaded yet.
        """
        if self._models is None:
            raise Busy(
                "loading", "The models are still loading.", "GET /health says how far.", retry_after=5, http_status=503
            )
        return self._models

    @models.setter
    def models(self, models: Models) -> None:
        self._models = models

    @property
    def uploads(self) -> Path:
        """Where forms are written while they come."""
        return self.state / "uploads"


def house_of(request: Request) -> House:
    """The house that a request came to."""
    return cast("House", request.app.state.house)
