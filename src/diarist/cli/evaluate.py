"""``diarist eval``: score transcripts against references."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.cli import complete
from diarist.cli.terminal import literal, say
from diarist.files import write_whole
from diarist.model.languages import language_code
from diarist.model.writing import width

if TYPE_CHECKING:
    from rich.console import Console

    from diarist.evaluation.differences import Pair
    from diarist.evaluation.suite import Report


def evaluate(
    reference: Annotated[Path, typer.Argument(metavar="REF", help="A reference file, or a folder of them.")],
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="A transcript file, or a folder of them.")],
    other: Annotated[
        Path | None, typer.Option("--compare", metavar="HYP2", help="Another system's transcripts, to compare.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Also show the words of HYP that differ from REF.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with plots.")] = None,
    normalizer: Annotated[
        str,
        typer.Option(metavar="NAME", help="'whisper' forgives case, punctuation and fillers; 'none' forgives nothing."),
    ] = "whisper",
    language: Annotated[
        str,
        typer.Option(
            metavar="LANGUAGE", autocompletion=complete.languages, help="Language of the text, for the normalizer."
        ),
    ] = "en",
    collar: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.0, max=5.0, help="Seconds around reference boundaries that DER passes over."
        ),
    ] = 0.0,
) -> None:
    """Score who said what, and when, against a reference.

    Reads STM, SegLST, CTM, RTTM, UEM, SRT, WebVTT, and JSON by diarist, WhisperX or OpenAI's API. Files about one
    recording belong together by name (call.stm, call.rttm, call.ctm) or by folder (call/ref.stm, call/ref.rttm).

    For example:

      diarist eval ref.stm out.json

      diarist eval ref.stm out.json --diff

      diarist eval references/ out/ --html report.html

      diarist eval references/ out/ --compare out-of-another/
    """
    from diarist.evaluation import report, suite, text

    # MeetEval notes to the console how it orders overlapping words; that is documented, not a user's problem.
    logging.getLogger("preprocess").setLevel(logging.ERROR)
    language = language_code(language) or "en"
    normalise = text.normaliser(normalizer, language)
    name = f"{normalizer} {language}"
    scored = suite.evaluate(reference, hypothesis, normalise, collar=collar, normaliser_name=name, diff=diff)
    comparison = None
    if other is not None:
        second = suite.evaluate(reference, other, normalise, collar=collar)
        comparison = suite.compare(scored.items, second.items)
    names = (hypothesis.name, other.name if other else "")
    if html is not None:
        page = report.html(scored, comparison, *names)
        write_whole(html, page.encode(errors="backslashreplace"), hint="Name another file with --html.")
    if as_json:
        say(json.dumps(report.as_json(scored, comparison), ensure_ascii=False, indent=2))
    else:
        _print(scored, [] if comparison is None else report.comparison_lines(comparison, *names))
    for warning in report.left_out(scored, comparison, *names):
        say(f"warning: {warning}", err=True)


def _print(scored: Report, comparison: Sequence[str]) -> None:
    """Print one table per group of measures, then the comparison and the differences."""
    from rich.console import Console

    from diarist.evaluation import report

    # Piped, the report is for grep, not for a screen: tables are wide, and nothing else is folded.
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 200, soft_wrap=not terminal)
    for title, names in report.GROUPS.items():
        known = [name for name in names if name in scored.pooled]
        while known:
            header, body = report.rows(scored, known)
            shown = _print_table(console, title, header, body)
            title, known = f"{title.partition(',')[0]}, continued", known[shown:]
    for line in comparison:
        console.print(literal(line))
    if scored.differences is not None:
        if comparison:
            console.print()
        _print_differences(console, scored.differences)


def _print_table(console: Console, title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> int:
    """Print as many of the columns as fit without tearing a word or a figure; return how many, without the first."""
    from rich.table import Table

    columns = list(zip(header, *body, strict=True))
    first = max(map(width, columns[0]))
    whole = [max(map(width, cells)) for cells in columns[1:]]
    if first + sum(2 + one for one in whole) <= console.width:
        widths = [first, *whole]
    else:
        # A name is folded anywhere, an interval after "to", a heading between words.
        parts = [[part for cell in cells for part in cell.replace(" to ", "_to ").split()] for cells in columns[1:]]
        widths = [min(first, _NAME), *(max(map(width, words)) for words in parts)]
        while len(widths) > 2 and sum(widths) + 2 * (len(widths) - 1) > console.width:
            widths.pop()
        widths[0] = max(1, min(first, console.width - sum(2 + wide for wide in widths[1:])))
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, (cell, wide) in enumerate(zip(header, widths, strict=False)):
        table.add_column(cell, justify="right" if number else "left", overflow="fold", width=wide)
    for row in body:
        table.add_row(*map(literal, row[: len(widths)]), style="bold" if row[0] == "all" else None)
    console.print(table)
    console.print()
    return len(widths) - 1


_NAME = len("95 % interval")


def _print_differences(console: Console, found: Mapping[str, Sequence[Pair]]) -> None:
    """Print what differs, recording by recording; folded lines hang under their words."""
    from rich.table import Table

    from diarist.evaluation import differences, report
    from diarist.formats.text import clock

    console.print(literal("differences", style="italic"))
    if any(pair.differs for pairs in found.values() for pair in pairs):
        for mark, meaning in differences.LEGEND.items():
            console.print(literal(f"{mark}  {meaning}"))
    for name, pairs in found.items():
        console.print()
        console.print(literal(f"{name}: {report.summary(pairs)}", style="bold"))
        lines = [
            (clock(stretch.time), "".join(text for _, text in differences.marked(stretch)))
            for stretch in report.differing(pairs)
        ]
        if console.is_terminal:
            table = Table.grid(padding=(0, 2))
            for time, words in lines:
                table.add_row(time, literal(words))
            console.print(table)
        else:
            for time, words in lines:
                console.print(literal(f"{time}  {words}"))
