"""Make more conversations from recordings whose every word is timed, for a comparison with less noise.

python benchmarks/attribution/remix.py RECORDINGS OUT [--minutes 5] [--per-recording 3] [--seed 0] \
    [--readers NAME…] [--phone]

Turns that nobody else overlaps are cut out of each recording in RECORDINGS that has ref.words.json (see ablation.py)
and eight turns or more, and put together in a new order with new gaps and overlaps: after every turn a pause drawn from
a normal distribution (mean 0.1 s, deviation 0.6 s, from -1.0 to 2.0 s: negative means overlap), as in meetings; every
fourth turn is cut to its first words. Speech, words and voices are real; who follows whom, and how soon, is new.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarist.audio.decode import decode

sys.path.append(str(Path(__file__).parents[1]))
from conversations import telephone

RATE = 16_000
EDGE_SECONDS = 0.05


@dataclass(frozen=True)
class Piece:
    """A turn: samples, and its words with times from its start."""

    speaker: str
    samples: NDArray[np.float32]
    words: tuple[tuple[str, float, float], ...]


def pieces(folder: Path) -> list[Piece]:
    samples = decode(next(folder.glob("audio.*"))).samples
    words = sorted(json.loads((folder / "ref.words.json").read_text()), key=lambda word: word["start"])
    found: list[Piece] = []
    run: list[dict[str, object]] = []

    def flush() -> None:
        if not run:
            return
        start, end = float(run[0]["start"]) - EDGE_SECONDS, float(run[-1]["end"]) + EDGE_SECONDS
        others = [w for w in words if w["speaker"] != run[0]["speaker"] and w["start"] < end and w["end"] > start]
        if not others and start > 0:
            timed = tuple((str(w["word"]), float(w["start"]) - start, float(w["end"]) - start) for w in run)
            found.append(Piece(str(run[0]["speaker"]), samples[int(start * RATE) : int(end * RATE)], timed))

    for word in words:
        if run and (word["speaker"] != run[-1]["speaker"] or word["start"] - run[-1]["end"] > 0.6):
            flush()
            run = []
        run.append(word)
    flush()
    return found


def conversation(
    source: list[Piece], seconds: float, chance: random.Random
) -> tuple[NDArray[np.float32], list[dict[str, object]]]:
    mix = np.zeros(int((seconds + 30) * RATE), np.float32)
    words: list[dict[str, object]] = []
    time, last = 0.5, ""
    bag: list[Piece] = []
    while time < seconds:
        fresh = [piece for piece in bag if piece.speaker != last]
        if not fresh:
            bag = chance.sample(source, len(source))
            fresh = [piece for piece in bag if piece.speaker != last]
        piece = fresh[0]
        bag.remove(piece)
        count = len(piece.words) if chance.random() > 0.25 else min(len(piece.words), chance.randint(1, 4))
        length = min(len(piece.samples), int((piece.words[count - 1][2] + EDGE_SECONDS) * RATE))
        fade = np.minimum(1, np.arange(length) / (0.01 * RATE)).astype(np.float32)
        at = int(time * RATE)
        mix[at : at + length] += piece.samples[:length] * fade * fade[::-1]
        for text, start, end in piece.words[:count]:
            times = {"start": round(time + start, 3), "end": round(time + end, 3)}
            words.append({"word": text, **times, "speaker": piece.speaker})
        last = piece.speaker
        gap = min(2.0, max(-1.0, chance.gauss(0.1, 0.6)))
        time += max(0.3, length / RATE + max(gap, -0.5 * length / RATE))
    return mix[: int((max(float(str(w["end"])) for w in words) + 0.5) * RATE)], words


def write(folder: Path, samples: NDArray[np.float32], words: list[dict[str, object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    words.sort(key=lambda word: float(str(word["start"])))
    (folder / "ref.words.json").write_text(json.dumps(words))
    lines = [f"{folder.name} 1 {w['speaker']} {w['start']} {w['end']} {w['word']}" for w in words]
    (folder / "ref.stm").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--per-recording", type=int, default=3)
    parser.add_argument("--seed", default="0", help="a number or any text")
    parser.add_argument("--readers", nargs="*", help="only these speakers; all by default")
    parser.add_argument("--phone", action="store_true", help="in telephone band")
    options = parser.parse_args()
    for folder in sorted(path.parent for path in options.recordings.glob("*/ref.words.json")):
        source = [p for p in pieces(folder) if not options.readers or p.speaker in options.readers]
        if len(source) < 8 or len({piece.speaker for piece in source}) < 2:
            continue
        for number in range(options.per_recording):
            chance = random.Random(f"{options.seed} {folder.name} {number}")
            samples, words = conversation(source, options.minutes * 60, chance)
            sound = telephone(samples) if options.phone else samples
            write(options.out / f"remix{number}_{folder.name}", sound, words)
            print(f"remix{number}_{folder.name}: {len(samples) / RATE:.0f} s, {len(words)} words")


if __name__ == "__main__":
    main()
