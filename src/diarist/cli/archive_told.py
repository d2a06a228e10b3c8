"""What is told of an archive: how far it is, what it will take, what became of each recording."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import typer

from diarist.cli.progress import Reporter
from diarist.cli.terminal import clock, say
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.cluster.lead import Forecast, Tally
    from diarist.cluster.manifest import Record

_EVERY = 10.0  # seconds between two lines that say how far the work is
_NAMED = 20  # recordings named at most, one a line


class Told:
    """What a person, or a program, is told of an archive's work."""

    def __init__(self, report: Reporter, *, as_json: bool) -> None:
        self._report, self._as_json = report, as_json
        self._last = time.monotonic()

    def record(self, record: Record, tally: Tally) -> None:
        """Tell of one recording, and now and then how far the work is."""
        if self._as_json:
            error = record.error
            about = {
                "recording": record.source,
                "state": "set aside" if error else "done",
                "error": {"code": error.code, "message": error.message} if error else None,
                **_numbers(tally),
            }
            self._line(about)
            return
        if record.error is not None:
            self._report.problem(f"{record.source}: {record.error.message} {record.error.hint}".rstrip())
        now = time.monotonic()
        if now - self._last >= _EVERY:
            self._last = now
            self._report.note(_far(tally))

    def forecast(self, found: Forecast, slots: int) -> None:
        """Tell what there is to do, and what it will take."""
        if self._as_json:
            wall = found.wall and [round(each / slots, 1) for each in found.wall]
            about = {
                "recordings": found.recordings,
                "audio_seconds": round(found.audio, 1),
                "unknown": found.unknown,
                "unreadable": found.unreadable,
                "cpu_seconds": found.cpu and [round(each, 1) for each in found.cpu],
                "seconds": wall,
                "by": found.by,
            }
            self._line({"forecast": about})
            return
        say(f"{found.recordings} recordings to do, {clock(found.audio)} of audio")
        for names, what in (
            (found.unknown, "tell no length; counted by their size"),
            (found.unreadable, "cannot be read"),
        ):
            if names:
                say(f"{len(names)} {what}: {_some(list(names))}")
        if found.wall is None:
            say("What it will take is not known yet: add --calibrate 5.")
            return
        least, likely, most = (each / slots for each in found.wall)
        workers = "1 worker" if slots == 1 else f"{slots} workers"
        say(f"about {clock(likely)} with {workers} ({clock(least)} to {clock(most)}), by {found.by} done before")
        if found.cpu is not None:
            least, likely, most = found.cpu
            say(f"about {clock(likely)} of processor time ({clock(least)} to {clock(most)})")

    def end(self, tally: Tally) -> None:
        """Tell what was done, and name what was not."""
        if self._as_json:
            self._line({"summary": {**_numbers(tally), "adopted": tally.adopted, "troubles": tally.troubles}})
            return
        if tally.adopted:
            self._report.note(
                f"{len(tally.adopted)} were finished when an earlier run died, and are taken as they are."
            )
        self._report.note(_far(tally))
        if tally.troubles:
            said = [f"{name}: {why}" for name, why in sorted(tally.troubles.items())]
            more = [f"… and {len(said) - _NAMED} more: diarist archive status OUT"] if len(said) > _NAMED else []
            for line in (f"{len(said)} without a transcript:", *said[:_NAMED], *more):
                self._report.problem(line)

    @staticmethod
    def _line(about: dict[str, object]) -> None:
        sys.stderr.write(json.dumps(about) + "\n")
        sys.stderr.flush()


def _numbers(tally: Tally) -> dict[str, object]:
    return {
        "found": tally.found,
        "done": tally.before + tally.new,
        "new": tally.new,
        "waiting": tally.waiting,
        "without": len(tally.troubles),
        "audio_seconds": round(tally.audio, 3),
        "seconds": round(tally.seconds, 3),
        "speed": tally.speed and round(tally.speed, 2),
        "seconds_left": None if tally.left is None else round(tally.left, 1),
    }


def _far(tally: Tally) -> str:
    parts = [f"{tally.before + tally.new} of {tally.found} recordings done"]
    if tally.new:
        parts.append(f"{tally.new} now, {clock(tally.audio)} of audio in {clock(tally.seconds)}")
    if tally.speed:
        parts.append(f"{tally.speed:.1f} times real time")
    if tally.troubles:
        parts.append(f"{len(tally.troubles)} without a transcript")
    if tally.waiting and tally.left is not None:
        parts.append(f"about {clock(tally.left)} left")
    return "; ".join(parts)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def look(what: str, out: str, *, as_json: bool) -> None:
    """Tell what the records in OUT say (``status``), or whether all files are as they were written (``verify``).

    Raises:
        InputError: there are none.
    """
    from diarist.cluster.manifest import Manifest
    from diarist.cluster.stores import open_store

    manifest = Manifest(open_store(out))
    manifest.load()
    if not manifest.records:
        raise InputError("no_archive", f"There are no records of an archive in {out}.", "Run: diarist archive SRC OUT")
    if what == "status":
        _status(list(manifest.records.values()), as_json=as_json)
        return
    wrong = manifest.verify()
    if as_json:
        say(json.dumps({"wrong": dict(wrong)}))
    else:
        outputs = sum(len(each.outputs) for each in manifest.records.values())
        say(f"{outputs - len(wrong)} of {outputs} files are as they were written.")
        for file, why in wrong:
            say(f"{file}: {why}")
    if wrong:
        raise typer.Exit(1)


def _status(records: list[Record], *, as_json: bool) -> None:
    done = [each for each in records if each.error is None]
    aside = sorted((each for each in records if each.error is not None), key=lambda each: each.source)
    audio = sum(each.duration or 0.0 for each in done)
    cpu = sum(each.cpu_seconds or 0.0 for each in done)
    if as_json:
        about = {
            "done": len(done),
            "set_aside": {each.source: each.error.message for each in aside if each.error},
            "audio_seconds": round(audio, 3),
            "cpu_seconds": round(cpu, 3),
        }
        say(json.dumps(about))
        return
    spent = f", {clock(cpu)} of processor time" if cpu else ""
    say(f"{len(done)} recordings done, {clock(audio)} of audio{spent}")
    if not aside:
        return
    reasons = Counter(each.error.code for each in aside if each.error)
    say(f"{len(aside)} set aside ({', '.join(f'{code} {count}' for code, count in reasons.most_common())}):")
    for each in aside:
        if each.error:
            say(f"  {each.source}: {each.error.message}")
    say("To try them again: diarist archive SRC OUT --retry")
