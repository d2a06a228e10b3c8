"""``diarist convert``: a saved transcript in other formats; no engine runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diarist.cli import complete
from diarist.cli.outputs import check_jobs, plan_jobs, print_out, write_all
from diarist.cli.terminal import say
from diarist.model.errors import Cancelled, DiaristError, InputError
from diarist.saved import read_transcript, recording_beside, recording_name


def convert(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Transcripts, or - for stdin: JSON, SRT or WebVTT."),
    ],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            autocompletion=complete.formats,
            metavar="FORMAT",
            help="As in: diarist formats; repeat for several.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DIR|FILE", help="Write files here instead of printing."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files there, whoever wrote them.")] = False,
) -> None:
    """Write a saved transcript in other formats, without transcribing again.

    Reads JSON by diarist, WhisperX, Whisper and OpenAI's API (verbose_json, diarized_json), SRT and WebVTT.

    Examples:
      diarist convert call.json -f srt

      diarist convert call.json interview.json -f docx -f srt -o for-print/
    """
    for folder in (path for path in paths if path not in ("", "-") and Path(path).is_dir()):
        raise InputError(
            "is_folder", f"{folder} is a folder.", f"Name files: diarist convert {folder.rstrip('/')}/*.json"
        )
    for url in (path for path in paths if "://" in path):
        raise InputError("is_url", f"{url.partition('?')[0]} is not a file here.", "Download it first.")
    jobs = plan_jobs(paths, formats, out)
    check_jobs(jobs, overwrite=overwrite)
    failed = 0
    for job in jobs:
        try:
            transcript, name = read_transcript(job.source), recording_name(job.source)
            # What diarist made has told its warnings when it was made.
            for warning in () if transcript.models else transcript.warnings:
                say(f"warning: {job.source}: {warning}", err=True)
            if job.targets:
                sound = recording_beside(job.source)
                write_all(transcript, name, job.targets, job.source, recording=sound, overwrite=overwrite)
            else:
                print_out(transcript, job.formats[0], name)
        except Cancelled:
            raise
        except DiaristError as error:
            if len(jobs) == 1:
                raise
            failed += 1
            say(f"error: {error}", err=True)
    if failed:
        say(f"{len(jobs) - failed} of {len(jobs)} transcripts converted.", err=True)
        raise typer.Exit(1)
