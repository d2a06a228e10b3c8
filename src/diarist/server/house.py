"""What routes find at hand: the desk, the models and the folders of a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from diarist.server.desk import Desk
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
        form_bounds: what a form may hold.
        loading: how far the engines are.
    """

    desk: Desk
    state: Path
    metrics: Metrics
    form_bounds: FormBounds = field(default_factory=FormBounds)
    loading: Loading = field(default_factory=Loading)
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
