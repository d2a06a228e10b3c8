"""``diarist formats``: what a transcript can be written as."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from diarist.cli.terminal import say
from diarist.formats import FORMATS, Format


def formats(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False) -> None:
    """List the formats a transcript can be written in.

    On a terminal a table; piped, one line per format with tabs between name, extension, use, and whether it is
    installed.

    Example:
      diarist transcribe call.mp3 -f srt -f docx -o transcripts/
    """
    rows = [(name, form.extension, form.summary, _installed(form)) for name, form in FORMATS.items()]
    if as_json:
        keys = ("name", "extension", "summary", "installed")
        say(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        for name, extension, summary, here in rows:
            say("\t".join((name, extension, summary, "installed" if here else "not installed")))


def _installed(form: Format) -> bool:
    return form.needs is None or find_spec(form.needs) is not None


def _print_table(rows: list[tuple[str, str, str, bool]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("-f", no_wrap=True)
    table.add_column("file", no_wrap=True)
    table.add_column("what it is")
    table.add_column("here", no_wrap=True)
    for name, extension, summary, here in rows:
        table.add_row(name, f".{extension}", escape(summary), "[green]✓[/]" if here else "[dim]no[/]")
    console = Console()
    console.print(table)
    if not all(row[3] for row in rows):
        console.print("To get the others: [bold]pip install 'diarist\\[formats]'[/]", style="dim")
