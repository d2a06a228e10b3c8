"""A transcript on a terminal: speakers in colour, times in the margin, wrapped text."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from diarist.cli.terminal import clock, literal
from diarist.model.transcript import Transcript

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red", "bright_cyan", "bright_magenta")


def show(transcript: Transcript, console: Console | None = None) -> None:
    """Print a transcript for reading; successive segments of one speaker stand under one name."""
    console = console or Console(highlight=False)
    colours = {speaker: COLOURS[i % len(COLOURS)] for i, speaker in enumerate(transcript.speakers)}
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(max_width=24, overflow="fold")  # a long name must not take the room of the words
    table.add_column(overflow="fold")
    previous: str | None = ""
    for segment in transcript.segments:
        colour = colours.get(segment.speaker or "", "")
        name = "" if segment.speaker == previous else segment.speaker or "unknown"
        table.add_row(clock(segment.start), literal(name, f"bold {colour}"), literal(segment.text))
        previous = segment.speaker
    if transcript.segments:
        console.print(table)
    else:
        console.print("No speech found.", style="dim")
