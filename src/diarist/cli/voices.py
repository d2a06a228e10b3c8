"""``diarist voices``: the voices that ``transcribe --speakers-named`` knows by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.cli.terminal import say
from diarist.cli.usage import App

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.speakers.identify import Voice

app = App(
    help="Known voices: add them from clips, list them, remove them. They stay on this machine.", no_args_is_help=True
)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name, as transcripts will show it.")],
    consent: Annotated[
        str,
        typer.Option(
            prompt="How did this person agree to be recognised by voice (for your records)",
            metavar="NOTE",
            help="How the person agreed; kept with the voice.",
        ),
    ],
    clip: Annotated[
        Path | None, typer.Argument(metavar="CLIP", help="A recording of that person alone, ten seconds or so.")
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Instead of CLIP: a transcript that diarist wrote as JSON."),
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Who it is in that transcript, e.g. SPEAKER_00.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What was transcribed; the one of the same name beside it if not given."),
    ] = None,
    diarizer: Annotated[
        str, typer.Option(metavar="MODEL", help="Diarization model whose voices are compared.")
    ] = "auto",
) -> None:
    """Learn a voice from a clip, or from a speaker of a transcript; more clips make recognition more certain.

    A voice is biometric data: add people only with their consent.

    Examples:
      diarist voices add Anna anna.wav

      diarist voices add Anna --from call.json --speaker SPEAKER_00
    """
    from diarist.model.errors import InputError
    from diarist.speakers.store import default_store

    name, consent = " ".join(name.split()), consent.strip()
    if not name or not consent:
        raise InputError("bad_voice", "A voice needs a name and a note of consent.")
    if (clip is None) == (transcript is None):
        raise InputError(
            "bad_voice", "A voice is learnt from a clip or from a transcript.", "Give CLIP or --from FILE."
        )
    if transcript is None and (speaker is not None or recording is not None):
        raise InputError("bad_voice", "--speaker and --recording go with --from FILE.", "Leave them out.")
    audio, heard = _sound(clip, transcript, speaker, recording)
    voice = _voice(audio, diarizer, name, consent, speaker)
    store = default_store()
    stored = store.add(voice)
    if heard:
        say(f"heard {heard}")
    say(f"{stored.name}: known from {stored.seconds:.0f} s of speech, in {store.path}")


def _sound(
    clip: Path | None, transcript: Path | None, speaker: str | None, recording: Path | None
) -> tuple[Audio, str]:
    """Give the sound of one person, and where in the recording it was taken from."""
    from diarist.audio.decode import decode

    if transcript is None:
        assert clip is not None  # noqa: S101  # one of the two was given
        return decode(clip), ""
    from diarist.cli.rename import unknown_speaker
    from diarist.cli.terminal import clock
    from diarist.model.errors import InputError
    from diarist.samples import best_stretches, labels
    from diarist.saved import find_recording, read_transcript

    read = read_transcript(str(transcript))
    known = labels(read)
    if speaker is None and known:
        raise InputError("bad_voice", "Which speaker is it?", f"Add --speaker LABEL: {', '.join(known[:20])}.")
    if speaker is None or speaker not in known:
        raise unknown_speaker(speaker or "", known)
    stretches = best_stretches(read, speaker, at_most=30, seconds=10.0, total=30.0)
    if not stretches:
        raise InputError(
            "never_alone", f"{speaker} never talks alone for a second.", "Take a clip: diarist voices add NAME CLIP"
        )
    source = recording or find_recording(transcript)
    from diarist.audio.clips import cut, open_recording

    sound = cut(open_recording(source, read), stretches)
    return sound, f"{speaker} in {source.name} at {', '.join(clock(stretch.start) for stretch in stretches)}"


def _voice(audio: Audio, diarizer: str, name: str, consent: str, speaker: str | None) -> Voice:
    from diarist.engines import open_diarizer
    from diarist.model.errors import InputError
    from diarist.speakers.learn import learn

    engine = open_diarizer(diarizer)
    try:
        return learn(audio, engine, name, consent, datetime.now(tz=UTC).date().isoformat())
    except InputError as error:
        if speaker is None:
            raise
        raise InputError(
            error.code,
            error.message.replace("The clip", f"What {speaker} says alone"),
            "Hear it with: diarist samples FILE; or take a clip: diarist voices add NAME CLIP",
        ) from error


@app.command(name="list")
def list_voices(
    as_json: Annotated[bool, typer.Option("--json", help="Print voices as JSON, without their embeddings.")] = False,
) -> None:
    """List the voices known on this machine."""
    from diarist.speakers.store import default_store

    store = default_store()
    voices = store.load()
    if as_json:
        rows = [
            {"name": v.name, "model": v.model, "seconds": v.seconds, "consent": v.consent, "added": v.added}
            for v in voices
        ]
        say(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for voice in voices:
        say(f"{voice.name}  {voice.seconds:.0f} s, {voice.model}, added {voice.added}; consent: {voice.consent}")
    if not voices:
        say(f"No voices yet. Add one with: diarist voices add NAME CLIP  (kept in {store.path})")


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Whose voice to forget.")]) -> None:
    """Remove a voice."""
    from diarist.speakers.store import default_store

    default_store().remove(name)
    say(f"{name}: removed")
