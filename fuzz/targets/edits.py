"""Lists of edits: read as ``diarist convert --edits`` does, and applied to a transcript."""

import json
import random
from pathlib import Path

from mutate import as_json, changed_value

from diarist.editing import apply, invert, read_edits, read_operations, write_operations
from diarist.model import codec
from diarist.model.transcript import Transcript

WORD = {"confidence": 0.9, "speaker": "A", "speaker_confidence": None, "overlap": False, "spaced": None}
WORDS = [{**WORD, "start": n / 2, "end": n / 2 + 0.4, "text": text} for n, text in enumerate(["Hello", "漢字", "(so)"])]
SPOKEN = {
    "schema": "diarist.transcript/1", "duration": 9.0, "language": "en", "speakers": ["A", "B"],
    "segments": [
        {"start": 0.0, "end": 1.4, "speaker": "A", "text": "Hello 漢字 (so)", "words": WORDS},
        {"start": 2.0, "end": 3.0, "speaker": "B", "text": "no times", "words": []},
        {"start": 3.0, "end": 4.0, "speaker": "B", "text": "either", "words": []},
    ],
    "turns": [{"start": 0.0, "end": 1.5, "speaker": "A", "confidence": 0.5}],
    "models": [], "timings": {}, "warnings": [], "place": {}, "spoken_language": None, "task": None,
    "temperature": None,
}  # fmt: skip
GOOD = [
    {"op": "rename", "names": {"A": "Anna"}},
    {"op": "split", "word": 1},
    {"op": "join", "first": 0, "stop": 2},
    {"op": "assign", "first": 1, "stop": 4, "speaker": "C"},
    {"op": "replace", "first": 0, "stop": 2, "text": "Hello, 汉字"},
    {"op": "replace", "first": 2, "stop": 3, "text": ""},
    {"op": "merge", "speakers": ["B"], "into": "Anna"},
    {"op": "replace", "first": 1, "stop": 1, "text": "and «one» more"},
]


def make(rng: random.Random) -> bytes:
    edits = [dict(rng.choice(GOOD)) for _ in range(rng.randrange(1, 5))]
    return as_json(rng, changed_value(rng, edits)) if rng.random() < 0.7 else json.dumps(edits).encode()


def run(data: bytes, folder: Path) -> None:  # noqa: ARG001
    transcript = codec.load(Transcript, SPOKEN)
    for edit in read_edits(data):
        undo = invert(transcript, edit)
        after = apply(transcript, edit)
        assert apply(after, undo) == transcript
        assert read_operations(write_operations([undo])) == (undo,)
        transcript = after
