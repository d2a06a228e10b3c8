"""What a form says, field by field, however a client spells lists, flags and numbers.

Clients send ``x``, ``x[]`` and ``x[0]``, lists as JSON, and objects as ``x[key]`` or as JSON. FastAPI's forms and
pydantic were rejected: they know one spelling of a field, and take an empty value for a wrong one.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from diarist.jobs.request import shown
from diarist.jobs.wire_errors import FieldError
from diarist.model.codec import is_whole

Pairs = Sequence[tuple[str, str]]
"""Names and values in the order in which they came, of a form or a query."""

MAX_FIELDS: Final = 1000
MAX_TEXT: Final = 1000
"""Characters of a value, unless a field takes more."""

_KEY: Final = re.compile(r"([^\[\]]{1,100})((?:\[[^\[\]]{0,100}\])?)")
_YES: Final = frozenset({"true", "1", "yes", "y", "on", "t"})
_NO: Final = frozenset({"false", "0", "no", "n", "off", "f"})
_MOST: Final = 1e9
_NOTHING: Final = frozenset({"none", "null", "undefined", "nil"})
"""How programs write a value that they do not have."""


class Said:
    """The fields of a request. Each is taken by its name; `finish` refuses those that nobody took.

    An empty value is an absent one.

    Args:
        pairs: as they came.

    Raises:
        FieldError: there are too many, or a text holds half a character.
    """

    def __init__(self, pairs: Pairs) -> None:
        if len(pairs) > MAX_FIELDS:
            raise refused("fields", f"The request has {len(pairs)} fields.", f"Send {MAX_FIELDS} at most.")
        self._said: dict[str, list[tuple[str, str]]] = {}
        self._taken: dict[str, None] = {}
        for key, value in pairs:
            if not is_whole((key, value)):
                raise refused(shown(key.encode(errors="replace").decode()), "A field holds half a character.")
            found = _KEY.fullmatch(key.strip())
            name, inside = (found[1], found[2]) if found else (key, "")
            if value.strip():
                self._said.setdefault(name, []).append((inside, value))

    def has(self, name: str) -> bool:
        """Whether a field was sent with a value."""
        return name in self._said

    def text(self, name: str, most: int = MAX_TEXT) -> str | None:
        """Take a text.

        Raises:
            FieldError: it has more than ``most`` characters, or several values.
        """
        values = {value.strip() for value in self._plain(name, most)}
        if len(values) > 1:
            raise refused(name, "It has several values.", "Send one.")
        return next(iter(values), None)

    def flag(self, *names: str) -> bool | None:
        """Take a yes or no that goes by one of several names.

        Raises:
            FieldError: it is neither, or both.
        """
        found: dict[bool, str] = {}
        for name in names:
            for value in self._plain(name, MAX_TEXT):
                text = value.strip().casefold()
                if text in _YES | _NO:
                    found[text in _YES] = name
                elif text not in _NOTHING:
                    raise refused(name, f"It is {shown(value)!r}, which is neither yes nor no.", "Send true or false.")
        if len(found) > 1:
            raise refused(found[False], "It is sent twice, once as yes and once as no.", "Send one.")
        return next(iter(found), None)

    def number(self, name: str) -> float | None:
        """Take a finite number.

        Raises:
            FieldError: it is none.
        """
        text = self._known(name)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise refused(name, f"It is {shown(text)!r}, which is no number.")
        return number

    def whole(self, name: str) -> int | None:
        """Take a whole number.

        Raises:
            FieldError: it is none.
        """
        number = self.number(name)
        if number is None:
            return None
        if number != int(number) or abs(number) > _MOST:
            raise refused(name, f"It is {number:g}, which is no whole number to count with.")
        return int(number)

    def choice(self, name: str, among: Sequence[str], usual: str) -> str:
        """Take one of several words, in any case.

        Raises:
            FieldError: it is another.
        """
        text = self._known(name)
        if text is None:
            return usual
        if text.casefold() not in among:
            raise refused(
                name, f"It cannot be {shown(text)!r}.", near(text, among, f"Choose from: {', '.join(among)}.")
            )
        return text.casefold()

    def listed(self, name: str, *, most: int = MAX_TEXT, commas: bool = False) -> list[str]:
        """Take a list: ``x`` or ``x[]`` again and again, ``x[0]`` and so on, or one JSON list.

        Args:
            name: without brackets.
            most: characters of an entry.
            commas: whether a comma ends an entry.

        Raises:
            FieldError: an entry is too long, or is no text.
        """
        self._taken[name] = None
        found: list[str] = []
        for place, (inside, value) in enumerate(self._in_order(name)):
            if inside not in ("", "[]") and not re.fullmatch(r"\[\d{1,4}\]", inside):
                raise refused(name + inside, "It is a list, not an object.", f"Send {name}[] once for each.")
            if len(value) > most and not value.lstrip().startswith("["):
                raise refused(f"{name}[{place}]", f"It has {len(value)} characters; {most} are taken.")
            entries = _json_list(value)
            if entries is None:
                found += re.split(r"[,;\n]", value) if commas else [value]
            else:
                found += entries
        listed = [entry.strip() for entry in found if entry.strip()]
        for place, entry in enumerate(listed):
            if len(entry) > most:
                raise refused(f"{name}[{place}]", f"It has {len(entry)} characters; {most} are taken.")
        return listed

    def parts(self, name: str) -> str | Mapping[str, Any] | None:
        """Take a word or an object: ``x=auto``, JSON, or ``x[key]`` for each of its values.

        Raises:
            FieldError: it is several things, or a list.
        """
        self._taken[name] = None
        said = self._said.get(name, [])
        if not said:
            return None
        if all(len(inside) > 2 for inside, _ in said):
            return {inside[1:-1]: value for inside, value in said}
        text = self.text(name)
        if text is None or text.casefold() in _NOTHING:
            return None
        if not text.startswith(("{", "[", '"')):
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise refused(name, "It is not JSON.") from None
        if not isinstance(value, (str, dict)):
            raise refused(name, "It is a list, not an object.")
        return value

    def hint(self, name: str, most: int = 100_000) -> bool:
        """Take a field that changes nothing here; whether it was sent."""
        values = self._plain(name, most)
        return bool(values)

    def finish(self) -> None:
        """Refuse what nobody took.

        Raises:
            FieldError: by its name, with the one that is near.
        """
        for name in self._said:
            if name not in self._taken:
                known = sorted(self._taken)
                raise FieldError(
                    "unknown_field",
                    f"There is no field {shown(name)!r}.",
                    near(name, known, f"Known fields: {', '.join(known)}."),
                    field=shown(name) or "?",
                    http_status=400,
                )

    def _plain(self, name: str, most: int) -> list[str]:
        self._taken[name] = None
        values = self._said.get(name, [])
        for inside, value in values:
            if inside not in ("", "[]"):
                raise refused(name + inside, "It takes one value, not an object.")
            if len(value) > most:
                raise refused(name, f"It has {len(value)} characters; {most} are taken.")
        return [value for _, value in values]

    def _known(self, name: str) -> str | None:
        text = self.text(name)
        return None if text is None or text.casefold() in _NOTHING else text

    def _in_order(self, name: str) -> list[tuple[str, str]]:
        said = self._said.get(name, [])
        return sorted(said, key=lambda each: int(each[0][1:-1])) if _all_numbered(said) else said


def refused(field: str, problem: str, hint: str = "", *, code: str = "bad_field", http_status: int = 400) -> FieldError:
    """Return the error for a field: its name and what is wrong with it."""
    named = shown(field) or "?"
    return FieldError(code, f"{named!r} is wrong. {problem}", hint, field=named, http_status=http_status)


def near(text: str, among: Sequence[str], otherwise: str) -> str:
    """Return ``Did you mean …?`` where one is near, with or without what else to say."""
    close = difflib.get_close_matches(shown(text).casefold(), among, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else otherwise


def flattened(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write a JSON body as the fields of a form: lists as ``x[]``, objects as ``x[key]``, null as nothing.

    Raises:
        FieldError: a value is nested deeper.
    """
    return [pair for name, value in document.items() for pair in _flat(name, value)]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        items: list[tuple[str, Any]] = [(f"{name}[{key}]", part) for key, part in value.items()]
    elif isinstance(value, list):
        items = [(f"{name}[]", part) for part in value]
    else:
        items = [(name, value)]
    for key, part in items:
        match part:
            case None:
                continue
            case bool():
                yield key, "true" if part else "false"
            case int() | float() | str():
                yield key, str(part)
            case _:
                raise refused(shown(name), "It is nested too deep.")


def _all_numbered(said: Sequence[tuple[str, str]]) -> bool:
    return all(re.fullmatch(r"\[\d{1,4}\]", inside) for inside, _ in said)


def _json_list(text: str) -> list[str] | None:
    """The entries of a JSON list of texts; None where it is none."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(entry, str) for entry in value) else None
