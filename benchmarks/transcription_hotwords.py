"""Do hotwords help? Recall of rare words, words heard that nobody said, and word error, with and without them.

python benchmarks/transcription_hotwords.py --recordings FOLDER [--model whisper-base] [--parakeet FOLDER] --json

Rare words are those of a reference, of five letters or more, for which GPT-2's vocabulary (Whisper tiny.en's) has no
piece of their own, neither as they are nor with a capital: names above all. Every recording is transcribed four times:
without hotwords, with its own rare words, with as many of other recordings' (distractors: nobody says them), and with
both, as a list for many recordings would be. --parakeet, a folder that Parakeet runs from, adds what hotwords cost
there, on noise: without trained weights their effect cannot be measured, since random networks know no words.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import describe
from transcription_scoring import Reference, plain, recordings, score

from diarist.audio.decode import decode
from diarist.model.options import MAX_HOTWORDS, Options

LETTERS = 5


def rare_words(words: tuple[str, ...], tokenizer: Any) -> set[str]:
    def whole(word: str) -> bool:
        return len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) == 1

    long = {word for word in words if len(word) >= LETTERS and word.isalpha()}
    return {word for word in long if not whole(word) and not whole(word.capitalize())}


def measure(model: str, folder: Path, threads: int) -> dict[str, Any]:
    """Figures of each list of hotwords, over all recordings that have rare words."""
    from tokenizers import Tokenizer

    from diarist.transcription.whisper import load_whisper
    from diarist.weights.fetch import ensure

    engine = load_whisper(model, threads=threads)
    tokenizer = Tokenizer.from_file(str(ensure("whisper-tiny.en") / "tokenizer.json"))
    rare = {name: rare_words(ref.words, tokenizer) for name, _, ref in recordings(folder)}
    everywhere = sorted(set().union(*rare.values()))
    found: dict[str, Counter[str]] = {}
    for name, path, reference in recordings(folder):
        own = sorted(rare[name])
        if not own:
            continue
        others = [word for word in everywhere if word not in reference.words]
        distractors = random.Random(name).sample(others, min(len(own), len(others)))
        lists = {"none": [], "own": own, "distractors": distractors, "both": sorted([*own, *distractors])}
        audio = decode(path)
        for kind, hotwords in lists.items():
            words = engine.transcribe(audio, Options(language="en", hotwords=tuple(hotwords))).words
            found.setdefault(kind, Counter()).update(count(words, reference, own, distractors))
    return {
        "recordings": sum(bool(words) for words in rare.values()),
        "rare_words": {name: sorted(words) for name, words in rare.items() if words},
        "lists": {
            kind: {
                **row,
                "recall": round(row["recognised"] / row["said"], 3),
                "wer": round(row["errors"] / row["words"], 4),
            }
            for kind, row in found.items()
        },
    }


def count(words: Any, reference: Reference, own: list[str], distractors: list[str]) -> dict[str, int]:
    said, heard = Counter(reference.words), Counter(text for word in words for text in plain(word.text))
    one = score(words, reference)
    return {
        "said": sum(said[word] for word in own),
        "recognised": sum(min(said[word], heard[word]) for word in own),
        "own_too_often": sum(max(0, heard[word] - said[word]) for word in own),
        "distractors_heard": sum(heard[word] for word in distractors),
        "errors": one.errors,
        "words": one.reference,
    }


def cost(folder: Path, threads: int, seconds: int = 30) -> dict[str, float]:
    """CPU seconds per second of noise by number of hotwords, best of three."""
    import numpy as np

    from diarist.model.timeline import Span
    from diarist.transcription.parakeet import load_parakeet

    engine = load_parakeet(str(folder), device="cpu", threads=threads)
    sound = (np.random.default_rng(0).standard_normal(seconds * 16000) * 0.1).astype(np.float32)
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(MAX_HOTWORDS)]
    found = {}
    with engine.weights.use() as backend:
        for number in (0, 10, MAX_HOTWORDS):
            options, times = Options(hotwords=tuple(words[:number])), []
            for _ in range(3):
                began = time.process_time()
                engine.recognise(backend, [sound], [Span(0, seconds)], options)
                times.append((time.process_time() - began) / seconds)
            found[str(number)] = round(min(times), 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--parakeet", type=Path, help="also measure what hotwords cost this model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = {**describe(), "model": args.model}
    if args.parakeet:
        figures["parakeet_cpu_s_per_audio_s"] = cost(args.parakeet, args.threads)
    figures |= measure(args.model, args.recordings, args.threads)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for kind, row in figures["lists"].items():
        print(f"{kind:<14}" + "  ".join(f"{key} {value}" for key, value in row.items()))
    if args.parakeet:
        print("CPU s per audio s by number of hotwords:", figures["parakeet_cpu_s_per_audio_s"])


if __name__ == "__main__":
    main()
