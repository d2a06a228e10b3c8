"""Times as people type them."""

from __future__ import annotations

import re


def parse_time(text: str) -> float:
    """Return the seconds that ``90``, ``1:30`` or ``0:01:30.5`` say.

    Raises:
        ValueError: ``text`` is no such time.
    """
    found = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7}(?:\.\d{1,9})?)", text.strip(), re.ASCII)
    if not found:
        raise ValueError(f"{text!r} is no time: write 90, 1:30 or 0:01:30.5")
    hours, minutes, seconds = found.groups()
    if minutes is not None and float(seconds) >= 60:
        raise ValueError(f"{text!r} has more than 59 seconds beside its minutes")
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
