"""``diarist models convert``: a checkpoint or float32 conversion to int8 for the CPU."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from diarist.cli.terminal import say


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A .nemo file, a folder with model.safetensors, or a folder with the float32 ONNX conversion.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The folder to write.", show_default=False)],
    recording: Annotated[
        Path | None,
        typer.Option(
            "--compare-on", metavar="FILE", help="A recording to compare both networks on; noise if not given."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the fidelity as JSON.")] = False,
) -> None:
    """Make a Parakeet model cheaper on the CPU, and say how far it then is from the original.

    Only matrix products become int8. From a checkpoint this needs the extra "convert", about four times the size of the
    checkpoint in memory (10 GB) and 1.3 times on disk. Use the result with: diarist transcribe FILE --model DIR
    """
    from diarist.audio.decode import decode
    from diarist.transcription.convert import convert as run

    sound = decode(recording).samples[: 30 * 16_000] if recording else None
    found = run(source, out, sound, lambda line: say(line, err=True))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    say(f"{out}: {found.megabytes:,.0f} MB, was {found.megabytes_before:,.0f} MB")
    typer.echo(
        f"on {found.seconds:g} s: cosine of encoder frames {found.cosine_mean:.4f} (worst {found.cosine_min:.4f}), "
        f"{found.changed} of {found.tokens} tokens changed"
    )
