"""How long attribution and every format take on ten hours of speech.

python benchmarks/attribution/speed.py [--hours 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shlex
import sys
import time

from diarist.attribution import attribute
from diarist.formats import FORMATS, render
from diarist.model.transcript import Diarization, ModelInfo, SpeakerScores, Transcription, Turn, Word

STEP = 0.016875


def speech(hours: float) -> tuple[Transcription, Diarization]:
    """Four speakers, turns of 0.5 to 6 s, words of 0.1 to 0.5 s, scores for every frame."""
    chance, end = random.Random(0), hours * 3600
    turns, words, time_ = [], [], 0.0
    while time_ < end:
        seconds = chance.uniform(0.5, 6)
        turns.append(Turn(time_, time_ + seconds, chance.choice("abcd")))
        time_ += seconds + chance.uniform(0, 0.4)
    time_ = 0.0
    while time_ < end:
        seconds = chance.uniform(0.1, 0.5)
        words.append(Word(time_, time_ + seconds, chance.choice(["word", "another", "end."]), 0.5))
        time_ += seconds + chance.uniform(0, 0.1)
    scores = SpeakerScores(STEP, STEP, tuple("abcd"), bytes(4 * int(end / STEP)))
    told = Transcription(
        words=tuple(words), language="en", duration=end, model=ModelInfo("transcription", "none", None, "none")
    )
    found = Diarization(
        turns=tuple(turns),
        exclusive=tuple(turns),
        duration=end,
        model=ModelInfo("diarization", "none", None, "none"),
        scores=scores,
    )
    return told, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told, found = speech(options.hours)
    began = time.process_time()
    transcript = attribute(told, found)
    seconds = {"attribute": time.process_time() - began}
    for name in FORMATS:
        began = time.process_time()
        render(transcript, name)
        seconds[name] = time.process_time() - began
    report = {
        "command": shlex.join(["python", "benchmarks/attribution/speed.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "words": len(told.words),
        "turns": len(found.turns),
        "cpu_seconds": {name: round(value, 2) for name, value in seconds.items()},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(report, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
