"""What the workers of the GPU images import before they read weights: the phase `imports` of the packaged profiles.

    python benchmarks/runpod_imports.py --python single=VENV/bin/python … [--runs 9] [--json]

Each Python has what the role's image for GPUs has: `requirements/cuda13.txt` or `cuda13_diarization.txt` (here with CPU
builds of torch and ONNX Runtime, which need no GPU) and `requirements/orchestrator.txt`, without its dependencies. In
processes of their own, from their start until everything is imported that a warm worker has imported, and Parakeet's
network stands at its true size, without weights. The first run fills the disk's cache and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from machine import describe

ROOT = Path(__file__).parent.parent
WORDS = """
import diarist.engines
import ctranslate2, diarist.audio.decode, diarist.transcription.parakeet, faster_whisper.utils, onnxruntime, yaml
from diarist.transcription.checkpoints import Architecture
from diarist.transcription.parakeet_torch import make_network
import torch
with torch.device("meta"):
    make_network(Architecture(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=8, intermediate_size=4096, conv_kernel_size=9,
        subsampling_factor=8, subsampling_conv_channels=256, num_mel_bins=128, attention_bias=False,
        convolution_bias=False, scale_input=False, predictor_hidden=640, predictor_layers=2, durations=(0, 1, 2, 3, 4),
    ), 1024)
"""
SPEAKERS = """
import diarist.engines
import diarist.audio.decode, diarist.diarization.pipeline, onnxruntime, scipy.linalg
"""
ROLES = {"single": WORDS + SPEAKERS, "transcription": WORDS, "diarization": SPEAKERS, "orchestrator": ""}
# What the handler itself imports, without starting it, and what starts a worker.
HANDLER = """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="handler")
import runpod.serverless
"""
# Written when all is imported: CPU seconds, and the packages that are in memory, with their versions.
TOLD = """
import time
cpu = time.process_time()
print(cpu, flush=True)
import importlib.metadata, json, sys
found = importlib.metadata.packages_distributions()
names = sorted({name for module in sys.modules for name in found.get(module, ())} - {"diarist"})
print(json.dumps({name: importlib.metadata.version(name) for name in names}))
"""


def one_start(python: str, role: str) -> tuple[float, float, dict[str, str]]:
    """Start a process that imports what a role's worker imports.

    Returns:
        Seconds until all was imported, CPU seconds, and the packages with their versions.
    """
    handler = ROOT / ("runpod_handler.py" if role == "single" else f"runpod_handler_{role}.py")
    began = time.perf_counter()
    with subprocess.Popen(
        [python, "-c", HANDLER + ROLES[role] + TOLD, handler],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as process:
        assert process.stdout
        cpu = float(process.stdout.readline())
        wall = time.perf_counter() - began
        return wall, cpu, json.loads(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", required=True, metavar="ROLE=PYTHON")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report: dict[str, Any] = {**describe(), "load_average": os.getloadavg()[0], "runs": arguments.runs, "roles": {}}
    for role, python in (pair.split("=", 1) for pair in arguments.python):
        one_start(python, role)
        runs = [one_start(python, role) for _ in range(arguments.runs)]
        report["roles"][role] = {
            "imports_s": round(statistics.median(wall for wall, _, _ in runs), 2),
            "slowest_s": round(max(wall for wall, _, _ in runs), 2),
            "cpu_s": round(statistics.median(cpu for _, cpu, _ in runs), 2),
            "packages": runs[0][2],
        }
    print(json.dumps(report, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
