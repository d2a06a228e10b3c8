"""What crosses a wire: nouns as JSON, errors as JSON strings, recordings in data URLs."""

import random
from pathlib import Path

import msgspec
from mutate import TEXTS, as_json, changed, changed_value

from diarist.audio.recording import WORKER_KINDS, data_url, parse_recording
from diarist.jobs.wire_errors import read_error, write_error
from diarist.model.codec import dump, load
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word

MODEL = ModelInfo("transcription", "m", None, "s")
WORDS = Transcription(words=(Word(0.0, 0.5, "Hello"), Word(0.5, 1.0, "you")), language="en", duration=2.0, model=MODEL)
TURNS = (Turn(0.0, 1.0, "A"), Turn(0.5, 2.0, "B"))
SPEAKERS = Diarization(turns=TURNS, exclusive=TURNS[:1], duration=2.0, model=MODEL)
ERROR = write_error(InputError("audio_empty", "It is empty.", "Record it again."))


def make(rng: random.Random) -> bytes:
    match rng.randrange(4):
        case 0:
            return b"w" + as_json(rng, changed_value(rng, dump(WORDS)))
        case 1:
            return b"d" + as_json(rng, changed_value(rng, dump(SPEAKERS)))
        case 2:
            return b"e" + as_json(rng, changed_value(rng, msgspec.json.decode(ERROR)))
        case _:
            url = data_url(rng.randbytes(rng.randrange(40)), rng.choice(TEXTS).encode("utf-8", "replace").decode())
            return b"u" + (changed(rng, url.encode()) if rng.random() < 0.7 else url.encode())


def run(data: bytes, _folder: Path) -> None:
    kind, body = data[:1], data[1:]
    if kind == b"u":
        recording = parse_recording(body.decode("utf-8", "surrogateescape"), WORKER_KINDS, max_bytes=1 << 20)
        assert recording.name.isprintable()
        assert len(recording.digest()) == 64
        return
    if kind == b"e":
        error = read_error(body.decode("utf-8", "surrogateescape"), "an endpoint")
        write_error(error)
        raise error
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return
    noun = Transcription if kind == b"w" else Diarization
    assert load(noun, dump(load(noun, value))) == load(noun, value)
