"""Transcripts that others wrote: subtitles and JSON, read as ``diarist convert`` does, and written in every format."""

import random
from contextlib import suppress
from pathlib import Path

from mutate import TEXTS, as_json, changed_value

from diarist.formats import FORMATS, render
from diarist.model.errors import InputError
from diarist.saved import read_transcript

WORDS = [
    {"word": "Hello", "start": 0.0, "end": 0.5, "score": 0.9, "speaker": "A"},
    {"word": "2014"},
    {"word": "漢字", "start": 0.9, "end": 1.0, "probability": 0.5, "speaker": "B"},
]
SEGMENTS = [
    {"start": 0.0, "end": 1.0, "text": " Hello 2014 漢字", "speaker": "A", "words": WORDS},
    {"type": "transcript.text.segment", "start": 1.0, "end": 3.0, "text": "<i>x</i> --> y", "speaker": "unknown"},
]
GOOD = (
    {"segments": SEGMENTS, "word_segments": WORDS, "language": "en"},
    {"task": "transcribe", "duration": "3.0", "language": "german", "text": "Hello, 2014 漢字.", "words": WORDS},
    {"text": "Hello 2014 漢字 x y", "segments": [{**each, "words": None} for each in SEGMENTS], "words": WORDS},
)
LINES = (
    "WEBVTT", "Language: de", "", "1", "00:00:01,000 --> 00:00:02,500", "01:00.000 --> 01:02.000 align:start",
    "99:59:59.999 --> 100:00:00,000", "Anna: Hi.", "- BEN: Ho!", "<v.loud Anna &amp; Co>Hi</v> <v Ben>Ho", "NOTE no",
    "<00:00:01.500><c>word</c>", "{\\an8}x", "小明：你好", "&lt;&#0;&#xd800;&notin", "-->",
)  # fmt: skip


def make(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return b"j" + as_json(rng, changed_value(rng, rng.choice(GOOD)))
    lines = [rng.choice(LINES) if rng.random() < 0.9 else rng.choice(TEXTS) for _ in range(rng.choice((1, 5, 20)))]
    start = rng.choice(("", "WEBVTT\n\n", "1\n00:00:00,000 --> 00:00:01,000\n"))
    return b"s" + (start + rng.choice(("\n", "\r\n")).join(lines)).encode("utf-8", "surrogatepass")


def run(data: bytes, folder: Path) -> None:
    path = folder / f"call.{ {b'j': 'json', b's': 'srt'}.get(data[:1], 'vtt') }"
    path.write_bytes(data[1:])
    transcript = read_transcript(str(path))
    for name in FORMATS:
        with suppress(InputError):  # one format may have no place for what another has
            written = render(transcript, name, name="call")
            if isinstance(written, str):
                written.encode()
