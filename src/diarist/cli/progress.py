"""What a person, or a program, is told while work goes on and at its end: always on standard error."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import ceil
from typing import TYPE_CHECKING, Protocol

from diarist.cli.estimate import Work
from diarist.cli.summary import Summary
from diarist.cli.terminal import clock, literal, visible
from diarist.model.transcript import Word, join_words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Clock = Callable[[], float]
"""Seconds from any beginning, never going back."""

BOTH = {"decode": 2, "transcription": 74, "diarization": 24}
"""What the stages of a recording weigh in the whole, roughly: finding words is three times the work of speakers."""
WORDS_ALONE = {"decode": 2, "transcription": 98}

NAMES = {"decode": "reading", "transcription": "", "diarization": "", "endpoint": ""}
"""What a stage is called where its own name would not do."""


class Reporter(Protocol):
    """Where progress and notes go. Its methods may be called from any thread.

    Results are printed outside `file` and `task`: only inside them is something on the terminal that will be erased.
    """

    def progress(self, stage: str, done: float) -> None:
        """Show that ``stage`` is ``done`` (0 to 1) finished."""

    def note(self, text: str) -> None:
        """Say something worth knowing, unless the user wants quiet."""

    def problem(self, text: str) -> None:
        """Say that something failed, quiet or not."""

    def words(self, words: Sequence[Word], start: float = 0.0) -> None:
        """Show words that were just found, quiet or not; ``start`` is where in the recording their clock begins."""

    def file(self, name: str, place: str = "", *, diarize: bool = True) -> AbstractContextManager[None]:
        """Everything reported inside is about this recording, e.g. the ``"2 of 12"``."""

    def task(self, title: str) -> AbstractContextManager[None]:
        """Everything reported inside belongs to work that is about no recording."""

    def summary(self, summary: Summary) -> None:
        """Say at the end what was done, unless the user wants quiet."""


@contextmanager
def reporter(*, quiet: bool, as_json: bool) -> Iterator[Reporter]:
    """Choose the way of reporting: JSON lines when asked, a line on a terminal, otherwise notes alone.

    What diarist's modules warn of in the log meanwhile is reported as notes.
    """
    chosen: Reporter = Plain(quiet=quiet)
    if as_json:
        chosen = JsonLines()
    elif not quiet and sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        # A terminal that cannot move its cursor gets notes alone.
        chosen = Line(console) if console.is_interactive else chosen
    log, handler = logging.getLogger("diarist"), _Warnings(chosen)
    log.addHandler(handler)
    try:
        yield chosen
    finally:
        log.removeHandler(handler)


class _Warnings(logging.Handler):
    def __init__(self, report: Reporter) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.note(record.getMessage())


class Plain:
    """Notes and problems as lines."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def progress(self, stage: str, done: float) -> None:
        """Nothing: progress is for terminals and programs."""

    def note(self, text: str) -> None:
        """See `Reporter.note`."""
        if not self._quiet:
            self.problem(text)

    def words(self, words: Sequence[Word], start: float = 0.0) -> None:
        """See `Reporter.words`."""
        self.problem(_said(words, start))

    def problem(self, text: str) -> None:
        """See `Reporter.problem`."""
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()

    @contextmanager
    def file(self, name: str, place: str = "", *, diarize: bool = True) -> Iterator[None]:
        """See `Reporter.file`."""
        del name, place, diarize
        yield

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        """See `Reporter.task`."""
        del title
        yield

    def summary(self, summary: Summary) -> None:
        """See `Reporter.summary`."""
        self.note(str(summary))


class JsonLines:
    """One JSON object a line.

    They are ``{"file", "stage", "done"}``, ``{"file", "words"}``, ``{"note"}``, ``{"problem"}`` and ``{"summary"}``.
    """

    def __init__(self) -> None:
        self._file: str | None = None
        self._shown: dict[str, int] = {}
        self._lock = threading.Lock()

    def progress(self, stage: str, done: float) -> None:
        """See `Reporter.progress`; at most one line per percent."""
        with self._lock:
            percent = int(done * 100)
            if self._shown.get(stage) != percent:
                self._shown[stage] = percent
                self._say({"file": self._file, "stage": stage, "done": round(done, 3)})

    def note(self, text: str) -> None:
        """See `Reporter.note`."""
        self._say({"note": text})

    def problem(self, text: str) -> None:
        """See `Reporter.problem`."""
        self._say({"problem": text})

    def words(self, words: Sequence[Word], start: float = 0.0) -> None:
        """See `Reporter.words`."""
        found = [{"start": round(w.start + start, 3), "end": round(w.end + start, 3), "text": w.text} for w in words]
        self._say({"file": self._file, "words": found})

    @contextmanager
    def file(self, name: str, place: str = "", *, diarize: bool = True) -> Iterator[None]:
        """See `Reporter.file`."""
        del place, diarize
        self._file = name
        self._shown = {}
        try:
            yield
        finally:
            self._file = None

    @contextmanager
    def task(self, title: str) -> Iterator[None]:
        """See `Reporter.task`; the whole task is a stage."""
        self.progress(title, 0.0)
        yield
        self.progress(title, 1.0)

    def summary(self, summary: Summary) -> None:
        """See `Reporter.summary`."""
        self._say({"summary": summary.as_json()})

    @staticmethod
    def _say(line: dict[str, object]) -> None:
        sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stderr.flush()


class Line:
    """One line on a terminal that vanishes when the file, or task, is done.

    Args:
        console: where it is shown.
        clock: tells the time.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._title = self._doing = ""
        self._work: Work | None = None
        self._one_by_one = False  # each stage is a work of its own, as downloads are

    def progress(self, stage: str, done: float) -> None:
        """See `Reporter.progress`."""
        with self._lock:
            if self._one_by_one:
                self._begin(stage, done)
            else:
                self._doing = NAMES.get(stage, stage)
            if self._work:
                # An endpoint that does the whole job reports on all of it at once.
                for name in ("transcription", "diarization") if stage == "endpoint" else (stage,):
                    self._work.report(name, done, self._clock())

    def _begin(self, stage: str, done: float) -> None:
        """Show a stage until it ends; of two at once, the first."""
        if stage == self._doing and done >= 1:
            self._doing, self._work = "", None
        elif not self._doing and done < 1:
            self._doing, self._work = stage, Work({stage: 1})

    def note(self, text: str) -> None:
        """See `Reporter.note`."""
        self._console.print(literal(text, "dim"), soft_wrap=True)

    def problem(self, text: str) -> None:
        """See `Reporter.problem`."""
        self._console.print(literal(text, "red"), soft_wrap=True)

    def words(self, words: Sequence[Word], start: float = 0.0) -> None:
        """See `Reporter.words`."""
        self._console.print(literal(_said(words, start)))

    def summary(self, summary: Summary) -> None:
        """See `Reporter.summary`."""
        self.note(str(summary))

    def file(self, name: str, place: str = "", *, diarize: bool = True) -> AbstractContextManager[None]:
        """See `Reporter.file`."""
        return self._shown(f"{place}  {name}" if place else name, Work(BOTH if diarize else WORDS_ALONE))

    def task(self, title: str) -> AbstractContextManager[None]:
        """See `Reporter.task`."""
        return self._shown(title, None)

    @contextmanager
    def _shown(self, title: str, work: Work | None) -> Iterator[None]:
        from rich.live import Live

        with self._lock:
            self._title, self._doing, self._work, self._one_by_one = title, "", work, work is None
        live = Live(
            console=self._console,
            get_renderable=self.render,
            transient=True,
            # What a library prints on the same terminal goes above the line; what goes to a pipe is left alone.
            redirect_stdout=sys.stdout.isatty(),
        )
        with live:
            yield

    def render(self) -> RenderableType:
        """Draw the line as it is now."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        with self._lock:
            now = self._clock()
            share = self._work.share(now) if self._work else None
            left = self._work.left(now) if self._work else None
            title, doing = self._title, self._doing
        width = min(24, self._console.width // 4)
        line = Table.grid(padding=(0, 2))
        line.add_column()  # the only one that may be made narrower, and the name in it is cut, not folded
        for _ in range(3):
            line.add_column(no_wrap=True)
        name = literal(doing or title) if self._one_by_one else literal(title)
        name.no_wrap, name.overflow = True, "ellipsis"
        remaining = f"{clock(ceil(left))} left" if left else ""
        line.add_row(
            name,
            ProgressBar(None if share is None else 1.0, share or 0.0, width=width, animation_time=now),
            "" if share is None else f"{share:4.0%}",
            literal(remaining if self._one_by_one else doing or remaining, "dim"),
        )
        return line


def _said(words: Sequence[Word], start: float) -> str:
    return f"{clock(int(words[0].start + start))}  {join_words(words, None)}"
