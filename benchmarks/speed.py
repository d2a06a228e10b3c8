"""How fast and how large: import, start to transcript, and each stage on one recording, each in its own process.

python benchmarks/speed.py RECORDING [--clip SHORT_RECORDING] [--threads 2] --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from machine import describe

STAGES = ("decoding", "transcription", "diarization", "both", "unshared")  # all threads for each leg
PROBE = """
import json, resource, sys, time
from diarist.audio.decode import decode
from diarist.engines import load
from diarist.diarization.pipeline import load_diarizer
from diarist.pipelines.local import LocalPipeline
stage, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
began = time.perf_counter()
pipeline = load(diarizer=None if stage in ("decoding", "transcription") else "auto", threads=threads) \
    if stage in ("transcription", "both") else None
if stage in ("diarization", "unshared"):
    transcriber = load(diarizer=None, threads=threads).transcriber if stage == "unshared" else None
    pipeline = LocalPipeline(transcriber, load_diarizer("embedded", threads=threads))
ready = time.perf_counter() - began
def usage():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
audio = decode(path) if stage != "decoding" else None
cpu, wall = usage(), time.perf_counter()
if stage == "decoding":
    audio = decode(path)
elif stage == "transcription":
    pipeline.transcriber.transcribe(audio)
elif stage == "diarization":
    pipeline.diarizer.diarize(audio)
else:
    pipeline.transcribe(audio)
print(json.dumps({
    "load_s": round(ready, 2), "wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(usage() - cpu, 2),
    "audio_s": round(audio.duration, 1),
    "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
}))
"""


def timed(command: list[str], runs: int) -> float:
    """Return the median seconds from starting a process to its first byte of standard output, or its end."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            seconds.append(time.perf_counter() - began)
            process.stdout.read()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
    return round(statistics.median(seconds), 3)


def stage(name: str, recording: str, threads: int) -> dict[str, float]:
    """Run one stage in a process of its own."""
    command = [sys.executable, "-c", PROBE, name, recording, str(threads)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    found["rtf"] = round(found["wall_s"] / found["audio_s"], 4)
    found["cpu_per_audio_s"] = round(found["cpu_s"] / found["audio_s"], 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording")
    parser.add_argument("--clip", help="a short recording for start to first word; default: RECORDING")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    transcribe = [sys.executable, "-m", "diarist", "transcribe", args.clip or args.recording, "-q"]
    timed(transcribe, 1)  # fetches weights and fills the page cache
    figures = {
        **describe(),
        "bare_python_s": timed([sys.executable, "-c", "pass"], args.runs),
        "import_diarist_s": timed([sys.executable, "-c", "import diarist"], args.runs),
        "start_to_first_word_s": timed(transcribe, args.runs),
        "stages": {name: stage(name, args.recording, args.threads) for name in STAGES},
    }
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for key in ("bare_python_s", "import_diarist_s", "start_to_first_word_s"):
        print(f"{key:<24}{figures[key]:>8}")
    print(f"{'stage':<16}{'load s':>8}{'wall s':>8}{'RTF':>8}{'CPU s/s':>9}{'peak MB':>9}")
    for name, found in figures["stages"].items():
        print(
            f"{name:<16}{found['load_s']:>8}{found['wall_s']:>8}{found['rtf']:>8}{found['cpu_per_audio_s']:>9}"
            f"{found['peak_mb']:>9}"
        )


if __name__ == "__main__":
    main()
