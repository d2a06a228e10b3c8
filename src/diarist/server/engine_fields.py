"""Fields that tell the engines something: the language, words to expect, chance, and how many speak."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from diarist.jobs.request import shown
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.languages import language_code
from diarist.model.options import MAX_HOTWORD_LENGTH, MAX_HOTWORDS, Options
from diarist.server.models import Model
from diarist.server.said import Said, near, refused

COUNTS: Final = ("num_speakers", "min_speakers", "max_speakers")


def counts(said: Said) -> dict[str, int | None]:
    """Take what is known about the number of speakers."""
    return {name: said.whole(name) for name in COUNTS}


def language(said: Said) -> str | None:
    """Take ``language``, or ``languages`` where it is one; None to have it detected.

    Raises:
        FieldError: no model here knows it, or there are several.
    """
    one = said.text("language", most=100)
    several = said.listed("languages", most=100, commas=True)
    if one is not None and several:
        raise refused("languages", "It cannot be combined with language.", "Send one of the two.")
    codes = {_code("languages", text) for text in several}
    if len(codes) > 1:
        raise refused(
            "languages",
            "The models here cannot choose among several.",
            "Give one as language, or none to have it detected.",
        )
    if several:
        return codes.pop()
    return None if one is None or one.casefold() in ("none", "null", "undefined") else _code("language", one)


def _code(field: str, text: str) -> str | None:
    try:
        return language_code(text)
    except InputError as error:
        said = f"No model here knows a language {shown(text)!r}."
        raise FieldError(error.code, said, error.hint, field=field, http_status=400) from None


def hotwords(said: Said, model: Model, ignored: list[str]) -> tuple[str, ...]:
    """Take ``hotwords``, also as one text with commas, and ``keywords``.

    Args:
        said: the fields.
        model: whether it has them.
        ignored: is told what was taken and does nothing.

    Raises:
        FieldError: one is no word or phrase, or there are too many.
    """
    found: dict[str, None] = {}
    for field in ("hotwords", "keywords"):
        # A keyword is one entry of a list; hotwords also come as one text.
        phrases = said.listed(field, most=100_000, commas=field == "hotwords")
        for place, phrase in enumerate(phrases):
            if len(phrase) > MAX_HOTWORD_LENGTH or not phrase.isprintable() or "<" in phrase or ">" in phrase:
                raise refused(
                    f"{field}[{place}]",
                    f"It is from 1 to {MAX_HOTWORD_LENGTH} characters in one line, without < and >.",
                    "Give words and short phrases, each by itself.",
                )
        found |= dict.fromkeys(phrases)
        if len(found) > MAX_HOTWORDS:
            raise refused(field, f"There are {len(found)} words and phrases; {MAX_HOTWORDS} are taken.")
        if phrases and "hotwords" not in model.takes:
            ignored.append(field)
    return tuple(found) if "hotwords" in model.takes else ()


def temperature(said: Said, model: Model, ignored: list[str]) -> float | None:
    """Take ``temperature``; None for 0, which is the same.

    Raises:
        FieldError: it is not from 0 to 1.
    """
    value = said.number("temperature")
    if value is not None and not 0 <= value <= 1:
        raise refused("temperature", f"It is from 0 to 1, not {value:g}.", code="bad_temperature")
    if not value:
        return None
    if "temperature" in model.takes:
        return value
    ignored.append("temperature")
    return None


def chunking(said: Said, ignored: list[str]) -> None:
    """Take ``chunking_strategy``: long recordings are always cut where nobody speaks, which is what ``auto`` says.

    Raises:
        FieldError: it is nothing that the API has.
    """
    name = "chunking_strategy"
    given = said.parts(name)
    if given is None or (isinstance(given, str) and given.casefold() == "auto"):
        return
    parts: Mapping[str, Any] = given if isinstance(given, Mapping) else {"type": given}
    kind = str(parts.get("type", "")).strip().casefold()
    if kind not in ("auto", "server_vad"):
        raise refused(name, f"It cannot be {shown(kind)!r}.", "Send auto, or an object of the type server_vad.")
    for part, value in parts.items():
        if part == "type":
            continue
        if part not in _VAD:
            raise refused(
                f"{name}[{shown(part)}]", "There is no such part.", near(part, _VAD, f"Known: {', '.join(_VAD)}.")
            )
        if not re.fullmatch(r"\d{1,9}(\.\d{0,20})?", str(value)):
            raise refused(f"{name}[{part}]", f"It is {shown(str(value))!r}, which is no number from 0.")
    if kind == "server_vad":
        ignored.append(name)


_VAD: Final = ("prefix_padding_ms", "silence_duration_ms", "threshold")


def options(**asked: Any) -> Options:
    """Make `Options`.

    Raises:
        FieldError: they contradict each other.
    """
    try:
        return Options(**asked)
    except InputError as error:
        named = next((name for name in COUNTS if name in error.message), "diarize")
        raise FieldError(error.code, error.message, error.hint, field=named, http_status=400) from None
