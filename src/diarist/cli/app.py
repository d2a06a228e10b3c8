"""The ``diarist`` command: registers the sub-commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from diarist import __version__
from diarist.cli import (
    bench,
    convert,
    deploy,
    doctor,
    emulate,
    evaluate,
    formats,
    models,
    plan,
    rename,
    samples,
    transcribe,
    voices,
)
from diarist.model.errors import Cancelled, DiaristError

app = typer.Typer(
    name="diarist",
    help="Who said what, and when: speaker-attributed transcripts of any recording.",
    epilog="Start with: diarist transcribe meeting.mp3",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="transcribe")(transcribe.transcribe)
app.command(name="convert")(convert.convert)
app.command(name="rename")(rename.rename)
app.command(name="samples")(samples.samples)
app.command(name="formats")(formats.formats)
app.command(name="eval")(evaluate.evaluate)
app.command(name="emulate")(emulate.emulate)
app.command(name="doctor")(doctor.doctor)
app.command(name="bench")(bench.bench)
app.command(name="plan")(plan.plan)
app.add_typer(deploy.app, name="deploy")
app.add_typer(models.app, name="models")
app.add_typer(voices.app, name="voices")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"diarist {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 some inputs failed, 2 wrong usage, else the error's own exit code."""
    # Raised where the work is, so that `finally` blocks remove temporary files, whoever stops us.
    signal.signal(signal.SIGINT, _cancel)
    signal.signal(signal.SIGTERM, _cancel)
    try:
        app(arguments)
    except DiaristError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output, e.g. head, has left; without this, Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


def _cancel(signum: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signum, signal.SIG_DFL)  # a second Ctrl-C stops at once
    raise Cancelled
