"""How long work reports on itself, and how it is stopped."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Progress(Protocol):
    """Called often during long work, from any thread.

    It is also the point of cancellation: raise `diarist.model.errors.Cancelled` from it and the work stops there.
    """

    def __call__(self, stage: str, done: float) -> None:
        """Report that ``stage`` (e.g. ``"transcription"``) is ``done`` (0 to 1) finished."""


@runtime_checkable
class PausingProgress(Progress, Protocol):
    """Progress whose calls may wait, so that other work goes first."""

    def stop(self) -> None:
        """Let none wait any longer: the work is over, and each call raises `diarist.model.errors.Cancelled`."""


def ignore(stage: str, done: float) -> None:
    """Report nothing."""
