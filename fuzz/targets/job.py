"""A job's input, for each kind of endpoint, and what a worker makes of its recording before it decodes it."""

import random
from pathlib import Path

import msgspec
from mutate import as_json, changed_value

from diarist.audio.recording import WORKER_KINDS, parse_recording
from diarist.jobs.request import DiarizationJob, SpeakerTextJob, TranscriptionJob, read_job
from diarist.jobs.runner import failure
from diarist.jobs.sameness import same_work
from diarist.model.errors import DiaristError

AUDIO = (
    "https://example.org/call.mp3?sig=x", "data:audio/wav;name=a%20call.wav;base64,UklGRg==", "UklGRg==",
    "volume:a/b.wav", "https://xn--zzzzzzzz/x", "data:;base64", "data:,%ff%00", "volume:../../etc/passwd",
    "file:///etc/passwd", "-", "",
)  # fmt: skip
TURN = {"start": 0.0, "end": 1.5, "speaker": "A"}
GOOD = {
    "audio": AUDIO[0], "language": "en", "response_format": "diarist", "num_speakers": 2, "min_speakers": 1,
    "max_speakers": 3, "hotwords": ["diarist"], "diarize": True, "result_put_url": "https://example.org/put",
    "request_id": "abc", "diarization_segments": [TURN, {**TURN, "speaker": "B"}], "timestamp_granularities": ["word"],
}  # fmt: skip


def make(rng: random.Random) -> bytes:
    names = [name for name in GOOD if name == "audio" or rng.random() < 0.4]
    value = {name: rng.choice(AUDIO) if name == "audio" and rng.random() < 0.5 else GOOD[name] for name in names}
    return as_json(rng, changed_value(rng, value))


def run(data: bytes, folder: Path) -> None:
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return
    same_work("1", value)
    refusal: DiaristError | None = None
    for kind in (SpeakerTextJob, TranscriptionJob, DiarizationJob):
        try:
            job = read_job(kind, value)
            job.options()
            parse_recording(job.audio, WORKER_KINDS, volume=folder, max_bytes=1 << 20)
            if kind is TranscriptionJob:
                job.diarization(10.0)
        except DiaristError as error:
            failure(error).encode()
            refusal = error
    if refusal is not None:
        raise refusal
