"""``diarist transcribe``: recordings in, transcripts out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.cli.outputs import Job, plan_jobs, write_all, write_out
from diarist.cli.progress import Reporter, reporter
from diarist.formats import render
from diarist.model.errors import Cancelled, DiaristError
from diarist.model.options import MAX_SPEAKERS, Options

if TYPE_CHECKING:
    from diarist.model.transcript import Transcript
    from diarist.pipeline import Pipeline

SPEAKERS = "Speakers"
ENGINES = "Engines"


def transcribe(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, https URLs, or - for stdin.")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", metavar="FORMAT", help="txt, json, srt, vtt, rttm …; repeat for several."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Write files here instead of printing.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language spoken, e.g. en or de; detected if not given.")] = None,
    speakers: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_SPEAKERS, help="Exact number of speakers, if known.", rich_help_panel=SPEAKERS),
    ] = None,
    min_speakers: Annotated[
        int | None, typer.Option(min=1, max=MAX_SPEAKERS, help="At least this many.", rich_help_panel=SPEAKERS)
    ] = None,
    max_speakers: Annotated[
        int | None, typer.Option(min=1, max=MAX_SPEAKERS, help="At most this many.", rich_help_panel=SPEAKERS)
    ] = None,
    diarize: Annotated[
        bool, typer.Option("--diarize/--no-diarize", help="Find who spoke.", rich_help_panel=SPEAKERS)
    ] = True,
    model: Annotated[
        str, typer.Option(help="Transcription model; auto takes the best one already here.", rich_help_panel=ENGINES)
    ] = "auto",
    diarizer: Annotated[
        str, typer.Option(help="Diarization model; auto takes the best one already here.", rich_help_panel=ENGINES)
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=ENGINES)] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; all cores if not given.", rich_help_panel=ENGINES)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
    json_progress: Annotated[bool, typer.Option(help="Progress as JSON lines on standard error.")] = False,
) -> None:
    """Transcribe recordings: who said what, and when.

    One file without -o prints its transcript; with -o, or with several files or folders, transcripts are written
    into DIR under the recordings' names. A file that fails does not stop the others.

    Examples:
      diarist transcribe call.mp3

      diarist transcribe interview.mp4 --speakers 2 -f srt -o subtitles/

      diarist transcribe recordings/ -f txt -f json -o transcripts/
    """
    options = Options(
        language=language,
        diarize=diarize,
        num_speakers=speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
    )
    jobs = plan_jobs(paths, formats, out)
    with reporter(quiet=quiet, as_json=json_progress) as report:
        pipeline = _pipeline(model, diarizer, options, device, threads, report)
        failed = [job.name for job in jobs if not _run(job, pipeline, options, report, batch=len(jobs) > 1)]
    if failed:
        report.note(f"{len(jobs) - len(failed)} of {len(jobs)} recordings transcribed; failed: {', '.join(failed)}.")
        raise typer.Exit(1)


def _pipeline(
    model: str, diarizer: str, options: Options, device: str, threads: int | None, report: Reporter
) -> Pipeline:
    from diarist.engines import load

    return load(
        model,
        diarizer if options.diarize else None,
        language=options.language,
        device=device,
        threads=threads,
        progress=report.progress,
        note=report.note,
    )


def _run(job: Job, pipeline: Pipeline, options: Options, report: Reporter, *, batch: bool) -> bool:
    """Do one job; in a batch a failure is told and False comes back, else it is raised."""
    from diarist.audio.decode import decode
    from diarist.audio.source import CLI_KINDS, parse_source

    try:
        with report.file(job.name):
            audio = decode(parse_source(job.source, CLI_KINDS), progress=report.progress)
            transcript = pipeline.transcribe(audio, options, report.progress)
        for warning in transcript.warnings:
            report.note(f"warning: {warning}")
        _deliver(transcript, job)
    except Cancelled:
        raise
    except DiaristError as error:
        if not batch:
            raise
        report.problem(f"{job.name}: {error}")
        return False
    return True


def _deliver(transcript: Transcript, job: Job) -> None:
    if job.targets:
        write_all(transcript, job.stem, job.targets)
    elif sys.stdout.isatty() and job.formats == ("txt",):
        from diarist.cli.render import show

        show(transcript)
    else:
        write_out(render(transcript, job.formats[0], name=job.stem), job.formats[0])
