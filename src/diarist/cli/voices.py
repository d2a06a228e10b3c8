"""``diarist voices``: the voices that ``transcribe --speakers-named`` knows by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Known voices: add them from clips, list them, remove them. They stay on this machine.", no_args_is_help=True
)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name, as transcripts will show it.")],
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A recording of that person alone, ten seconds or so.")],
    consent: Annotated[
        str,
        typer.Option(
            prompt="How did this person agree to be recognised by voice (for your records)",
            help="How the person agreed; kept with the voice.",
        ),
    ],
    diarizer: Annotated[str, typer.Option(help="Diarization model whose voices are compared.")] = "auto",
) -> None:
    """Learn a voice from a clip; more clips of one person make recognition more certain.

    A voice is biometric data: add people only with their consent.
    """
    from diarist.audio.decode import decode
    from diarist.diarization.pipeline import load_diarizer
    from diarist.engines import auto_diarizer
    from diarist.model.errors import InputError
    from diarist.model.options import Options
    from diarist.speakers import default_store, voice_of

    name, consent = " ".join(name.split()), consent.strip()
    if not name or not consent:
        raise InputError("bad_voice", "A voice needs a name and a note of consent.")
    chosen = auto_diarizer().name if diarizer == "auto" else diarizer
    audio = decode(clip)
    found = load_diarizer(chosen).diarize(audio, Options())
    store = default_store()
    stored = store.add(voice_of(found, name, consent, datetime.now(tz=UTC).date().isoformat()))
    typer.echo(f"{stored.name}: known from {stored.seconds:.0f} s of speech, in {store.path}")


@app.command(name="list")
def list_voices(
    as_json: Annotated[bool, typer.Option("--json", help="Print voices as JSON, without their embeddings.")] = False,
) -> None:
    """List the voices known on this machine."""
    from diarist.speakers import default_store

    store = default_store()
    voices = store.load()
    if as_json:
        rows = [
            {"name": v.name, "model": v.model, "seconds": v.seconds, "consent": v.consent, "added": v.added}
            for v in voices
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for voice in voices:
        typer.echo(f"{voice.name}  {voice.seconds:.0f} s, {voice.model}, added {voice.added}; consent: {voice.consent}")
    if not voices:
        typer.echo(f"No voices yet. Add one with: diarist voices add NAME CLIP  (kept in {store.path})")


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Whose voice to forget.")]) -> None:
    """Forget a voice."""
    from diarist.speakers import default_store

    default_store().remove(name)
    typer.echo(f"{name}: forgotten")
