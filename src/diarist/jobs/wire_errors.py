"""How errors cross the wire: as one JSON string, for where a worker returns an object the platform loses the output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from diarist.model.errors import Cancelled, DiaristError, EndpointError, EngineError, InputError, WeightsError


class FieldError(InputError):
    """A job's field is at fault.

    Attributes:
        field: its name.
    """

    def __init__(self, code: str, message: str, hint: str = "", *, field: str, http_status: int = 422) -> None:
        super().__init__(code, message, hint, http_status=http_status)
        self.field = field


def write_error(error: DiaristError) -> str:
    """Write an error as the JSON string that a worker returns: code, message, hint, and the field at fault."""
    field = getattr(error, "field", None)
    body = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "status": error.http_status,
        **({"field": field} if field else {}),
    }
    return json.dumps(body, ensure_ascii=False)


def read_error(text: object, endpoint: str) -> DiaristError:
    """Turn a failed job's ``error`` back into the exception that the worker raised.

    Args:
        text: as the platform returned it; ours, the SDK's own JSON, or anything.
        endpoint: named in errors that are not ours.
    """
    body: object = text
    if isinstance(text, str):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = text
    if not isinstance(body, Mapping):
        return EndpointError("endpoint_failed", f"{endpoint} failed: {_line(body) or 'no reason given'}.")
    if "code" not in body:
        message = body.get("error_message") or body.get("message") or body
        return EndpointError("endpoint_failed", f"{endpoint} failed: {_line(message)}.")
    code, message, hint = (_line(body.get(key, "")) for key in ("code", "message", "hint"))
    message = message or f"{endpoint} failed: {code or 'no reason given'}."
    status = body.get("status")
    status = status if isinstance(status, int) else 502
    match status:
        case 499:
            return Cancelled()
        case 503:
            return WeightsError(code, message, hint)
        case 500:
            return EngineError(code, message, hint)
        case _ if 400 <= status < 500:
            if body.get("field"):
                return FieldError(code, message, hint, field=_line(body["field"]), http_status=status)
            return InputError(code, message, hint, http_status=status)
    return EndpointError(code, message, hint, http_status=status)


def _line(value: Any) -> str:
    """Fit for one line of a message."""
    try:
        return " ".join(str(value).split())[:500]
    except RecursionError:
        return "something nested without end"
