"""Saved transcripts: read as ``diarist convert`` does, and written in every format."""

import random
from contextlib import suppress
from pathlib import Path

from mutate import as_json, changed_value

from diarist.formats import FORMATS, render
from diarist.model.errors import InputError
from diarist.saved import read_transcript

WORDS = [
    {"start": 0.0, "end": 0.5, "text": "Hello", "confidence": 0.9, "speaker": "A", "speaker_confidence": 0.8,
     "overlap": False, "spaced": True},
    {"start": 0.5, "end": 1.0, "text": "漢字", "confidence": None, "speaker": "A", "speaker_confidence": None,
     "overlap": True, "spaced": None},
]  # fmt: skip
GOOD = {
    "schema": "diarist.transcript/1", "duration": 3.0, "language": "en", "speakers": ["A", "B"],
    "segments": [
        {"start": 0.0, "end": 1.0, "speaker": "A", "text": "Hello 漢字", "words": WORDS},
        {"start": 1.0, "end": 3.0, "speaker": None, "text": "<i>x</i> --> y", "words": []},
    ],
    "turns": [
        {"start": 0.0, "end": 1.0, "speaker": "A", "confidence": 0.5},
        {"start": 0.5, "end": 3.0, "speaker": "B", "confidence": None},
    ],
    "models": [{"task": "transcription", "name": "m", "revision": None, "engine": "e"}],
    "timings": {"decode": 0.1}, "warnings": ["w"], "place": {"where": "here"}, "spoken_language": "en",
    "task": "transcribe", "temperature": 0.0,
}  # fmt: skip


def make(rng: random.Random) -> bytes:
    return as_json(rng, changed_value(rng, GOOD))


def run(data: bytes, folder: Path) -> None:
    path = folder / "call.json"
    path.write_bytes(data)
    transcript = read_transcript(str(path))
    for name in FORMATS:
        with suppress(InputError):  # ctm needs a time for every word
            written = render(transcript, name, name="a" * 300, recording="call.mp3")
            if isinstance(written, str):
                written.encode()
