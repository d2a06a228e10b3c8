"""``diarist bench``: how fast this machine is, and how long its workers take to start."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from diarist.cli import complete
from diarist.model.errors import InputError


def bench(
    recording: Annotated[
        Path | None,
        typer.Argument(metavar="RECORDING", help="Real speech, 2 minutes or more; else the sample call, repeated."),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", metavar="FILE", help="Write a profile for diarist plan: FILE.json.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", autocompletion=complete.models, help="As in transcribe.")
    ] = "auto",
    diarizer: Annotated[
        str, typer.Option(metavar="MODEL", autocompletion=complete.diarizers, help="As in transcribe.")
    ] = "auto",
    device: Annotated[
        str, typer.Option(metavar="DEVICE", autocompletion=complete.devices, help="auto, cpu or cuda.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="CPU threads; all cores if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the profile as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure starts and speeds on this machine, each in processes of their own.

    Example:
      diarist bench meeting.wav --profile here.json && diarist plan --profile here.json --gpu "RTX 3090"
    """
    import msgspec

    from diarist.cli.progress import reporter
    from diarist.cli.terminal import say
    from diarist.planning.measure import Engines, long_enough, measure_profile
    from diarist.planning.profiles import save_profile
    from diarist.weights.fetch import ensure

    if profile is not None and profile.suffix != ".json":
        raise InputError("bad_profile", f"A profile is a .json file, not {profile.name!r}.")
    with (
        tempfile.TemporaryDirectory() as folder,
        reporter(quiet=quiet, as_json=False) as report,
        report.task("measuring"),
    ):
        source = recording or long_enough(ensure("sample-telephone") / "sample.wav", Path(folder))
        found = measure_profile(
            profile.stem if profile else "here",
            source,
            Engines(model=model, diarizer=diarizer, device=device, threads=threads),
            command=shlex.join(["diarist", *(Path(word).name if "/" in word else word for word in sys.argv[1:])]),
            progress=report.progress,
        )
    if profile:
        save_profile(found, profile)
        say(f"Written: {profile}. Try: diarist plan --profile {profile}", err=True)
    if as_json:
        say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    say(f"{found.hardware}; {found.models}")
    if recording is None:
        say("Measured on the sample call, repeated to two minutes; a recording of your own tells more.", err=True)
    for name, speed in (
        ("transcription", found.transcription),
        ("diarization", found.diarization),
        ("both at once", found.both),
    ):
        slope = speed.per_audio_second.value
        factor = f"{1 / slope:.1f} times real time" if slope else "too short to tell"
        say(f"{name:14} {factor}, and {speed.per_request.value:.2f} s per request")
    for role, phases in found.starts.items():
        measured = {name: phase.seconds.value for name, phase in phases.items() if phase.seconds.kind == "measured"}
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in measured.items())
        say(f"start of {role:13} {sum(measured.values()):.2f} s: {steps}")
