"""The ``diarist`` command: registers the sub-commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from diarist import __version__
from diarist.cli import (
    app_command,
    archive,
    bench,
    convert,
    deploy,
    doctor,
    emulate,
    evaluate,
    formats,
    jobs,
    keys,
    mcp,
    models,
    plan,
    rename,
    samples,
    serve,
    transcribe,
    voices,
)
from diarist.cli.terminal import visible
from diarist.cli.usage import App, UsageError, refusal
from diarist.files import why
from diarist.model.errors import Cancelled, DiaristError

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO, errno.EFBIG})

app = App(
    name="diarist",
    help="Who said what, and when: speaker-attributed transcripts of any recording.",
    epilog="Start with: diarist transcribe meeting.mp3",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="transcribe")(transcribe.transcribe)
app.command(name="app")(app_command.app_command)
app.command(name="archive")(archive.archive)
app.command(name="serve")(serve.serve)
app.command(name="mcp")(mcp.mcp)
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
app.add_typer(jobs.app, name="jobs")
app.add_typer(keys.app, name="keys")
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
    _mend_streams()
    # Raised where the work is, so that `finally` blocks remove temporary files, whoever stops us.
    signal.signal(signal.SIGINT, _cancel)
    signal.signal(signal.SIGTERM, _cancel)
    try:
        try:
            code = app(arguments, standalone_mode=False)
        finally:
            sys.stdout.flush()
    except UsageError as error:
        wrong = refusal(error)
        if not wrong.message:  # help was printed, as after: diarist
            sys.exit(wrong.exit_code)
        _complain(wrong.message, wrong.hint, wrong.exit_code)
    except typer.Abort:
        _complain("The question was not answered.", "Give the answer as an option; see --help.", 1)
    except DiaristError as error:
        _complain(error.message, error.hint, error.exit_code)
    except BrokenPipeError:
        # The reader of our output, e.g. head, has left; without this, Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        with suppress(OSError):  # else Python tries once more at exit, and complains
            sys.stdout.close()
        _complain(f"Cannot print: {why(error)}.", "Send standard output elsewhere.", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, hint: str, exit_code: int) -> NoReturn:
    typer.echo(f"error: {visible(message)}", err=True)
    if hint:
        typer.echo(f"  hint: {visible(hint)}", err=True)
    sys.exit(exit_code)


def _mend_streams() -> None:
    """Make printing safe where a stream was closed by who started us, or knows fewer letters than we use."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # else a file that is opened later becomes standard output, and is printed into
    os.close(spare)
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed()), encoding="utf-8", write_through=True)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # for as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


class _Closed(io.RawIOBase):
    """Standard output that is closed: says so to whoever prints."""

    def writable(self) -> bool:
        """It is open for writing as far as anybody asks."""
        return True

    def write(self, _: object) -> NoReturn:
        """Refuse."""
        raise OSError(errno.EBADF, "standard output is closed")


def _cancel(signum: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signum, signal.SIG_DFL)  # a second Ctrl-C stops at once
    raise Cancelled
