"""What decoding in a child process costs a warm worker.

    python benchmarks/sandbox.py CLIP [--seconds 10] [--rounds 40] [--model whisper-base] [--json]

The clip is cut to length and packed as FLAC, as a client sends it. Decoding in this process and in the child take
turns; then the same samples are transcribed, with the speakers, as a job's. Prints medians in milliseconds, what the
child adds, and that as a share of the whole job. ``--model none`` leaves the job out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.recording import Recording, as_recording
from diarist.audio.sandbox import Sandbox
from diarist.audio.transport import encode_flac


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    data = encode_flac(Audio(decode(arguments.clip).samples[: int(arguments.seconds * SAMPLE_RATE)]))
    sandbox = Sandbox()
    here, child = [], []
    for _ in range(arguments.rounds + 3):
        here.append(milliseconds(lambda: decode(as_recording(data), max_seconds=3600)))
        child.append(milliseconds(lambda: sandbox.decode(as_recording(data), max_seconds=3600)))
    row = {"here_ms": statistics.median(here[3:]), "child_ms": statistics.median(child[3:])}
    row["added_ms"] = statistics.median(two - one for one, two in zip(here[3:], child[3:], strict=True))
    if arguments.model != "none":
        from diarist.engines import load

        pipeline = load(arguments.model, "auto")
        audio = decode(data)
        jobs = [milliseconds(lambda: pipeline.transcribe(Recording.of(audio))) for _ in range(4)]
        row["job_ms"] = statistics.median(jobs[1:]) + row["here_ms"]
        row["share_of_job_percent"] = 100 * row["added_ms"] / row["job_ms"]
    sandbox.close()
    if arguments.json:
        print(json.dumps({**describe(), **row}, indent=1))
        return
    for name, value in row.items():
        print(f"{name:22} {value:9.2f}")


if __name__ == "__main__":
    main()
