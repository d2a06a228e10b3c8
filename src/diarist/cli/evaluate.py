"""``diarist eval``: score transcripts against references."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.cli import complete
from diarist.cli.terminal import literal, say
from diarist.model.languages import language_code

if TYPE_CHECKING:
    from diarist.evaluation.suite import Report


def evaluate(
    reference: Annotated[Path, typer.Argument(metavar="REF", help="A reference file, or a folder of them.")],
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="A transcript file, or a folder of them.")],
    other: Annotated[
        Path | None, typer.Option("--compare", metavar="HYP2", help="Another system's transcripts, to compare.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print scores as JSON.")] = False,
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

    Reads STM, SegLST, CTM, RTTM, UEM and diarist's own JSON. Files about one recording belong together by name
    (call.stm, call.rttm, call.ctm) or by folder (call/ref.stm, call/ref.rttm).

    For example:

      diarist eval ref.stm out.json

      diarist eval references/ out/ --html report.html

      diarist eval references/ out/ --compare out-of-another/
    """
    from diarist.evaluation import report, suite, text

    # MeetEval notes to the console how it orders overlapping words; that is documented, not a user's problem.
    logging.getLogger("preprocess").setLevel(logging.ERROR)
    language = language_code(language) or "en"
    normalise = text.normaliser(normalizer, language)
    scored = suite.evaluate(reference, hypothesis, normalise, collar=collar, normaliser_name=f"{normalizer} {language}")
    differences: dict[str, suite.Estimate] = {}
    if other is not None:
        second = suite.evaluate(reference, other, normalise, collar=collar)
        differences = suite.compare(scored.items, second.items)
    if html is not None:
        html.write_text(report.html(scored), encoding="utf-8")
    if as_json:
        data = report.as_json(scored)
        if other is not None:
            data["differences"] = report.estimates(differences)
        say(json.dumps(data, ensure_ascii=False, indent=2))
        return
    _print(scored)
    if other is not None:
        for line in report.difference(differences, hypothesis.name, other.name):
            say(line)
    for missing in scored.unmatched:
        say(f"not scored: {missing} has no hypothesis", err=True)


def _print(scored: Report) -> None:
    """Print one table per group of measures."""
    from rich.console import Console
    from rich.table import Table

    from diarist.evaluation import report

    # Piped, a table is for grep, not for a screen.
    console = Console(width=None if sys.stdout.isatty() else 200)
    for title, names in report.GROUPS.items():
        known = [name for name in names if name in scored.pooled]
        if not known:
            continue
        header, body = report.rows(scored, known)
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for number, cell in enumerate(header):
            table.add_column(cell, justify="right" if number else "left", overflow="fold")
        for row in body:
            table.add_row(*map(literal, row), style="bold" if row[0] == "all" else None)
        console.print(table)
        console.print()
