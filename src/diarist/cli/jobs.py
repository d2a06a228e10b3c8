"""``diarist jobs``: jobs on RunPod that this machine submitted and that nobody here has the result of yet."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Final

import typer

from diarist.audio.recording import CLI_KINDS, Cut, parse_recording
from diarist.cli import complete
from diarist.cli.outputs import Errand as Recording
from diarist.cli.outputs import print_out, write_all
from diarist.cli.progress import reporter
from diarist.cli.terminal import clock, say
from diarist.cli.usage import App
from diarist.formats import canonical, check, format_of
from diarist.model.errors import Cancelled, DiaristError, EndpointError, InputError
from diarist.model.options import Options

if TYPE_CHECKING:
    from diarist.pipelines.base import Pipeline
    from diarist.runpod.ledger import Job
    from diarist.runpod.pipelines import EndpointPipeline

app = App(
    help="Jobs on RunPod that were detached, or whose client died: list, fetch, cancel.",
    no_args_is_help=True,
    epilog="RunPod keeps a result for half an hour. RUNPOD_API_KEY comes from the environment.",
)

_OVER: Final = frozenset({"job_lost", "job_cancelled", "endpoint_failed"})  # of the errors that are not the job's own

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or how it starts.")]


@app.command("list")
def list_jobs(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the jobs that this machine submitted and that are not over, and what RunPod says of them."""
    from diarist.runpod.ledger import Ledger

    rows = []
    for job in Ledger().jobs():
        try:
            status = _endpoint(job).status(job)
        except DiaristError as error:
            status = error.message
        rows.append({**asdict(job), "abandoned": job.abandoned, "status": status})
        if not as_json:
            here = "" if job.abandoned else "  (waited for)"
            say(f"{job.id}  {status}  {job.place}  {clock(time.time() - job.since)} ago  {job.name}{here}")
    if as_json:
        say(json.dumps(rows, ensure_ascii=False, indent=2))
    elif not rows:
        say("No jobs.", err=True)


@app.command()
def fetch(
    job_id: JobArgument,
    format_name: Annotated[
        str | None,
        typer.Option("--format", "-f", autocompletion=complete.formats, metavar="FORMAT", help="txt, json, srt, vtt …"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to this file; prints if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
) -> None:
    """Wait for a job's transcript, and print or write it.

    Examples:
      diarist transcribe long.mp3 --on runpod:single --detach

      diarist jobs fetch 1a2b -o long.srt
    """
    from diarist.runpod.ledger import Ledger, find

    chosen = canonical(format_name) if format_name else (out and format_of(out.name)) or "txt"
    check(chosen)
    ledger = Ledger()
    job = find(ledger.jobs(), job_id)
    if not job.whole:
        raise InputError(
            "half_a_job",
            f"{job.id} is one half of a transcript: words or speakers of {job.name}.",
            "Run the same command again: it goes on waiting for the halves that run.",
        )
    with reporter(quiet=quiet, as_json=False) as report:
        endpoint = _endpoint(job, report.note)
        try:
            with report.file(job.name):
                transcript = endpoint.fetch(job, report.progress)
        except DiaristError as error:
            if error.code in _OVER or not isinstance(error, (EndpointError, Cancelled)):
                ledger.remove(job)
            raise
        for warning in transcript.warnings:
            report.note(f"warning: {warning}")
    stem = PurePath(job.name).stem
    if out is None:
        print_out(transcript, chosen, stem)
    else:
        write_all(transcript, stem, {chosen: out}, overwrite=overwrite)
    ledger.remove(job)


@app.command()
def cancel(job_id: JobArgument) -> None:
    """Stop a job, and forget it."""
    from diarist.runpod.ledger import Ledger, find

    ledger = Ledger()
    job = find(ledger.jobs(), job_id)
    _endpoint(job).cancel(job)
    ledger.remove(job)
    say(f"{job.id}  cancelled", err=True)


@app.command()
def tidy() -> None:
    """Delete the recordings that runs which were killed left in an audio store."""
    from diarist.runpod.ledger import Ledger
    from diarist.runpod.store import AudioStore

    ledger = Ledger()
    left = [upload for upload in ledger.uploads() if upload.abandoned]
    for upload in left:
        AudioStore(f"s3://{upload.bucket}", ledger).delete_left(upload)
        say(f"s3://{upload.bucket}/{upload.key}  deleted", err=True)
    if not left:
        say("Nothing was left anywhere.", err=True)


def detach(
    pipeline: Pipeline,
    recordings: Sequence[Recording],
    options: Options,
    part: Cut,
    note: Callable[[str], None],
    *,
    separate: bool,
) -> None:
    """Submit a job for each recording, print their ids, and wait for nothing.

    Raises:
        InputError: the place has no job that stands for a whole transcript.
        EndpointError: the endpoint does not take a job; those before are under way.
    """
    submit = getattr(pipeline, "submit", None)
    if separate:
        raise InputError("not_there", "--channels separate is a job a channel.", "Leave out --detach.")
    if submit is None:
        raise InputError(
            "not_there",
            "--detach is for places that make the whole transcript by themselves.",
            "Use --on runpod:single or --on runpod:orchestrator.",
        )
    for recording in recordings:
        sound = parse_recording(recording.source, CLI_KINDS).part(part.start, part.stop, part.track)
        job = submit(sound, options, start=part.start)
        say(job.id)
        note(f"{recording.name}: submitted; get its transcript with: diarist jobs fetch {job.id}")


def _endpoint(job: Job, note: Callable[[str], None] = lambda _: None) -> EndpointPipeline:
    """The endpoint that has a job. The key goes to RunPod, or to the emulator of this environment, and nowhere else."""
    from diarist.runpod.deploy.api import key_from_environment
    from diarist.runpod.pipelines import EndpointPipeline
    from diarist.runpod.settings import platform_url

    url = platform_url(os.environ)
    if url != job.url:
        raise InputError("other_platform", f"{job.id} runs elsewhere, at {job.url}.", "Set DIARIST_RUNPOD_URL as then.")
    return EndpointPipeline(job.endpoint, key_from_environment(), job.place, base_url=url, note=note)
