"""Make conversations of readers: how many people they hold is known, and so is who speaks when.

python benchmarks/conversations.py RECORDINGS OUT [--readers 2033 2609 …] [--number 30] [--seed 0]

Turns that nobody overlaps are cut out of the recordings in RECORDINGS that have ref.words.json or ref.rttm (one folder
each, with one label for a reader in all of them). Each conversation draws its readers and puts their turns together as
in meetings: after every turn a pause from a normal distribution (mean 0.1 s, deviation 0.6 s, from -1.0 to 2.0 s:
negative means overlap). Three kinds take turns:

- ``phone``: three readers or four in the telephone band (300 to 3,400 Hz at 8 kHz, in 8-bit μ-law),
- ``rare``: two readers or three, and one more who speaks less than a twentieth of the time,
- ``plain``: two readers to four, in full band; every second has a fifth of its turns whispered (noise shaped by the
  speech's own spectrum).

With ``--short`` two kinds take turns instead, of 30 to 60 s, in which two to four readers say sentences of at most 6 s:
``short`` in full band and ``short-phone`` in the telephone band.

With ``--single`` every reader besides speaks alone, in full and in telephone band: none of them may become two.
"""

from __future__ import annotations

import argparse
import json
import random
import wave
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from diarist.audio.decode import decode
from diarist.evaluation.annotation import read_annotation
from diarist.model.timeline import Span, union

RATE = 16_000
LEAST = 12  # seconds of a reader in one recording
Float = NDArray[np.float32]


def readers(recordings: Path) -> dict[str, list[list[Float]]]:
    """For each reader and each recording of theirs: the turns, of 1 to 15 s, in which nobody else speaks.

    Recordings are not mixed within a conversation: a reader who moved to another room would sound like two.
    """
    found: defaultdict[str, list[list[Float]]] = defaultdict(list)
    for folder in sorted(path.parent for path in recordings.glob("*/ref.rttm")):
        meta = folder / "meta.json"
        if "ibri" not in (meta.read_text() if meta.exists() else "ibri"):
            continue
        turns = read_annotation(folder)[folder.name].turns or ()
        samples = decode(next(folder.glob("audio.*"))).samples
        for reader in sorted({turn.speaker for turn in turns}):
            others = [Span(max(0.0, t.start - 0.1), t.end + 0.1) for t in turns if t.speaker != reader]
            pieces: list[Float] = []
            for span in union(Span(t.start, t.end) for t in turns if t.speaker == reader):
                if any(span.intersection(other) > 0 for other in others):
                    continue
                for start in np.arange(span.start, span.end - 1, 15):
                    piece = samples[int(start * RATE) : int(min(start + 15, span.end) * RATE)]
                    if len(piece) >= RATE:
                        pieces.append(piece / max(1e-3, float(np.sqrt(np.mean(piece**2)))) * 0.06)
            if sum(map(len, pieces)) > LEAST * RATE:
                found[reader].append(pieces)
    return dict(found)


def telephone(samples: Float) -> Float:
    """The telephone band, with what its 8 bits add."""
    band = signal.butter(6, [300, 3400], "bandpass", fs=RATE, output="sos")
    narrow = signal.resample_poly(signal.sosfilt(band, samples), 1, 2).clip(-1, 1)
    law = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    coarse = np.rint(law * 127) / 127
    linear = np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256)) / 255
    return np.asarray(signal.resample_poly(linear, 2, 1), np.float32)[: len(samples)]


def whispered(samples: Float, chance: np.random.Generator) -> Float:
    """Noise with the spectrum that the speech has at each moment: what is left of a voice without its pitch."""
    _, _, frames = signal.stft(samples, RATE, nperseg=512)
    envelope = signal.medfilt2d(np.abs(frames), (9, 1))
    _, noise = signal.istft(envelope * np.exp(2j * np.pi * chance.random(frames.shape)), RATE, nperseg=512)
    return np.asarray(np.pad(noise, (0, max(0, len(samples) - len(noise))))[: len(samples)], np.float32)


def conversation(
    voices: dict[str, list[list[Float]]],
    shares: dict[str, float],
    seconds: float,
    whispering: float,
    seed: str,
    most: float = 15,
) -> tuple[Float, list[tuple[float, float, str]]]:
    """Put turns of at most ``most`` seconds together so that each reader gets about their share of the speech."""
    chance, noise = random.Random(seed), np.random.default_rng(random.Random(seed).getrandbits(32))
    mix = np.zeros(int((seconds + 40) * RATE), np.float32)
    source = {reader: chance.choice(voices[reader]) for reader in shares}
    bags: dict[str, list[Float]] = {reader: [] for reader in shares}
    spoken = dict.fromkeys(shares, 0.0)
    level = {reader: 10 ** (chance.gauss(0, 2) / 20) for reader in shares}
    turns: list[tuple[float, float, str]] = []
    time, last, before = 0.5, "", ""
    while time < seconds or any(not spoken[reader] for reader in shares):
        # Two talk for a while; then whoever is farthest behind their share comes in.
        due = min((r for r in shares if r != last), key=lambda r: spoken[r] / shares[r])
        reader = before if before in shares and chance.random() < 0.5 and shares[before] > 0.1 else due
        if not bags[reader]:
            bags[reader] = chance.sample(source[reader], len(source[reader]))
        piece = bags[reader].pop()
        longest = most if shares[reader] > 0.1 else 2.5
        piece = piece[: int(chance.choice([2, 4, 8, longest]) * RATE)][: int(longest * RATE)]
        if chance.random() < whispering:
            piece = whispered(piece, noise)
        fade = np.minimum(1, np.arange(len(piece)) / (0.01 * RATE)).astype(np.float32)
        at = int(time * RATE)
        mix[at : at + len(piece)] += piece * fade * fade[::-1] * level[reader]
        length = len(piece) / RATE
        turns.append((time, time + length, reader))
        spoken[reader] += length
        last, before = reader, last
        gap = min(2.0, max(-1.0, chance.gauss(0.1, 0.6)))
        time += max(0.3, length + max(gap, -0.5 * length))
    end = max(turn[1] for turn in turns) + 0.5
    mix = mix[: int(end * RATE)]
    return mix + noise.normal(0, 0.0006, len(mix)).astype(np.float32), turns


def write(folder: Path, samples: Float, turns: list[tuple[float, float, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    lines = [f"SPEAKER {folder.name} 1 {a:.3f} {b - a:.3f} <NA> <NA> {who} <NA> <NA>" for a, b, who in sorted(turns)]
    (folder / "ref.rttm").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--readers", nargs="*", help="only these; all by default")
    parser.add_argument("--number", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--single", action="store_true")
    options = parser.parse_args()
    source = {r: p for r, p in readers(options.recordings).items() if not options.readers or r in options.readers}
    print("readers:", json.dumps({r: [round(sum(map(len, pieces)) / RATE) for pieces in p] for r, p in source.items()}))
    for number in range(options.number):
        kinds = ("short", "short-phone") if options.short else ("phone", "rare", "plain")
        kind = kinds[number % len(kinds)]
        seed = f"{options.seed} {kind} {number}"
        chance = random.Random(seed)
        low, high = (3, 4) if kind in ("phone", "rare") else (2, 4)
        people = chance.sample(sorted(source), min(chance.randint(low, high), len(source)))
        shares = {reader: chance.uniform(0.5, 1.5) for reader in people}
        if kind == "rare":
            shares[people[-1]] = 0.035 * sum(shares.values())
        total = sum(shares.values())
        samples, turns = conversation(
            source,
            {reader: share / total for reader, share in shares.items()},
            chance.uniform(30, 55) if options.short else options.seconds,
            0.2 if kind == "plain" and number % 2 else 0,
            seed,
            6 if options.short else 15,
        )
        name = f"{kind}{number:02d}_{len(people)}"
        write(options.out / name, telephone(samples) if "phone" in kind else samples, turns)
        print(f"{name}: seed {seed!r}, {len(samples) / RATE:.0f} s, {' '.join(people)}")
    if options.single:
        for reader, recordings in source.items():
            for number, pieces in enumerate(recordings):
                alone = np.concatenate(pieces)[: int(options.seconds * RATE)]
                turns = [(0.0, len(alone) / RATE, reader)]
                write(options.out / f"single{number}_{reader}_1", alone, turns)
                write(options.out / f"single-phone{number}_{reader}_1", telephone(alone), turns)


if __name__ == "__main__":
    main()
