"""``diarist convert``: a saved transcript in other formats; no engine runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diarist.cli import complete
from diarist.cli.outputs import check_jobs, plan_jobs, print_out, write_all
from diarist.cli.terminal import say
from diarist.editing import Edit, apply_all, read_edits
from diarist.files import read_bounded, why
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
    edits: Annotated[
        Path | None,
        typer.Option("--edits", metavar="FILE", help="Corrections to make first: a JSON list, as above."),
    ] = None,
) -> None:
    """Write a saved transcript in other formats, without transcribing again.

    Reads JSON by diarist, WhisperX, Whisper and OpenAI's API (verbose_json, diarized_json), SRT and WebVTT.

    Examples:
      diarist convert call.json -f srt

      diarist convert call.json interview.json -f docx -f srt -o for-print/

      diarist convert call.json --edits edits.json -f docx

    With --edits, one transcript is corrected before it is written; its own file stays as it is. A list of edits:

      [{"op": "rename", "names": {"SPEAKER_00": "Anna"}},
       {"op": "assign", "first": 12, "stop": 15, "speaker": "Ben"},
       {"op": "replace", "first": 3, "stop": 4, "text": "word"}]
    """
    for folder in (path for path in paths if path not in ("", "-") and Path(path).is_dir()):
        raise InputError(
            "is_folder", f"{folder} is a folder.", f"Name files: diarist convert {folder.rstrip('/')}/*.json"
        )
    for url in (path for path in paths if "://" in path):
        raise InputError("is_url", f"{url.partition('?')[0]} is not a file here.", "Download it first.")
    if edits is not None and len(paths) > 1:
        raise InputError("edits_of_one", "Edits are of one transcript, and here are several.", "Give one FILE.")
    corrections = () if edits is None else _read(edits)
    jobs = plan_jobs(paths, formats, out)
    check_jobs(jobs, overwrite=overwrite)
    failed = 0
    for job in jobs:
        try:
            transcript, name = apply_all(read_transcript(job.source), corrections), recording_name(job.source)
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


def _read(edits: Path) -> tuple[Edit, ...]:
    try:
        return read_edits(read_bounded(edits, _MOST))
    except OSError as error:
        raise InputError("unreadable_edits", f"Cannot read {edits}: {why(error)}.", _HINT) from error
    except InputError as error:
        raise InputError(error.code, f"{edits}: {error.message}", error.hint or _HINT) from error


_MOST = 16 << 20  # bytes
_HINT = 'Give a JSON list of edits, such as [{"op": "split", "word": 12}]; docs/formats.md lists them.'
