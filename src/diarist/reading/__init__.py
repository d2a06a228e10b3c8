"""Transcripts that were written before, by diarist or by others: from a file's bytes to a `Transcript`.

Nothing is invented: what a file does not say is None, words are there only where the file has them, and the
transcript's warnings say what is missing. Errors name the file and hold nothing of what is in it.
"""

from __future__ import annotations

import re
from typing import Final

from diarist.model.errors import InputError
from diarist.model.transcript import Transcript
from diarist.reading import documents, subtitles

KINDS: Final = "diarist's JSON, SRT, WebVTT, and the JSON of WhisperX, Whisper and OpenAI's API (verbose, diarized)"
"""What can be read, for help texts and messages."""

OWN_HINT: Final = documents.OWN_HINT

HINT: Final = "Give JSON by diarist, WhisperX or OpenAI's API, SRT or WebVTT."

_MAX_SECONDS: Final = 10_000 * 3600
"""No clock shows more, and some formats could not be written."""

_START: Final = 1 << 16  # bytes that tell what a file is


def parse(document: bytes, name: str) -> Transcript:
    """Make a transcript of a file of one of `KINDS`, whatever it is called.

    Args:
        document: the file's bytes.
        name: what messages call it; its extension decides where the content leaves it open.

    Raises:
        InputError: it is none of these, is damaged, or was written by a later diarist.
    """
    match _kind(document, name):
        case "vtt":
            found = subtitles.parse_vtt(document, name)
        case "srt":
            found = subtitles.parse_srt(document, name)
        case _:
            found = documents.parse(document, name, HINT)
    return _checked(found, name)


def parse_own(document: bytes, name: str) -> Transcript:
    """Make a transcript of diarist's own JSON alone: for who writes it back.

    Raises:
        InputError: it is anything else, or was written by a later diarist.
    """
    return _checked(documents.parse_own(document, name), name)


def is_transcript(document: bytes, name: str) -> bool:
    """Whether a file says that it is a transcript; one that does may still be damaged."""
    return _kind(document, name) != "json" or documents.is_transcript(document)


def _checked(transcript: Transcript, name: str) -> Transcript:
    last = max((span.end for span in (*transcript.segments, *transcript.words, *transcript.turns)), default=0.0)
    if max(last, transcript.duration) > _MAX_SECONDS:
        raise InputError("no_transcript", f"{name} has times beyond {_MAX_SECONDS // 3600} hours.", http_status=422)
    return transcript


def _kind(document: bytes, name: str) -> str:
    start = document[:_START].decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    if start.startswith("WEBVTT") or name.lower().endswith(".vtt"):
        return "vtt"
    if name.lower().endswith(".srt") or re.match(r"(\d+\s+)?\d+:\d+:\d+[,.]\d+[ \t]*-->", start):
        return "srt"
    return "json"
