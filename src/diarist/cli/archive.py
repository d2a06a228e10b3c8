"""``diarist archive``: a whole folder of recordings, on all workers there are, whatever ends the work meanwhile."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diarist.cli import asking
from diarist.cli.asking import Channels, Task, read_hotwords, read_part
from diarist.cli.progress import Reporter, reporter
from diarist.cli.terminal import clock, say
from diarist.formats import canonical, check
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.places import Wanted

if TYPE_CHECKING:
    from diarist.cluster.lead import Forecast, Tally
    from diarist.cluster.manifest import Record
    from diarist.cluster.run import Pool
    from diarist.cluster.whole import Setup

WHICH = "Which recordings"
_EVERY = 10.0  # seconds between two lines that say how far the work is
_NAMED = 20  # recordings named at most, one a line
_CALLS = 8  # calls at a time, where the engines are elsewhere


def archive(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="Folder, or s3:// or other URL; or the word status or verify.")
    ],
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder or URL for transcripts and their records.")],
    formats: asking.Formats = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Processes, or calls with --on; by default by cores.",
            rich_help_panel=asking.ENGINES,
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Workers in a Ray cluster, whose machines all see SRC and OUT.",
            rich_help_panel=asking.ENGINES,
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only these, e.g. '2024/*.mp3'; may be repeated.", rich_help_panel=WHICH),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Not these; may be repeated.", rich_help_panel=WHICH)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="So many at most.", rich_help_panel=WHICH)
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="The I-th of N parts; each machine takes one.", rich_help_panel=WHICH),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again those that were set aside.", rich_help_panel=WHICH)
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with new recordings as they are finished.", rich_help_panel=WHICH)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is to do and what it will take; do nothing.")
    ] = False,
    calibrate: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Do N of them first, chosen by chance, to tell how long all will take."),
    ] = 0,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=1, help="The longest that one may take; by default by its length."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that this archive did not write, or that were changed.")
    ] = False,
    language: asking.Language = None,
    speakers: asking.Speakers = None,
    min_speakers: asking.MinSpeakers = None,
    max_speakers: asking.MaxSpeakers = None,
    diarize: asking.Diarize = True,
    channels: asking.ChannelsOption = Channels.MIX,
    track: asking.Track = None,
    start: asking.Start = None,
    stop: asking.Stop = None,
    speakers_named: asking.SpeakersNamed = False,
    task: asking.TaskOption = Task.TRANSCRIBE,
    hotwords: asking.Hotwords = None,
    temperature: asking.Temperature = None,
    model: asking.Model = "auto",
    diarizer: asking.DiarizerOption = "auto",
    device: asking.Device = "auto",
    threads: asking.Threads = None,
    on: asking.On = "local",
    audio_store: asking.AudioStore = None,
    quiet: asking.Quiet = False,
    json_progress: asking.JsonProgress = False,
) -> None:
    """Transcribe an archive: thousands of recordings, each once.

    Run the same command again after it was stopped, killed or out of space: what is done stays done. A recording that
    cannot be read, or that ends its worker twice, is set aside with its reason, and the others go on.

    With the word status in place of SRC, it tells what became of each; with verify, it reads every transcript again.

    Examples:
      diarist archive recordings/ transcripts/ -f txt -f json

      diarist archive recordings/ transcripts/ --dry-run --calibrate 5

      diarist archive s3://bucket/calls s3://bucket/text --shard 1/4

      diarist archive status transcripts/
    """
    if source in ("status", "verify"):
        _look(source, out, as_json=json_progress)
        return
    options = Options(
        language=language,
        diarize=diarize,
        num_speakers=speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        task=task.value,
        hotwords=read_hotwords(hotwords),
        temperature=temperature,
    )
    from diarist.cluster.archive import Choice
    from diarist.cluster.lead import Run
    from diarist.cluster.store import open_store
    from diarist.cluster.whole import Setup

    chosen = tuple(dict.fromkeys(canonical(name) for each in formats or ["txt"] for name in each.split(",")))
    for name in chosen:
        check(name)
    on = on.lower()
    if ray is not None and on != "local":
        raise InputError("bad_place", "--ray and --on are two places.", "Leave out one of them.")
    choice = Choice(
        include=include or (),
        exclude=exclude or (),
        shard=_shard(shard),
        limit=limit,
        retry=retry,
        overwrite=overwrite,
    )
    src, dst = open_store(source), open_store(out)
    if src.root is not None and not src.root.is_dir():
        raise InputError("no_folder", f"There is no folder {source}.", "Name a folder with recordings, or a URL.")
    wanted = Wanted(
        model=model,
        diarizer=diarizer if diarize else None,
        language=options.language,
        device=device,
        threads=threads,
        audio_store=audio_store,
    )
    models: tuple[str, ...] = ()
    if on == "local":
        wanted, models = _resolved(wanted)
    setup = Setup(
        source=src.url,
        out=dst.url,
        formats=chosen,
        place=on,
        wanted=wanted,
        options=options,
        part=read_part(start, stop, track),
        separate=channels is Channels.SEPARATE,
        named=speakers_named,
    )
    with reporter(quiet=quiet, as_json=json_progress) as report:
        told = _Told(report, as_json=json_progress)
        run = Run(
            src,
            dst,
            setup,
            models,
            choice,
            partial(_pool, setup, workers, threads, ray),
            limit=timeout,
            say=told.record,
            note=report.note,
        )
        if dry_run and not calibrate:
            told.forecast(run.forecast(), _slots(on, workers))
            return
        tally = run.go(calibrate=calibrate, only=dry_run, watch=watch)
        if dry_run:
            told.forecast(run.forecast(), _slots(on, workers))
        told.end(tally)
        if tally.troubles:
            raise typer.Exit(1)


def _shard(given: str | None) -> tuple[int, int]:
    if given is None:
        return 1, 1
    found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", given, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        raise InputError("bad_shard", f"--shard takes a part of how many, not {given!r}.", "Write 1/4, 2/4, 3/4, 4/4.")
    return int(found[1]), int(found[2])


def _resolved(wanted: Wanted) -> tuple[Wanted, tuple[str, ...]]:
    """What ``auto`` means now, for all workers and as long as this run goes on. Loads nothing."""
    from dataclasses import replace

    from diarist.engines import names

    words, speakers = names(
        str(wanted.model),
        None if wanted.diarizer is None else str(wanted.diarizer),
        language=wanted.language,
        device=wanted.device,
    )
    return replace(wanted, model=words, diarizer=speakers), (words, *([speakers] if speakers else []))


def _slots(on: str, workers: int | None) -> int:
    from diarist.cpu_count import cpu_count

    return workers or (_CALLS if on != "local" else max(1, cpu_count() // 2))


def _pool(setup: Setup, workers: int | None, threads: int | None, ray: str | None) -> AbstractContextManager[Pool[Any]]:
    """Who computes. Each worker fetches what is missing; of those on one machine, one fetches and the others wait."""
    from diarist.cpu_count import cpu_count

    slots = _slots(setup.place, workers)
    if setup.place != "local":
        from diarist.cluster.calls import Calls
        from diarist.cluster.whole import Worker

        return Calls(Worker(setup).elsewhere, slots)
    from diarist.cluster.whole import start_worker

    if ray is not None:
        from diarist.cluster.actors import Actors

        share = max(1, threads // slots) if threads else 1
        return Actors(partial(start_worker, setup, share), slots, ray, cpus=share)
    from diarist.cluster.local import Processes

    share = max(1, (threads or cpu_count()) // slots)
    return Processes(partial(start_worker, setup, share), slots)


class _Told:
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


def _look(what: str, out: str, *, as_json: bool) -> None:
    """``status`` and ``verify``: read only."""
    from diarist.cluster.manifest import Manifest
    from diarist.cluster.store import open_store

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
