"""Which transcription model is worth its time: word error, word times, confidence, speed and memory, on recordings.

python benchmarks/transcription_models.py --recordings FOLDER [--model NAME]... [--threads 2] --json

Each model runs in a process of its own. See transcription_scoring.py for what a recording is and how words compare.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import describe
from transcription_scoring import calibration, recordings, score

FIRST_WORD = """
import sys
from pathlib import Path
from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.transcription.whisper import load_whisper
audio = decode(Path(sys.argv[2]))
words = load_whisper(sys.argv[1], threads=int(sys.argv[3])).transcribe(Audio(audio.samples[:10 * 16000])).words
sys.stdout.write("x")
"""


def cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def measure(name: str, folder: Path, threads: int) -> dict[str, object]:
    """Run one model over all recordings, in this process."""
    from diarist.audio.decode import decode
    from diarist.transcription.whisper import load_whisper
    from diarist.weights.fetch import ensure

    if not Path(name).is_dir():
        ensure(name)
    began = time.perf_counter()
    engine = load_whisper(name, threads=threads)
    load = time.perf_counter() - began
    engine.transcribe(decode(next(recordings(folder))[1]))  # warm up
    rows, scores = {}, []
    cpu, wall, seconds = 0.0, 0.0, 0.0
    for recording, path, reference in recordings(folder):
        audio = decode(path)
        before, began = cpu_seconds(), time.perf_counter()
        found = engine.transcribe(audio)
        cpu, wall, seconds = cpu + cpu_seconds() - before, wall + time.perf_counter() - began, seconds + audio.duration
        scores.append(one := score(found.words, reference))
        rows[recording] = {
            "wer": round(one.errors / one.reference, 3), "words": one.reference,
            "substituted": one.substituted, "deleted": one.deleted, "inserted": one.inserted,
        }  # fmt: skip
    starts = [abs(e) for s in scores for e in s.start_errors]
    ends = [abs(e) for s in scores for e in s.end_errors]
    total = sum(s.reference for s in scores)
    return {
        "wer": round(sum(s.errors for s in scores) / total, 4),
        "deleted": round(sum(s.deleted for s in scores) / total, 4),
        "inserted": round(sum(s.inserted for s in scores) / total, 4),
        "start_error_s": {
            "median": round(statistics.median(starts), 3),
            "p90": round(sorted(starts)[len(starts) * 9 // 10], 3),
        },
        "end_error_s": {
            "median": round(statistics.median(ends), 3),
            "p90": round(sorted(ends)[len(ends) * 9 // 10], 3),
        },
        "cpu_per_audio_s": round(cpu / seconds, 4),
        "rtf": round(wall / seconds, 4),
        "load_s": round(load, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "confidence": calibration([j for s in scores for j in s.judged]),
        "recordings": rows,
    }


def first_word(name: str, path: Path, threads: int, runs: int = 5) -> float:
    """Median seconds from starting Python to the words of a clip of 10 s."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", FIRST_WORD, name, str(path), str(threads)], check=True, capture_output=True
        )
        seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--model", action="append", help="a name or folder; default: the two embedded models")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--in-process", action="store_true", help="measure one model here; used by this script itself")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    models = args.model or ["whisper-tiny.en", "whisper-base"]
    if args.in_process:
        print(json.dumps(measure(models[0], args.recordings, args.threads)))
        return
    figures = {**describe(), "models": {}}
    clip = next(path for _, path, _ in recordings(args.recordings))
    for name in models:
        command = [sys.executable, __file__, "--recordings", str(args.recordings), "--model", name, "--in-process",
                   "--threads", str(args.threads)]  # fmt: skip
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        figures["models"][name] = {"start_to_words_of_10_s": first_word(name, clip, args.threads), **found}
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for name, found in figures["models"].items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in found.items() if key != "recordings"))
        for recording, row in found["recordings"].items():
            print(f"  {recording:<32}{row['wer']:>7.1%} of {row['words']}")


if __name__ == "__main__":
    main()
