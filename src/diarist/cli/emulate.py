"""``diarist emulate``: RunPod's architectures on this machine, to try before paying."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from diarist.architectures import EMULATED_IDLE_TIMEOUT, ROLES, ArchitectureName
from diarist.cli import complete
from diarist.cli.outputs import check_jobs, plan_jobs, print_out
from diarist.cli.progress import reporter
from diarist.extras import install
from diarist.model.errors import Cancelled, InputError
from diarist.model.options import Options


def emulate(
    architecture: Annotated[
        ArchitectureName, typer.Argument(metavar="ARCHITECTURE", help="single, split or orchestrator.")
    ],
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Loopback port; 0 takes a free one.")] = 0,
    file: Annotated[
        str | None, typer.Option("--transcribe", metavar="FILE", help="Send one recording through, print it, stop.")
    ] = None,
    format_name: Annotated[
        str,
        typer.Option(
            "--format", "-f", metavar="FORMAT", autocompletion=complete.formats, help="Format for --transcribe."
        ),
    ] = "txt",
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=16, help="At most this many workers per endpoint with engines.")
    ] = 1,
    idle_timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=1,
            help="Seconds after which an idle worker stops; an orchestrator's stays 60 or more.",
        ),
    ] = EMULATED_IDLE_TIMEOUT,
    keep_warm: Annotated[bool, typer.Option("--keep-warm", help="Keep one worker per endpoint running.")] = False,
    diarize: Annotated[bool, typer.Option("--diarize/--no-diarize", help="Find who spoke, for --transcribe.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="Progress as JSON lines on standard error.")
    ] = False,
) -> None:
    """Run a RunPod architecture on this machine: a local control plane and real workers.

    A development tool: the workers are the handlers that go into the images, with RunPod's own SDK, and clients see
    RunPod's API; but it knows no GPUs, prices or regions, and it listens on this machine only.

    Try it:

      diarist emulate split --transcribe call.mp3

      diarist emulate orchestrator --port 8000
    """
    _require_sdk()
    if file is not None:  # what would fail after minutes is refused at once
        check_jobs(plan_jobs([file], [format_name], None))
    from diarist.runpod.emulator.emulator import emulate as run

    with (
        reporter(quiet=quiet, as_json=json_progress) as report,
        run(
            architecture,
            port=port,
            max_workers=workers,
            min_workers=int(keep_warm),
            idle_timeout=idle_timeout,
        ) as emulator,
    ):
        if file is None:
            _until_stopped(_how_to_use(architecture, emulator.environ))
            return
        from diarist.audio.recording import CLI_KINDS, parse_recording
        from diarist.runpod.place import open_pipeline

        with report.file(Path(file).name, diarize=diarize):
            recording = parse_recording(file, CLI_KINDS)
            pipeline = open_pipeline(f"runpod:{architecture}", emulator.environ)
            transcript = pipeline.transcribe(recording, Options(diarize=diarize), report.progress)
        for warning in transcript.warnings:
            report.note(f"warning: {warning}")
        print_out(transcript, format_name, Path(file).stem)


def _require_sdk() -> None:
    from importlib.util import find_spec

    if find_spec("runpod") is None or find_spec("aiohttp") is None:
        raise InputError("no_sdk", "The emulator needs RunPod's SDK.", f"Install it: {install('runpod')}")


def _how_to_use(architecture: str, environ: Mapping[str, str]) -> str:
    exports = "\n".join(f"export {name}={value}" for name, value in environ.items() if value)
    endpoint = next(environ[role.id_variable] for role in ROLES.values() if role.id_variable in environ)
    return f"""RunPod {architecture}, emulated on this machine. Ctrl-C stops it. In another terminal:

{exports}
diarist transcribe call.mp3 --on runpod:{architecture}

or, as any client of RunPod's API:

curl -H "Authorization: Bearer $RUNPOD_API_KEY" -d '{{"input": {{"audio": "https://…"}}}}' \\
  "$DIARIST_RUNPOD_URL/{endpoint}/runsync"
"""


def _until_stopped(text: str) -> None:
    try:
        typer.echo(text)  # whoever reads it may press Ctrl-C before this returns
        while True:
            time.sleep(3600)
    except (KeyboardInterrupt, Cancelled):
        typer.echo("Stopping the workers …", err=True)
