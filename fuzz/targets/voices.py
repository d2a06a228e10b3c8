"""The store of known voices: read, compared with a recording's, and added to."""

import random
from pathlib import Path

from mutate import as_json, changed_value

from diarist.model.transcript import Diarization, ModelInfo, Turn
from diarist.speakers.identify import Voice, identify
from diarist.speakers.store import VoiceStore

VOICE = {"name": "Ada", "embedding": [0.6, 0.8], "model": "embedded", "seconds": 3.0, "consent": "", "added": ""}
GOOD = {"schema": "diarist.voices/1", "note": "", "voices": [VOICE, {**VOICE, "name": "Bea"}]}


def make(rng: random.Random) -> bytes:
    return as_json(rng, changed_value(rng, GOOD))


def run(data: bytes, folder: Path) -> None:
    store = VoiceStore(folder / "voices.json")
    store.path.write_bytes(data)
    voices = store.load()
    turn = Turn(0, 5, "A")
    heard = Diarization(
        turns=(turn,), exclusive=(turn,), duration=5, model=ModelInfo("diarization", "embedded", None, ""),
        embeddings={"A": (0.8, 0.6)},
    )  # fmt: skip
    identify(heard, voices)
    for name in ("Ada", "Cleo"):
        store.add(Voice(name=name, embedding=(0.8, 0.6), model="embedded", seconds=4.0, consent="", added=""))
    store.remove("Ada")
    store.load()
