"""Nouns to JSON-ready values and back, without loss.

msgspec does the work: it validates against the dataclasses themselves, names the field at fault, and imports in
milliseconds (pydantic, which would need a second set of classes, takes 0.1 s).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from diarist.model.errors import InputError
from diarist.model.scores import packed, unpacked

T = TypeVar("T")


def dump(noun: object) -> dict[str, Any]:
    """Turn a noun into dicts, lists, strings (base64 for bytes) and numbers. Every field is there, None if unknown.

    Speaker scores, which only a diarization has, are packed; see `diarist.model.scores`.
    """
    document: dict[str, Any] = msgspec.to_builtins(noun)
    if isinstance(document, dict) and isinstance(scores := document.get("scores"), dict):
        document["scores"] = packed(scores)
    return document


def digest(noun: object) -> str:
    """The SHA-256 of what a noun says, in hexadecimal: equal for equal results, wherever and however fast they came.

    ``timings`` and ``place`` do not count: no two runs take the same time, and where one ran changes nothing else.
    """
    document = {name: value for name, value in dump(noun).items() if name not in ("timings", "place")}
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def load(cls: type[T], value: Mapping[str, Any]) -> T:
    """Make a noun from what `dump` gave.

    Raises:
        InputError: a field is missing, has the wrong type or a refused value, and the message names the field; or a
            text holds half a character.
    """
    if not is_whole(value):
        raise InputError("bad_document", f"Not a valid {_name(cls)}: a text holds half a character.", http_status=422)
    try:
        if isinstance(value, Mapping) and isinstance(scores := value.get("scores"), Mapping):
            value = {**value, "scores": unpacked(scores)}
        return msgspec.convert(value, cls)
    except (msgspec.ValidationError, ValueError) as error:
        raise _invalid(cls, error) from error


def read(cls: type[T], data: bytes, *, called: str = "") -> T:
    """Make a noun from a JSON document that anybody may have written, in UTF-8, UTF-16 or UTF-32.

    A byte order mark, as Windows programs put it, does no harm. Only what ``cls`` has is made: a document of another
    kind costs no memory beyond its own bytes, however deep it is. Numbers are finite and texts are whole characters.

    Args:
        cls: what to make.
        data: the document.
        called: what messages call it, if not by the name of ``cls``.

    Raises:
        InputError: it is no JSON (``"not_json"``), or a field is missing, has the wrong type or a refused value
            (``"bad_document"``; the message names the field).
    """
    try:
        if (encoding := json.detect_encoding(data)) != "utf-8":
            data = data.decode(encoding).encode()
        return msgspec.json.decode(data, type=cls)
    except msgspec.ValidationError as error:
        raise _invalid(cls, error, called) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else "it is not JSON"
        raise InputError("not_json", f"Not a valid {called or _name(cls)}: {reason}.", http_status=422) from error


def is_whole(value: object) -> bool:
    r"""Whether all texts of a JSON-ready value are whole characters, and it is not nested without end.

    JSON can name half of a pair, as in ``"\ud800"``. Python reads it, and then no file or terminal can take it.
    """
    try:
        msgspec.json.encode(value)
    except (UnicodeError, RecursionError):
        return False
    return True


def _invalid(cls: type, error: Exception, called: str = "") -> InputError:
    # It may quote what it found, which may be of any length and in many lines.
    said, at, place = str(error).partition(" - at `$")
    said = re.sub(r"^(Invalid enum value) .*", r"\1", said, flags=re.DOTALL)[:200]
    said = "".join(mark if mark.isprintable() else " " for mark in said)
    return InputError("bad_document", f"Not a valid {called or _name(cls)}: {said}{at}{place}.", http_status=422)


def _name(cls: type) -> str:
    return getattr(cls, "__name__", "document").lstrip("_")
