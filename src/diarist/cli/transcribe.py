"""``diarist transcribe``: recordings in, transcripts out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.audio.recording import CLI_KINDS, Cut, parse_recording
from diarist.cli import asking
from diarist.cli.asking import Channels, Task, read_hotwords, read_part
from diarist.cli.jobs import detach as send_off
from diarist.cli.outputs import Errand, check_jobs, plan_jobs, print_out, write_all
from diarist.cli.progress import Reporter, reporter
from diarist.cli.summary import Summary
from diarist.model.errors import Cancelled, DiaristError, InputError
from diarist.model.options import Options
from diarist.places import Wanted, open_place

if TYPE_CHECKING:
    from diarist.model.transcript import Transcript
    from diarist.pipelines.base import Naming, Pipeline


def transcribe(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, https URLs, or - for stdin.")],
    formats: asking.Formats = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DIR|FILE", help="Write into this folder, or to this file, e.g. talk.srt."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that diarist did not write, or that were changed since.")
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
    same_speakers: Annotated[
        bool,
        typer.Option(
            "--same-speakers", help="People keep their labels across these recordings.", rich_help_panel=asking.SPEAKERS
        ),
    ] = False,
    task: asking.TaskOption = Task.TRANSCRIBE,
    hotwords: asking.Hotwords = None,
    temperature: asking.Temperature = None,
    model: asking.Model = "auto",
    diarizer: asking.DiarizerOption = "auto",
    device: asking.Device = "auto",
    threads: asking.Threads = None,
    on: asking.On = "local",
    audio_store: asking.AudioStore = None,
    live: Annotated[
        bool, typer.Option("--live", help="Show words as they are found; speakers follow when they are known.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="With --on: submit, print the job's id, and leave; diarist jobs fetch gets the transcript.",
            rich_help_panel=asking.ENGINES,
        ),
    ] = False,
    quiet: asking.Quiet = False,
    json_progress: asking.JsonProgress = False,
) -> None:
    """Transcribe recordings: who said what, and when.

    One file without -o prints its transcript; with -o, or with several files or folders, transcripts are written
    into DIR under the recordings' names. A file that fails does not stop the others.

    Files that diarist wrote for the same recording are written anew. Any other file stays as it is, and so does one
    that you have changed, unless you say --overwrite.

    Examples:
      diarist transcribe call.mp3

      diarist transcribe interview.mp4 --speakers 2 -o interview.srt

      diarist transcribe recordings/ -f txt -f json -o transcripts/
    """
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
    on = on.lower()
    if live and channels is Channels.SEPARATE:
        raise InputError(
            "bad_live", "Words of separate channels are not in order before the end.", "Leave out --live or --channels."
        )
    part = read_part(start, stop, track)
    passed_over: list[str] = []
    jobs = plan_jobs(paths, formats, out, passed_over.append)
    check_jobs(jobs, overwrite=overwrite)
    with reporter(quiet=quiet, as_json=json_progress) as report:
        for line in passed_over:
            report.note(line)
        if threads is not None:  # numpy, which reads this when it is first imported, would use all cores
            os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))
        wanted = Wanted(
            model=model,
            diarizer=diarizer if diarize else None,
            language=options.language,
            device=device,
            threads=threads,
            audio_store=audio_store,
        )
        naming = _naming(speakers_named, same_speakers)
        with report.task("loading models" if on == "local" else "connecting"):
            pipeline = open_place(on, wanted, progress=report.progress, note=report.note)
        if naming is not None and not pipeline.knows_voices:
            raise InputError(
                "not_there",
                f"--speakers-named and --same-speakers need voices, which {on} does not return.",
                "Leave them out, or use --on runpod:split.",
            )
        if detach:
            send_off(pipeline, jobs, options, part, report.note, separate=channels is Channels.SEPARATE)
            return
        summary = Summary()
        deliver = partial(_deliver, overwrite=overwrite)
        hear = partial(
            _hear,
            part=part,
            pipeline=pipeline,
            options=options,
            channels=channels,
            report=report,
            naming=naming,
            live=live,
        )
        work = partial(
            _run, hear=hear, start=part.start, diarize=diarize, report=report, deliver=deliver, summary=summary
        )
        batch = len(jobs) > 1
        places = [f"{number} of {len(jobs)}" if batch else "" for number in range(1, len(jobs) + 1)]
        failed = [job.name for job, place in zip(jobs, places, strict=True) if not work(job, batch=batch, place=place)]
        if summary.files:
            report.summary(summary)
        if failed:
            done = len(jobs) - len(failed)
            report.problem(f"{done} of {len(jobs)} recordings transcribed; failed: {', '.join(failed)}.")
            raise typer.Exit(1)


def _naming(named: bool, shared: bool) -> Naming | None:
    from diarist.speakers.identify import identify
    from diarist.speakers.shared import SharedSpeakers
    from diarist.speakers.store import default_store

    voices = default_store().load() if named else ()
    if named and not voices:
        raise InputError("no_voices", "No voices are known on this machine.", "Run: diarist voices add NAME CLIP")
    if shared:
        return SharedSpeakers(voices)
    return partial(identify, voices=voices) if named else None


def _run(
    job: Errand,
    *,
    hear: Callable[[Errand], Transcript],
    start: float,
    diarize: bool,
    report: Reporter,
    batch: bool,
    place: str,
    deliver: Callable[[Transcript, Errand], None],
    summary: Summary,
) -> bool:
    """Do one job; in a batch a failure, of whatever kind, is told and False comes back, else it is raised."""
    began = time.monotonic()
    try:
        with report.file(job.name, place, diarize=diarize):
            heard = hear(job)
        transcript = heard.shifted(start)
        seconds = time.monotonic() - began
        for warning in transcript.warnings:
            report.note(f"warning: {warning}")
        deliver(transcript, job)
    except (Cancelled, BrokenPipeError):
        raise
    except DiaristError as error:
        if not batch:
            raise
        report.problem(f"{job.name}: {error}")
        return False
    except Exception as error:
        if not batch:
            raise
        report.problem(f"{job.name}: {type(error).__name__}, a fault of diarist. Alone, this file shows where.")
        return False
    summary.add(heard.duration, seconds, job.targets.values())
    return True


def _hear(
    job: Errand,
    *,
    part: Cut,
    pipeline: Pipeline,
    options: Options,
    channels: Channels,
    naming: Naming | None,
    live: bool,
    report: Reporter,
) -> Transcript:
    """Transcribe a recording, or a part of it; times are those of the part."""
    recording = parse_recording(job.source, CLI_KINDS).part(part.start, part.stop, part.track)
    if channels is Channels.MIX:
        heard = partial(report.words, start=part.start) if live else None
        return pipeline.transcribe(recording, options, report.progress, naming=naming, heard=heard)
    from diarist.pipelines.channels import transcribe_channels

    return transcribe_channels(recording, pipeline, options, report.progress, naming=naming)


def _deliver(transcript: Transcript, job: Errand, *, overwrite: bool) -> None:
    if job.targets:
        write_all(transcript, job.stem, job.targets, job.source, recording=job.source, overwrite=overwrite)
    elif sys.stdout.isatty() and job.formats == ("txt",):
        from diarist.cli.render import show

        show(transcript)
    else:
        print_out(transcript, job.formats[0], job.stem)
