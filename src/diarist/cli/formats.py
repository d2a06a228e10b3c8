"""``diarist formats``: what a transcript can be written as."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from diarist.cli.terminal import say
from diarist.formats import FORMATS


def formats(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False) -> None:
    """List the formats a transcript can be written in.

    On a terminal a table; piped, one line per format with tabs between name, extension and use.

    Example:
      diarist transcribe call.mp3 -f srt -f docx -o transcripts/
    """
    rows = [(name, form.extension, form.summary) for name, form in FORMATS.items()]
    if as_json:
        keys = ("name", "extension", "summary")
        say(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        for row in rows:
            say("\t".join(row))


def _print_table(rows: list[tuple[str, str, str]]) -> None:
    from rich.console import Console

    from diarist.cli.tables import show

    headings = ("-f", "file", "what it is")
    cells = [dict(zip(headings, (name, f".{extension}", summary), strict=True)) for name, extension, summary in rows]
    show(Console(), cells, [[headings]], names=["-f"])
