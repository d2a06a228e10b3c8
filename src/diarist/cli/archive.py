"""``diarist archive``: a whole folder of recordings, on all workers there are, whatever ends the work meanwhile."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diarist.cli import asking
from diarist.cli.archive_told import Told, look
from diarist.cli.asking import Channels, Task, read_hotwords, read_part
from diarist.cli.progress import reporter
from diarist.formats import canonical, check
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.places import Wanted

if TYPE_CHECKING:
    from diarist.cluster.run import Pool
    from diarist.cluster.whole import Setup

WHICH = "Which recordings"
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
        look(source, out, as_json=json_progress)
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
    from diarist.cluster.stores import open_store
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
        told = Told(report, as_json=json_progress)
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
