"""The one error tree. Faces (CLI, HTTP, RunPod) translate it; nobody else formats errors."""

from __future__ import annotations

import copyreg
from typing import Any, ClassVar


class DiaristError(Exception):
    """Something a user can act on: what happened, and what to do next.

    Attributes:
        code: stable, machine-readable reason, e.g. ``"audio_not_found"``.
        message: one line saying what happened; never a secret, never transcript text.
        hint: one line saying what to do next; may be empty.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own would call the class with the message alone, which no class of this tree takes: an error in a
        # process pool would then hang or hide what happened.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class InputError(DiaristError, ValueError):
    """The recording or an option is at fault (exit 2, HTTP 400 unless ``http_status`` says 413, 415 or 422)."""

    exit_code = 2
    http_status = 400

    def __init__(self, code: str, message: str, hint: str = "", *, http_status: int = 400) -> None:
        super().__init__(code, message, hint)
        self.http_status = http_status  # type: ignore[misc]  # one instance may be narrower than its class


class WeightsError(DiaristError):
    """Model files are missing, damaged or refused (exit 3, HTTP 503)."""

    exit_code = 3
    http_status = 503


class EngineError(DiaristError):
    """A model failed while running (exit 4, HTTP 500)."""

    exit_code = 4
    http_status = 500


class EndpointError(DiaristError):
    """A remote endpoint failed or timed out (exit 5, HTTP 502, or 504 for a timeout)."""

    exit_code = 5
    http_status = 502

    def __init__(self, code: str, message: str, hint: str = "", *, http_status: int = 502) -> None:
        super().__init__(code, message, hint)
        self.http_status = http_status  # type: ignore[misc]


class Cancelled(DiaristError):
    """The user, or the caller of a job, stopped the work (exit 130, HTTP 499)."""

    exit_code = 130
    http_status = 499

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__("cancelled", message)
