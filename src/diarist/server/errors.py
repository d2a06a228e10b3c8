"""Errors as OpenAI's clients read them: ``{"error": {"message", "type", "param", "code"}}``, whatever went wrong."""

from __future__ import annotations

import logging
import math
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import Cancelled, DiaristError, InputError

if TYPE_CHECKING:
    from starlette.applications import Starlette

_LOG: Final = logging.getLogger("diarist.server")

LONGEST_PAUSE: Final = 30
"""Seconds that a client is told to wait at most; above 120, OpenAI's does not try again at all."""


class Busy(DiaristError):
    """The server has no room for this now (HTTP 429, or 503 while models load).

    Args:
        code: as in `DiaristError`.
        message: as in `DiaristError`.
        hint: as in `DiaristError`.
        retry_after: seconds until another try may help; None where it will not help for long, e.g. before tomorrow.
        http_status: the answer's.
    """

    http_status = 429

    def __init__(
        self, code: str, message: str, hint: str = "", *, retry_after: float | None = None, http_status: int = 429
    ) -> None:
        super().__init__(code, message, hint)
        self.retry_after = retry_after
        self.http_status = http_status  # type: ignore[misc]  # one instance may differ from its class


class DiskFullError(DiaristError):
    """What was sent cannot be kept: the disk is full or broken (HTTP 507)."""

    http_status = 507


def error_response(error: Exception, request_id: str = "") -> JSONResponse:
    """Answer with an error.

    A `DiaristError` says itself what happened. Of any other exception nothing is told: its text may hold anything.

    Args:
        error: what was raised.
        request_id: named in the answer's ``x-request-id``, if given.

    Returns:
        A response with `Retry-After` where waiting helps, and ``x-should-retry: false`` where trying again does not.
    """
    known = as_diarist(error)
    status = known.http_status
    headers = dict(getattr(error, "headers", None) or {})  # an HTTPException's, e.g. Allow
    pause = getattr(known, "retry_after", None)
    if pause is not None:
        headers["retry-after"] = str(min(max(math.ceil(pause), 1), LONGEST_PAUSE))
    elif status not in _WORTH_ANOTHER_TRY:
        headers["x-should-retry"] = "false"
    if request_id:
        headers["x-request-id"] = request_id
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_body(known), status_code=status, headers=headers)


def error_body(error: DiaristError) -> dict[str, Any]:
    """The document of an error, as OpenAI's clients read it."""
    body = {
        "message": " ".join(str(error).split()),
        "type": _type(error.http_status),
        "param": getattr(error, "field", None) or None,
        "code": error.code,
    }
    return {"error": body}


def as_diarist(error: Exception) -> DiaristError:
    """Turn whatever a route raised into an error of the tree: starlette's, FastAPI's, and what nobody foresaw."""
    if isinstance(error, DiaristError):
        return error
    if isinstance(error, ClientDisconnect):
        return Cancelled("The client left before its request was whole.")
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    return Unforeseen()


def note_unforeseen(error: BaseException, request_id: str) -> None:
    """Log what nobody foresaw: its kind and place, never its text, which may hold a key or somebody's words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    _LOG.error("%s: %s in %s", request_id or "no request", type(error).__name__, place)


def add_handlers(app: Starlette) -> None:
    """Make an application answer every error in this one shape, its own 404, 405 and failed validation included."""
    for kind in (DiaristError, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    if isinstance(as_diarist(error), Unforeseen):
        note_unforeseen(error, request_id)
        request.state.noted = error  # starlette raises it once more after the answer
    return error_response(error, request_id)


class Unforeseen(DiaristError):
    """What no part of the server expected (HTTP 500)."""

    def __init__(self) -> None:
        super().__init__(
            "internal_error",
            "The server failed at this request.",
            "Report it with the answer's x-request-id; the server's log has the place.",
        )


class _HTTPError(DiaristError):
    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.http_status = status  # type: ignore[misc]


def _of_http(error: HTTPException) -> DiaristError:
    match error.status_code:
        case 404:
            hint = "GET /docs lists the addresses of this server."
            return _HTTPError(404, "not_found", "There is nothing at this address.", hint)
        case 405:
            allowed = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow", "")
            hint = f"Use {allowed}." if allowed else ""
            return _HTTPError(405, "method_not_allowed", "This address does not take this method.", hint)
        case status:
            message = " ".join(str(error.detail).split())[:300]
            return _HTTPError(status, "bad_request" if status < 500 else "server_error", message)


def _of_validation(error: RequestValidationError) -> DiaristError:
    first: dict[str, Any] = next(iter(error.errors()), {})
    place = [str(part) for part in first.get("loc", ()) if part not in {"body", "query", "path", "header", "cookie"}]
    what = str(first.get("msg", "cannot be read"))[:200]  # pydantic's words, without the value
    field = ".".join(place)[:100]
    if not field or first.get("type") == "json_invalid":  # the place is a letter's number
        return InputError("bad_request", f"The request cannot be read: {what}.")
    return FieldError("bad_field", f"{field}: {what}.", field=field, http_status=400)


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


_WORTH_ANOTHER_TRY: Final = frozenset({408, 502, 504})
