"""How long it takes to ask for another number of speakers: the networks once, then clustering for each number.

python benchmarks/diarization_again.py RECORDING [--diarizer embedded] [--threads 2] [--json]

Also counts the numbers for which the result differs from a run from scratch; with ``--compare``, which takes as long.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

from machine import describe

from diarist.audio.decode import decode
from diarist.diarization.pipeline import load_diarizer
from diarist.model.options import Options

NUMBERS = (None, 1, 2, 3, 4, 6, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--diarizer", default="embedded")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    diarizer = load_diarizer(args.diarizer, threads=args.threads)
    audio = decode(args.recording)
    began = time.perf_counter()
    evidence = diarizer.evidence(audio)
    networks = time.perf_counter() - began
    clustering, different = {}, 0
    for number in NUMBERS:
        options = Options(num_speakers=number)
        began = time.perf_counter()
        found = diarizer.cluster(evidence, options)
        clustering[str(number or "any")] = round(time.perf_counter() - began, 3)
        if args.compare:
            whole = diarizer.diarize(audio, options)
            different += dataclasses.replace(found, timings={}) != dataclasses.replace(whole, timings={})
    figures = {
        **describe(),
        "load_before": round(load, 1),
        "diarizer": args.diarizer,
        "audio_s": round(audio.duration, 1),
        "networks_s": round(networks, 2),
        "clustering_s": clustering,
        "evidence_bytes": len(evidence.to_bytes()),
        "different": different if args.compare else None,
    }
    print(
        json.dumps(figures, indent=2) if args.json else "\n".join(f"{key}: {value}" for key, value in figures.items())
    )


if __name__ == "__main__":
    main()
