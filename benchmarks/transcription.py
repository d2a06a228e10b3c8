"""What Parakeet costs at full size, ours and others': start to ready, CPU seconds per audio second, memory.

    python benchmarks/transcription.py --work FOLDER --python nemo=/path/to/venv/bin/python --json

FOLDER gets a random checkpoint of the true size (2.5 GB) and its conversions (7 GB; making them needs the extra
``convert``), and keeps them for the next run. Every system runs in a process of its own, with the Python named for it,
the best of --rounds, interleaved, so that other load hurts all alike. *Loaded* is from the start of Python to weights
in memory, *ready* to one second of sound recognised. Random weights cost what trained ones do in the encoder; the
decoder is given as much to say as they happen to say. Systems that do not run are named with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import describe
from transcription_systems import SECONDS, SYSTEMS

WORKER = Path(__file__).with_name("transcription_systems.py")


def make(work: Path) -> None:
    """Write the weights that are missing, in each layout."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "transcription"))
    import tiny
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from diarist.transcription.checkpoints import read_network
    from diarist.transcription.convert import PARTS, export

    work.mkdir(parents=True, exist_ok=True)
    nemo, float32 = work / "parakeet.nemo", work / "float32"
    if not nemo.exists():
        tiny.nemo(work / "partial.nemo", tiny.FULL).rename(nemo)
    if not (work / "transformers" / "config.json").exists():
        tiny.transformers(work / "transformers", read_network(nemo))
    if not (float32 / "vocab.txt").exists():
        export(nemo, float32)
    for tag, kinds, weights in (("int8mm", ["MatMul"], QuantType.QInt8), ("int8", None, QuantType.QUInt8)):
        folder = work / tag
        if not (folder / "vocab.txt").exists():
            folder.mkdir(exist_ok=True)
            for part in PARTS:
                quantize_dynamic(
                    str(float32 / f"{part}.onnx"), str(folder / f"{part}.{tag}.onnx"), op_types_to_quantize=kinds,
                    weight_type=weights if part == "encoder-model" else QuantType.QInt8,
                )  # fmt: skip
            for name in ("config.json", "vocab.txt"):
                (folder / name).write_text((float32 / name).read_text())


def measure(system: str, args: argparse.Namespace) -> dict[str, float]:
    """Run one system in a process of its own.

    Raises:
        RuntimeError: it does not run here.
    """
    python = dict(pair.split("=", 1) for pair in args.python).get(system, sys.executable)
    command = [python, str(WORKER), system, str(args.work), "--threads", str(args.threads)]
    with tempfile.TemporaryFile("w+") as said:
        began, lines = time.perf_counter(), []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process:
            lines = [json.loads(line) | {"wall_s": time.perf_counter() - began} for line in process.stdout or ()]
        if process.returncode or len(lines) != 3:
            said.seek(0)
            raise RuntimeError((said.read().strip().splitlines() or ["it ended"])[-1])
    loaded, ready, found = lines
    times = {f"{name}_{key}": stage[key] for name, stage in (("loaded", loaded), ("ready", ready)) for key in loaded}
    return times | {key: value for key, value in found.items() if key != "wall_s"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--python", nargs="*", default=[], metavar="SYSTEM=PYTHON")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    make(args.work)
    found: dict[str, dict[str, Any]] = {}
    for _ in range(args.rounds):
        for system in args.systems:
            try:
                one = measure(system, args)
            except (OSError, RuntimeError) as problem:
                found[system] = {"failed": str(problem)}
                continue
            best = found.get(system, one)
            found[system] = {key: round(min(best[key], value), 4) for key, value in one.items()}
    if args.json:
        print(json.dumps({**describe(), "seconds": SECONDS, "threads": args.threads, "systems": found}, indent=2))
        return
    for system, row in found.items():
        print(f"{system:<18}" + "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
