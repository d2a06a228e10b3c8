"""Times as people type them."""

from __future__ import annotations

import re

from diarist.model.errors import InputError

_HINT = "Write seconds, minutes or hours: 90, 1:30 or 0:01:30.5."


def parse_time(text: str, option: str) -> float:
    """Return the seconds that ``90``, ``1:30`` or ``0:01:30.5`` say.

    Args:
        text: what was typed.
        option: after which it was, for the error.

    Raises:
        InputError: ``text`` is no such time.
    """
    found = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7}(?:\.\d{1,9})?)", text.strip(), re.ASCII)
    if not found:
        raise InputError("bad_time", f"{option} takes a time, not {text!r}.", _HINT)
    hours, minutes, seconds = found.groups()
    if minutes is not None and float(seconds) >= 60:
        raise InputError("bad_time", f"{option}: {text!r} has more than 59 seconds beside its minutes.", _HINT)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
