"""What whisper-asr-webservice answers at ``/asr``: JSON, lines of text, and a table in milliseconds.

Its SubRip and WebVTT are formats that we have; ours keep the rules of `diarist.formats.cues`.
"""

from __future__ import annotations

from typing import Any

from diarist.formats.openai import pieces, verbose
from diarist.model.transcript import Segment, Transcript, Word


def asr_json(transcript: Transcript, *, words: bool = False) -> dict[str, Any]:
    """Write ``output=json``: text, language (a code, empty where unknown), and segments with the speaker of each.

    Numbers of segments are those of `diarist.formats.openai.verbose`.

    Args:
        transcript: what to write.
        words: whether each segment lists its words (``word_timestamps``).
    """
    numbers = verbose(transcript, words=False, details=True)["segments"]
    return {
        "text": transcript.text,
        "segments": [
            {**each, **({"words": list(_words(segment, transcript.language))} if words else {})}
            for each, segment in zip(numbers, transcript.segments, strict=True)
        ],
        "language": transcript.language or "",
    }


def asr_txt(transcript: Transcript) -> str:
    """Write ``output=txt``: a line for each segment, its speaker before it in brackets where one is known."""
    return "".join(f"{_label(segment)}{_line(segment.text)}\n" for segment in transcript.segments)


def asr_tsv(transcript: Transcript) -> str:
    """Write ``output=tsv``: start and end in whole milliseconds, and the text."""
    rows = (
        f"{round(s.start * 1000)}\t{round(s.end * 1000)}\t{_label(s)}{_line(s.text)}\n" for s in transcript.segments
    )
    return "start\tend\ttext\n" + "".join(rows)


def _words(segment: Segment, language: str | None) -> list[dict[str, Any]]:
    return [_word(word, piece) for word, piece in zip(segment.words, pieces(segment.words, language), strict=True)]


def _word(word: Word, piece: str) -> dict[str, Any]:
    return {
        "start": word.start,
        "end": word.end,
        "word": piece,
        **({"probability": word.confidence} if word.confidence is not None else {}),
        **({"speaker": word.speaker} if word.speaker else {}),
    }


def _label(segment: Segment) -> str:
    return f"[{_line(segment.speaker)}]: " if segment.speaker else ""


def _line(text: str) -> str:
    return " ".join(text.split())
