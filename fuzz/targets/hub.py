"""A hub cache that another program left: found, and checked."""

import os
import random
from pathlib import Path

from mutate import TEXTS, odd

from diarist.weights.locate import Places, locate
from diarist.weights.verify import verify

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME, REPO = "whisper-small", "models--Systran--faster-whisper-small"
FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")


def make(rng: random.Random) -> bytes:
    """Lines of: what is put where, and what is in it."""
    parts = [("refs/main", COMMIT)] + [(f"snapshots/{COMMIT}/{name}", "weights") for name in FILES]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = rng.randrange(len(parts))
        path, content = parts[at]
        match rng.randrange(4):
            case 0:
                parts[at] = (path, str(odd(rng))[:3000])
            case 1:
                parts[at] = (path, rng.choice(TEXTS) * 300)
            case 2:
                del parts[at]
            case _:
                parts[at] = (f"{path}/{rng.choice(TEXTS)}", content)
    return b"\n".join(f"{path}\t{content}".encode("utf-8", "surrogatepass") for path, content in parts)


def run(data: bytes, folder: Path) -> None:
    root = folder / "hub" / REPO
    for line in data[:50_000].split(b"\n")[:50]:
        name, _, content = line.partition(b"\t")
        path = os.path.join(os.fsencode(root), name.replace(b"..", b"").lstrip(b"/").replace(b"\0", b""))
        if name.count(b"/") > 20:
            continue
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        except OSError:
            continue
    where = Places(cache=folder / "cache", hub_cache=folder / "hub", explicit=root, runpod_volume=folder / "hub")
    if locate(NAME, where):
        verify(NAME, where=where)
