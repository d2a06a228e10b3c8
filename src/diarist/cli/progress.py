"""What a person, or a program, is told while work goes on: always on standard error."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import TaskID


class Reporter(Protocol):
    """Where progress and notes go. Its methods may be called from any thread."""

    def progress(self, stage: str, done: float) -> None:
        """Show that ``stage`` is ``done`` (0 to 1) finished."""

    def note(self, text: str) -> None:
        """Say something worth knowing, unless the user wants quiet."""

    def problem(self, text: str) -> None:
        """Say that something failed, quiet or not."""

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """Everything reported inside is about this recording."""


@contextmanager
def reporter(*, quiet: bool, as_json: bool) -> Iterator[Reporter]:
    """Choose the way of reporting: JSON lines when asked, bars on a terminal, otherwise notes alone."""
    if as_json:
        yield JsonLines()
    elif quiet or not sys.stderr.isatty():
        yield Plain(quiet=quiet)
    else:
        bars = Bars()
        with bars.display:
            yield bars


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

    def problem(self, text: str) -> None:
        """See `Reporter.problem`."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """See `Reporter.file`."""
        del name
        yield


class JsonLines:
    """One JSON object a line, for programs: ``{"file", "stage", "done"}``, ``{"note"}`` or ``{"problem"}``."""

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

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """See `Reporter.file`."""
        self._file = name
        self._shown = {}
        try:
            yield
        finally:
            self._file = None

    @staticmethod
    def _say(line: dict[str, object]) -> None:
        sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stderr.flush()


class Bars:
    """Progress bars, one per stage, that vanish when the work is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.display = Progress(
            TextColumn("{task.description}", style="dim"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def progress(self, stage: str, done: float) -> None:
        """See `Reporter.progress`."""
        with self._lock:
            if stage not in self._tasks:
                self._tasks[stage] = self.display.add_task(stage, total=1.0)
            self.display.update(self._tasks[stage], completed=done)

    def note(self, text: str) -> None:
        """See `Reporter.note`."""
        self.display.console.print(text, style="dim", highlight=False, markup=False)

    def problem(self, text: str) -> None:
        """See `Reporter.problem`."""
        self.display.console.print(text, style="red", highlight=False, markup=False)

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """See `Reporter.file`."""
        heading = self.display.add_task(name, total=None)
        try:
            yield
        finally:
            with self._lock:
                for task in (heading, *self._tasks.values()):
                    self.display.remove_task(task)
                self._tasks.clear()
