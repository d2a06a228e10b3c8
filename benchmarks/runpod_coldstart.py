"""Cold start of the four workers in the emulator, by phase, from process start to the first transcript.

    python benchmarks/runpod_coldstart.py --clip FILE [--seconds 10] [--runs 3] [--json]

Workers are the real handlers with the real SDK and the embedded models. ``ready`` is the time from process start until
the worker asks for a job; ``first job`` is one clip in the warm worker, in its own words. CPU seconds tell more than
wall seconds on a machine that does other things. For the orchestrator, the first job waits for both legs.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import statistics
from pathlib import Path
from typing import Any

from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.place import open_pipeline

MODELS = {"DIARIST_MODEL": "whisper-tiny.en", "DIARIST_DIARIZER": "embedded"}
PHASE = re.compile(r"phase ([\w-]+): ([\d.]+) s")
CPU = re.compile(r"phase ([\w-]+): .*?([\d.]+) s of CPU")


def one_start(architecture: str, clip: Audio) -> dict[str, dict[str, float]]:
    """Start everything from nothing, do one job, and read what the workers say."""
    with emulate(architecture, env=MODELS) as emulator:
        open_pipeline(f"runpod:{architecture}", emulator.environ).transcribe(clip)
        jobs = emulator.jobs.all()
        found = {}
        for worker in emulator.workers:
            log = worker.log.read_text()
            (job,) = [job for job in jobs if job.worker == worker.id]
            figures = {f"{name}, CPU s": float(seconds) for name, seconds in CPU.findall(log)}
            figures |= {f"{name}, s": float(seconds) for name, seconds in PHASE.findall(log) if name != "imports"}
            figures["ready, s"] = worker.ready - worker.started
            figures["first job, s"] = job.ended - job.taken
            figures["start to transcript, s"] = job.ended - worker.started
            found[worker.endpoint.removeprefix("emulated-")] = figures
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    clip = Audio(decode(arguments.clip).samples[: int(arguments.seconds * SAMPLE_RATE)])
    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(arguments.runs):
        for architecture in ("single", "orchestrator"):
            for worker, figures in one_start(architecture, clip).items():
                runs.setdefault(worker, []).append(figures)
    medians = {
        worker: {name: round(statistics.median(run[name] for run in all_runs), 2) for name in all_runs[0]}
        for worker, all_runs in runs.items()
    }
    report: dict[str, Any] = {
        **describe(),
        "sdk": importlib.metadata.version("runpod"),
        "runs": arguments.runs,
        "medians": medians,
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    names = sorted({name for figures in medians.values() for name in figures})
    print(f"{'':26}" + "".join(f"{worker:>15}" for worker in medians))
    for name in names:
        print(f"{name:26}" + "".join(f"{figures.get(name, '–'):>15}" for figures in medians.values()))


if __name__ == "__main__":
    main()
