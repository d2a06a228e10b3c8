"""``diarist samples``: a few short clips of each speaker, to hear who is who."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diarist.cli.terminal import clock, say
from diarist.files import write_whole
from diarist.model.errors import InputError
from diarist.samples import best_stretches, file_names, labels
from diarist.saved import find_recording, read_transcript

CLIPS = 3
SECONDS = 8.0


def samples(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A transcript that diarist wrote as JSON.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where the clips go; FILE-samples beside it if not given."),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What was transcribed; the one of the same name beside FILE if not given."),
    ] = None,
) -> None:
    """Write three short clips of each speaker, to hear who is who.

    Each clip is a stretch in which that speaker talks alone, eight seconds at most.

    Examples:
      diarist samples call.json

      diarist rename call.json SPEAKER_00=Anna
    """
    transcript = read_transcript(str(path))
    known = labels(transcript)
    if not known:
        raise InputError("no_speakers", "The transcript has no speakers.", "Transcribe without --no-diarize.")
    source = recording or find_recording(path)
    from diarist.audio.clips import cut, open_recording, wav

    audio = open_recording(source, transcript)
    folder = out or path.with_name(f"{path.stem}-samples")
    for label, name in zip(known, file_names(known), strict=True):
        stretches = best_stretches(transcript, label, at_most=CLIPS, seconds=SECONDS)
        say(f"{label}:" + ("" if stretches else " never talks alone for a second"))
        for number, stretch in enumerate(stretches, 1):
            file = folder / f"{name}-{number}.wav"
            write_whole(file, wav(cut(audio, [stretch])), hint="Free some space or choose another -o DIR.")
            say(f"  {clock(stretch.start)}  {stretch.duration:.1f} s  {file}")
    say(f"To give a speaker a name: diarist rename {path} {known[0]}=NAME", err=True)
