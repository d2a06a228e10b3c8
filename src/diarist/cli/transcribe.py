"""``diarist transcribe``: recordings in, transcripts out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.audio.recording import CLI_KINDS, Cut, parse_recording
from diarist.cli import complete
from diarist.cli.jobs import detach as send_off
from diarist.cli.outputs import Errand, check_jobs, plan_jobs, print_out, write_all
from diarist.cli.progress import Reporter, reporter
from diarist.cli.summary import Summary
from diarist.cli.times import parse_time
from diarist.files import is_file, read_bounded, why
from diarist.model.errors import Cancelled, DiaristError, InputError
from diarist.model.options import MAX_SPEAKERS, Options
from diarist.places import Wanted, open_place

if TYPE_CHECKING:
    from diarist.model.transcript import Transcript
    from diarist.pipelines.base import Naming, Pipeline

SPEAKERS = "Speakers"
WORDS = "Words"
ENGINES = "Engines"
PART = "Part of the recording"
_MOST_HOTWORDS_BYTES = 1 << 20


class Channels(StrEnum):
    """What a recording's channels are."""

    MIX = "mix"
    SEPARATE = "separate"


class Task(StrEnum):
    """What to write."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


def transcribe(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, https URLs, or - for stdin.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            autocompletion=complete.formats,
            metavar="FORMAT",
            help="txt, json, srt, vtt, rttm …; repeat for several, or -f txt,srt.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DIR|FILE", help="Write into this folder, or to this file, e.g. talk.srt."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that diarist did not write, or that were changed since.")
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            metavar="LANGUAGE",
            autocompletion=complete.languages,
            help="Language spoken: en, en-US, English, …; detected if not given, or with auto.",
        ),
    ] = None,
    speakers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=MAX_SPEAKERS, help="Exact number of speakers, if known.", rich_help_panel=SPEAKERS
        ),
    ] = None,
    min_speakers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=MAX_SPEAKERS, help="At least this many.", rich_help_panel=SPEAKERS),
    ] = None,
    max_speakers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=MAX_SPEAKERS, help="At most this many.", rich_help_panel=SPEAKERS),
    ] = None,
    diarize: Annotated[
        bool, typer.Option("--diarize/--no-diarize", help="Find who spoke.", rich_help_panel=SPEAKERS)
    ] = True,
    channels: Annotated[
        Channels,
        typer.Option(
            case_sensitive=False,
            metavar="mix|separate",
            help="separate: each channel is a party of its own, as in many calls.",
            rich_help_panel=SPEAKERS,
        ),
    ] = Channels.MIX,
    track: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Audio track to take, counted from 1.", rich_help_panel=PART)
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin here: 90, 1:30, 0:01:30.", rich_help_panel=PART)
    ] = None,
    stop: Annotated[
        str | None, typer.Option(metavar="TIME", help="End here, to try a part.", rich_help_panel=PART)
    ] = None,
    speakers_named: Annotated[
        bool,
        typer.Option("--speakers-named", help="Name voices known from: diarist voices add.", rich_help_panel=SPEAKERS),
    ] = False,
    same_speakers: Annotated[
        bool,
        typer.Option(
            "--same-speakers", help="People keep their labels across these recordings.", rich_help_panel=SPEAKERS
        ),
    ] = False,
    task: Annotated[
        Task,
        typer.Option(
            case_sensitive=False,
            metavar="transcribe|translate",
            help="translate writes English, where the model can.",
            rich_help_panel=WORDS,
        ),
    ] = Task.TRANSCRIBE,
    hotwords: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS|FILE",
            help="Names and terms to expect: separated by commas, or a file with one a line.",
            rich_help_panel=WORDS,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=1,
            help="How much chance plays in decoding; none by default.",
            rich_help_panel=WORDS,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            autocompletion=complete.models,
            help="Transcription model, as large-v3 or parakeet, or a folder; auto takes the best one already here.",
            rich_help_panel=ENGINES,
        ),
    ] = "auto",
    diarizer: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            autocompletion=complete.diarizers,
            help="Diarization model: community-1, 3.1, embedded, a folder, or another engine's as pyannote:MODEL; "
            "auto takes the best one already here.",
            rich_help_panel=ENGINES,
        ),
    ] = "auto",
    device: Annotated[
        str,
        typer.Option(
            metavar="DEVICE", autocompletion=complete.devices, help="auto, cpu or cuda.", rich_help_panel=ENGINES
        ),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="CPU threads; all cores if not given.", rich_help_panel=ENGINES),
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            autocompletion=complete.places,
            metavar="PLACE",
            help="Where the engines run: local, runpod:single, runpod:split or runpod:orchestrator.",
            rich_help_panel=ENGINES,
        ),
    ] = "local",
    audio_store: Annotated[
        str | None,
        typer.Option(
            metavar="S3_URL",
            help="With --on: upload each recording once to s3://bucket/prefix, and delete it afterwards.",
            rich_help_panel=ENGINES,
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Show words as they are found; speakers follow when they are known.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="With --on: submit, print the job's id, and leave; diarist jobs fetch gets the transcript.",
            rich_help_panel=ENGINES,
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="Progress as JSON lines on standard error.")
    ] = False,
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
        hotwords=_hotwords(hotwords),
        temperature=temperature,
    )
    on = on.lower()
    if live and channels is Channels.SEPARATE:
        raise InputError(
            "bad_live", "Words of separate channels are not in order before the end.", "Leave out --live or --channels."
        )
    begin = parse_time(start, "--start") if start is not None else 0.0
    end = parse_time(stop, "--stop") if stop is not None else None
    part = Cut(begin, end, track)
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


def _hotwords(given: str | None) -> tuple[str, ...]:
    """Read hotwords from a file of that name if there is one, else split them at commas.

    Raises:
        InputError: the file cannot be read, or what reads like a file's name is none.
    """
    if given is None:
        return ()
    if not is_file(given):
        if "," not in given and given.lower().endswith((".txt", ".csv", ".tsv", ".md", ".lst", ".json")):
            raise InputError("bad_hotwords", f"There is no file {given}.", "Name a file, or words separated by commas.")
        words = given.split(",")
    else:
        try:
            words = read_bounded(given, _MOST_HOTWORDS_BYTES).decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError("bad_hotwords", f"{given} is not UTF-8 text.", "Save it as UTF-8, one a line.") from error
        except OSError as error:
            raise InputError("bad_hotwords", f"Cannot read hotwords from {given}: {why(error)}.") from error
    return tuple(word for word in (" ".join(word.split()) for word in words) if word)


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
