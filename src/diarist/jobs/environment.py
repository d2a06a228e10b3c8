"""Settings that a worker reads from its environment."""

from __future__ import annotations

from collections.abc import Mapping

from diarist.model.errors import InputError


def number(env: Mapping[str, str], name: str, default: float) -> float:
    """Read a number; ``default`` where it is not set or empty.

    Raises:
        InputError: it is set to something else.
    """
    text = env.get(name)
    try:
        return float(text) if text else default
    except ValueError:
        raise InputError("bad_setting", f"{name} must be a number, not {text!r}.") from None
