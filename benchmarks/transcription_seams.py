"""Are words lost or doubled where windows meet? Random cuts through real speech, against the uncut result.

python benchmarks/transcription_seams.py --recordings FOLDER [--model whisper-tiny.en] [--cuts 50] [--seed 0 1 2 3]

Stretches of 24 s are recognised whole, then as two windows that meet at a random time, in the middle of words too, each
hearing 2 s beyond the cut; both results are joined as long audio is. Counted, within 3 s of the cut:

* missing: words of the uncut result that the joined one lacks; of these, lost at the seam are those which one of the
  windows did recognise (the others neither recognised: another context, another guess);
* added: words the uncut result lacks; of these, doubled at the seam are those that stand twice in a row or that
  overlap a neighbour's time by more than half.

Net is lost minus doubled.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from machine import describe
from rapidfuzz.distance import Levenshtein
from transcription_scoring import plain, recordings

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.model.timeline import Span
from diarist.model.transcript import Word
from diarist.transcription.hearing import Hearing
from diarist.transcription.whisper import Whisper, believed, load_whisper
from diarist.transcription.windows import OVERLAP, join

CLIP = 24.0
ZONE = 3.0


def recognise(engine: Whisper, audio: Audio, span: Span) -> list[Word]:
    hearing = Hearing(audio)
    (segments,) = engine._decode([hearing.cut(span)], "en")  # noqa: SLF001
    return believed(segments, span.start, hearing.probability, hearing.regions)


def texts(words: list[Word]) -> list[str]:
    return ["".join(plain(word.text)) for word in words]


def compare(whole: list[Word], joined: list[Word], sides: list[Word], cut: float) -> dict[str, list[str]]:
    """Words missing and added near the cut, by kind."""
    found: dict[str, list[str]] = {"lost": [], "unrecognised": [], "doubled": [], "other": []}
    known = list(zip(sides, texts(sides), strict=True))
    for step in Levenshtein.opcodes(texts(whole), texts(joined)):
        if step.tag == "equal":
            continue
        gone, new = whole[step.src_start : step.src_end], joined[step.dest_start : step.dest_end]
        paired = min(len(gone), len(new))  # substitutions: another guess for the same sound
        for word in gone[paired:]:
            if abs(word.midpoint - cut) <= ZONE:
                text = texts([word])[0]
                seen = any(text == other and abs(side.midpoint - word.midpoint) <= 0.5 for side, other in known)
                found["lost" if seen else "unrecognised"].append(word.text)
        for index, word in enumerate(new[paired:], step.dest_start + paired):
            if abs(word.midpoint - cut) <= ZONE:
                near = [joined[i] for i in (index - 1, index + 1) if 0 <= i < len(joined)]
                twice = any(
                    texts([word]) == texts([other])
                    or word.intersection(other) > 0.5 * min(word.duration, other.duration)
                    for other in near
                )
                found["doubled" if twice else "other"].append(word.text)
    return found


def stretches(
    sounds: list[tuple[str, Audio]], args: argparse.Namespace
) -> Iterator[tuple[str, float, Audio, list[float]]]:
    """Name of the recording, start of the stretch in it, the stretch, and times in it at which to cut."""
    for seed in args.seed:
        chance, missing = random.Random(seed), args.cuts
        while missing:
            name, audio = chance.choices(sounds, [audio.duration for _, audio in sounds])[0]
            start = chance.uniform(0, audio.duration - CLIP)
            samples = audio.samples[int(start * SAMPLE_RATE) : int((start + CLIP) * SAMPLE_RATE)]
            places = [chance.uniform(6, CLIP - 6) for _ in range(min(args.per_stretch, missing))]
            missing -= len(places)
            yield name, start, Audio(samples), places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--model", default="whisper-tiny.en")
    parser.add_argument("--cuts", type=int, default=50, help="for each seed")
    parser.add_argument("--per-stretch", type=int, default=5)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    engine = load_whisper(args.model, threads=args.threads)
    sounds = [(name, decode(path)) for name, path, _ in recordings(args.recordings)]
    sounds = [(name, audio) for name, audio in sounds if audio.duration > CLIP + 1]
    totals = {"lost": 0, "unrecognised": 0, "doubled": 0, "other": 0}
    words = cuts = 0
    examples = []
    for name, start, clip, places in stretches(sounds, args):
        whole = recognise(engine, clip, Span(0, CLIP))
        for cut in places:
            left = recognise(engine, clip, Span(0, cut + OVERLAP))
            right = recognise(engine, clip, Span(cut - OVERLAP, CLIP))
            joined = join(left, right, Span(cut - OVERLAP, cut + OVERLAP))
            found = compare(whole, joined, [*left, *right], cut)
            words += sum(abs(word.midpoint - cut) <= ZONE for word in whole)
            cuts += 1
            for kind, some in found.items():
                totals[kind] += len(some)
            if found["lost"] or found["doubled"]:
                near = [w.text for w in joined if abs(w.midpoint - cut) <= ZONE]
                was = [w.text for w in whole if abs(w.midpoint - cut) <= ZONE]
                examples.append({"recording": name, "at": round(start + cut, 2), **found, "was": was, "joined": near})
    figures = {
        **describe(),
        "model": args.model,
        "cuts": cuts,
        "words_near_cuts": words,
        **totals,
        "net": totals["lost"] - totals["doubled"],
        "examples": examples,
    }
    if args.json:
        print(json.dumps(figures, indent=2, ensure_ascii=False))
        return
    print(f"{cuts} cuts, {words} words near them: " + ", ".join(f"{count} {kind}" for kind, count in totals.items()))


if __name__ == "__main__":
    main()
