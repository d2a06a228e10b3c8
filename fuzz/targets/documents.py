"""Profiles and prices, which people hand on to each other."""

import os
import random
from importlib import resources
from pathlib import Path

import msgspec
from mutate import as_json, changed_value

from diarist.planning.prices import load_prices
from diarist.planning.profiles import load_profile

FOLDER = resources.files("diarist.planning")
PROFILE = msgspec.json.decode(next(f for f in (FOLDER / "profiles").iterdir() if f.name.endswith(".json")).read_bytes())
PRICES = msgspec.json.decode((FOLDER / "prices.json").read_bytes())


def make(rng: random.Random) -> bytes:
    return as_json(rng, changed_value(rng, rng.choice((PROFILE, PRICES))))


def run(data: bytes, folder: Path) -> None:
    path = folder / "p.json"
    path.write_bytes(data)
    os.environ["DIARIST_PRICES"] = str(path)
    if b"per_audio_second" in data:
        load_profile(str(path))
    else:
        load_prices().pool_prices()
