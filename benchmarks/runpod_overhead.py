"""What the three architectures add to the engines, warm, in one run.

    python benchmarks/runpod_overhead.py --clip FILE [--seconds 10] [--rounds 20] [--json]

Split and orchestrator share the same two workers, and take turns. For each request: wall seconds at the client, and
seconds in the slower leg's worker as the platform counts them. Targets: wall <= 1.10 x slower leg + 150 ms, and the
orchestrator at most 60 ms over split, medians. With --stub N, engines that sleep N seconds replace the real ones, which
shows the overhead without the engines' own scatter.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.place import open_pipeline

MODELS = {"DIARIST_MODEL": "whisper-tiny.en", "DIARIST_DIARIZER": "embedded"}
STUB = Path(__file__).parents[1] / "tests" / "runpod" / "stub_handlers.py"


def stub_handlers(folder: Path) -> dict[str, Path]:
    """Write handler files whose engines sleep."""
    files = {}
    for role in ("transcription", "diarization"):
        files[role] = folder / f"{role}.py"
        files[role].write_text(
            f"import os, runpy\nos.environ['DIARIST_STUB'] = {role!r}\n"
            f"runpy.run_path({str(STUB)!r}, run_name='__main__')\n"
        )
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--stub", type=float)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    clip = Audio(decode(arguments.clip).samples[: int(arguments.seconds * SAMPLE_RATE)])
    with tempfile.TemporaryDirectory() as folder:
        stubbed = arguments.stub is not None
        env = {"DIARIST_STUB_SECONDS": str(arguments.stub)} if stubbed else MODELS
        handlers = stub_handlers(Path(folder)) if stubbed else {}
        with emulate("orchestrator", min_workers=1, env=env, handlers=handlers) as emulator:
            emulator.wait_ready(120)
            ids = {f"{leg.upper()}_ENDPOINT_ID": f"emulated-{leg}" for leg in ("transcription", "diarization")}
            pipelines = {
                "split": open_pipeline("runpod:split", {**emulator.environ, **ids}),
                "orchestrator": open_pipeline("runpod:orchestrator", emulator.environ),
            }
            figures: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
            for number in range(arguments.rounds + 1):
                for name, pipeline in pipelines.items():
                    before = {job.id for job in emulator.jobs.all()}
                    began = time.perf_counter()
                    pipeline.transcribe(clip)
                    wall = time.perf_counter() - began
                    new = [job for job in emulator.jobs.all() if job.id not in before]
                    legs = [job.ended - job.taken for job in new if job.endpoint != "emulated-orchestrator"]
                    if number:  # the first round warms caches
                        figures[name].append((wall, max(legs)))
    results: dict[str, Any] = {}
    for name, rounds in figures.items():
        results[name] = {
            "wall_s": round(statistics.median(wall for wall, _ in rounds), 3),
            "slower_leg_s": round(statistics.median(leg for _, leg in rounds), 3),
            "over_slower_leg_ms": round(1000 * statistics.median(wall - leg for wall, leg in rounds)),
            "within_1.10_x_leg_plus_150_ms": sum(wall <= 1.10 * leg + 0.150 for wall, leg in rounds) / len(rounds),
        }
    over = results["orchestrator"]["over_slower_leg_ms"] - results["split"]["over_slower_leg_ms"]
    report = {
        **describe(),
        "sdk": importlib.metadata.version("runpod"),
        "engines": f"stubs of {arguments.stub} s" if stubbed else MODELS,
        "rounds": arguments.rounds,
        **results,
        "orchestrator_over_split_ms": over,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
