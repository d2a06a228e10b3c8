"""Nouns to JSON-ready values and back, without loss.

msgspec does the work: it validates against the dataclasses themselves, names the field at fault, and imports in
milliseconds (pydantic, which would need a second set of classes, takes 0.1 s).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from diarist.model.errors import InputError

T = TypeVar("T")


def dump(noun: object) -> dict[str, Any]:
    """Turn a noun into dicts, lists, strings (base64 for bytes) and numbers. Every field is there, None if unknown."""
    return msgspec.to_builtins(noun)  # type: ignore[no-any-return]


def load(cls: type[T], value: Mapping[str, Any]) -> T:
    """Make a noun from what `dump` gave.

    Raises:
        InputError: a field is missing, has the wrong type or a refused value; the message names the field.
    """
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        raise InputError("bad_document", f"Not a valid {cls.__name__}: {error}.", http_status=422) from error
