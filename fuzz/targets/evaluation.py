"""References and hypotheses of every kind: read, and scored against each other."""

import random
from pathlib import Path

from mutate import TEXTS, as_json, changed_value, odd

from diarist.evaluation.annotation import read_annotation
from diarist.evaluation.measures import score
from diarist.evaluation.text import normaliser

SEGMENT = {"session_id": "call", "speaker": "A", "start_time": 0.0, "end_time": 1.5, "words": "hello there"}
LINES = {
    "stm": ("call", "1", "A", "0.0", "1.5", "<o,f0,male>", "hello", "there"),
    "ctm": ("call", "1", "0.1", "0.4", "hello", "0.9"),
    "rttm": ("SPEAKER", "call", "1", "0.0", "1.5", "<NA>", "<NA>", "A", "<NA>", "<NA>"),
    "uem": ("call", "1", "0.0", "3.0"),
}
KINDS = (*LINES, "seglst.json", "json")


def make(rng: random.Random) -> bytes:
    kind = rng.choice(KINDS)
    if kind in LINES:
        lines = [list(LINES[kind]) for _ in range(rng.choice((1, 2, 5)))]
        for _ in range(rng.choice((0, 1, 2))):
            line = rng.choice(lines)
            line[rng.randrange(len(line))] = str(odd(rng)) if rng.random() < 0.7 else rng.choice(TEXTS)
        data = "\n".join(rng.choice((" ", "\t")).join(line) for line in lines).encode("utf-8", "surrogatepass")
    else:
        data = as_json(rng, changed_value(rng, [SEGMENT, {**SEGMENT, "speaker": "B"}]))
    return bytes([KINDS.index(kind)]) + data


def run(data: bytes, folder: Path) -> None:
    path = folder / f"call.{KINDS[data[0] % len(KINDS)] if data else 'stm'}"
    path.write_bytes(data[1:])
    (folder / "other.stm").write_text("call 1 A 0 1 hello\ncall 1 B 1 2 there\n")
    (reference,) = read_annotation(folder / "other.stm").values()
    read_annotation(folder)
    for found in read_annotation(path).values():
        if len(found.utterances or ()) <= 20 and all(len(u.text) < 1000 for u in found.utterances or ()):
            score(reference, found, normaliser("none"), collar=0.25)
            score(found, reference, normaliser("none"), collar=0.0)
