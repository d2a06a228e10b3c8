"""Text from outside on a terminal: names, words and messages are shown as they are and command nothing."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.text import Text

# Control characters, line and paragraph separators, halves of surrogate pairs (bytes of a name that are no UTF-8).
_COMMANDS = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Marks that turn the rest of a line around, whatever comes after the name that holds them.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str, keep: str = "") -> str:
    r"""Write what a terminal would obey as an escape: ``"a\x1b[2Jb"`` becomes ``"a\\x1b[2Jb"``.

    Args:
        text: anything from outside.
        keep: control characters to leave, e.g. newlines in a text of several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) if letter not in keep else letter for letter in text)


def _shown(letter: str) -> str:
    if letter in _TURNING or unicodedata.category(letter) in _COMMANDS:
        return letter.encode("unicode_escape").decode("ascii")
    return letter


def literal(text: str, style: str = "") -> Text:
    """Give rich a text that it takes letter by letter: no markup, no emoji codes, no control characters."""
    from rich.text import Text

    return Text(visible(text), style=style)


def say(text: str, *, err: bool = False) -> None:
    """Print lines: to a pipe exactly, to a terminal without what it would obey."""
    stream = sys.stderr if err else sys.stdout
    typer.echo(visible(text, keep="\n\t") if stream.isatty() else text, err=err)


def clock(seconds: float) -> str:
    """Give a time as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
