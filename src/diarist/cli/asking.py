"""Options that ``diarist transcribe`` and ``diarist archive`` share, and what they mean."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from diarist.audio.recording import Cut
from diarist.cli import complete
from diarist.cli.times import parse_time
from diarist.files import is_file, read_bounded, why
from diarist.model.errors import InputError
from diarist.model.options import MAX_SPEAKERS

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


Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        autocompletion=complete.formats,
        metavar="FORMAT",
        help="txt, json, srt, vtt, rttm …; repeat for several, or -f txt,srt.",
    ),
]
Language = Annotated[
    str | None,
    typer.Option(
        metavar="LANGUAGE",
        autocompletion=complete.languages,
        help="Language spoken: en, en-US, English, …; detected if not given, or with auto.",
    ),
]
Speakers = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, max=MAX_SPEAKERS, help="Exact number of speakers, if known.", rich_help_panel=SPEAKERS
    ),
]
MinSpeakers = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=MAX_SPEAKERS, help="At least this many.", rich_help_panel=SPEAKERS),
]
MaxSpeakers = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=MAX_SPEAKERS, help="At most this many.", rich_help_panel=SPEAKERS),
]
Diarize = Annotated[bool, typer.Option("--diarize/--no-diarize", help="Find who spoke.", rich_help_panel=SPEAKERS)]
ChannelsOption = Annotated[
    Channels,
    typer.Option(
        case_sensitive=False,
        metavar="mix|separate",
        help="separate: each channel is a party of its own, as in many calls.",
        rich_help_panel=SPEAKERS,
    ),
]
Track = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Audio track to take, counted from 1.", rich_help_panel=PART)
]
Start = Annotated[str | None, typer.Option(metavar="TIME", help="Begin here: 90, 1:30, 0:01:30.", rich_help_panel=PART)]
Stop = Annotated[str | None, typer.Option(metavar="TIME", help="End here, to try a part.", rich_help_panel=PART)]
SpeakersNamed = Annotated[
    bool,
    typer.Option("--speakers-named", help="Name voices known from: diarist voices add.", rich_help_panel=SPEAKERS),
]
TaskOption = Annotated[
    Task,
    typer.Option(
        case_sensitive=False,
        metavar="transcribe|translate",
        help="translate writes English, where the model can.",
        rich_help_panel=WORDS,
    ),
]
Hotwords = Annotated[
    str | None,
    typer.Option(
        metavar="WORDS|FILE",
        help="Names and terms to expect: separated by commas, or a file with one a line.",
        rich_help_panel=WORDS,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        min=0,
        max=1,
        help="How much chance plays in decoding; none by default.",
        rich_help_panel=WORDS,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="MODEL",
        autocompletion=complete.models,
        help="Transcription model, as large-v3 or parakeet, or a folder; auto takes the best one already here.",
        rich_help_panel=ENGINES,
    ),
]
DiarizerOption = Annotated[
    str,
    typer.Option(
        metavar="MODEL",
        autocompletion=complete.diarizers,
        help="Diarization model: community-1, 3.1, embedded, a folder, or another engine's as pyannote:MODEL; "
        "auto takes the best one already here.",
        rich_help_panel=ENGINES,
    ),
]
Device = Annotated[
    str,
    typer.Option(metavar="DEVICE", autocompletion=complete.devices, help="auto, cpu or cuda.", rich_help_panel=ENGINES),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="CPU threads; all cores if not given.", rich_help_panel=ENGINES),
]
On = Annotated[
    str,
    typer.Option(
        autocompletion=complete.places,
        metavar="PLACE",
        help="Where the engines run: local, runpod:single, runpod:split or runpod:orchestrator.",
        rich_help_panel=ENGINES,
    ),
]
AudioStore = Annotated[
    str | None,
    typer.Option(
        metavar="S3_URL",
        help="With --on: upload each recording once to s3://bucket/prefix, and delete it afterwards.",
        rich_help_panel=ENGINES,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")]
JsonProgress = Annotated[bool, typer.Option("--json-progress", help="Progress as JSON lines on standard error.")]


def read_part(start: str | None, stop: str | None, track: int | None) -> Cut:
    """The part of a recording that is meant.

    Raises:
        InputError: a time is none.
    """
    begin = parse_time(start, "--start") if start is not None else 0.0
    return Cut(begin, parse_time(stop, "--stop") if stop is not None else None, track)


def read_hotwords(given: str | None) -> tuple[str, ...]:
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
