"""What the Parakeet engines cost at full size: start to ready, CPU seconds per audio second, memory; random weights.

python benchmarks/transcription.py --work FOLDER --json

FOLDER gets a random checkpoint of the true size (2.5 GB) and its conversions, and keeps them for the next run. Each
figure comes from a process of its own and is the best of --rounds, interleaved, so that other load hurts all alike.
Random weights cost what trained ones do in the encoder; the decoder is given as much to say as they happen to say.
Engines that are not installed (torch, transformers, onnx-asr, NeMo) are left out and named.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

from machine import describe

SECONDS = 30
START = "import time; began = time.perf_counter()\nimport json, resource, sys, numpy as np\n"
END = """
ready = time.perf_counter() - began
seconds = int(sys.argv[3])
sound = (np.random.default_rng(0).standard_normal(seconds * 16000) * 0.1).astype(np.float32)
def usage():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
before, loaded = usage(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cpu, wall = [], []
for _ in range(2):
    a, b = usage(), time.perf_counter()
    run(sound)
    cpu.append((usage() - a) / seconds)
    wall.append((time.perf_counter() - b) / seconds)
print(json.dumps({
    "ready_s": round(ready, 2), "ready_cpu_s": round(before, 2), "cpu_per_audio_s": round(min(cpu), 4),
    "rtf": round(min(wall), 4), "loaded_mb": loaded // 1024,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""
OURS = """
from diarist.model.timeline import Span
from diarist.transcription.parakeet import load_parakeet
engine = load_parakeet(sys.argv[1], device="cpu", threads=int(sys.argv[2]))
def run(sound):
    with engine.weights.use() as backend:
        engine.recognise(backend, [sound], [Span(0, len(sound) / 16000)])
"""
ONNX_ASR = """
import onnx_asr, onnxruntime
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = int(sys.argv[2])
model = onnx_asr.load_model("nemo-conformer-tdt", sys.argv[1], sess_options=options, providers=["CPUExecutionProvider"])
def run(sound):
    model.with_timestamps().recognize(sound)
"""
NEMO = """
import torch; torch.set_num_threads(int(sys.argv[2]))
from nemo.collections.asr.models import ASRModel
model = ASRModel.restore_from(sys.argv[1], map_location="cpu")
def run(sound):
    model.transcribe([sound], timestamps=True)
"""


def make(work: Path) -> dict[str, tuple[str, Path, str | None]]:
    """Write what is missing; return name → (program, weights, module it needs)."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "transcription"))
    import tiny

    work.mkdir(parents=True, exist_ok=True)
    nemo, float32 = work / "parakeet.nemo", work / "float32"
    if not nemo.exists():
        tiny.nemo(work / "partial.nemo", tiny.FULL).rename(nemo)
    if importlib.util.find_spec("torch") and not (float32 / "vocab.txt").exists():
        from diarist.transcription.convert import export

        export(nemo, float32)
    found = {"torch float32, from .nemo": (OURS, nemo, "torch"), "NeMo": (NEMO, nemo, "nemo")}
    if float32.exists():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        for tag, kinds, weights in (("int8mm", ["MatMul"], QuantType.QInt8), ("int8", None, QuantType.QUInt8)):
            folder = work / tag
            if not (folder / "vocab.txt").exists():
                folder.mkdir(exist_ok=True)
                for part in ("encoder-model", "decoder_joint-model"):
                    quantize_dynamic(
                        str(float32 / f"{part}.onnx"), str(folder / f"{part}.{tag}.onnx"), op_types_to_quantize=kinds,
                        weight_type=weights if part == "encoder-model" else QuantType.QInt8,
                    )  # fmt: skip
                (folder / "vocab.txt").write_text((float32 / "vocab.txt").read_text())
        found["ONNX Runtime float32"] = (OURS, float32, None)
        found["ONNX Runtime int8 (as published)"] = (OURS, work / "int8", None)
        found["ONNX Runtime int8mm"] = (OURS, work / "int8mm", None)
        found["plain onnx-asr float32"] = (ONNX_ASR, float32, "onnx_asr")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    engines = make(args.work)
    missing = [name for name, (_, _, module) in engines.items() if module and not importlib.util.find_spec(module)]
    figures: dict[str, dict[str, float]] = {}
    for _ in range(args.rounds):
        for name, (program, weights, _) in engines.items():
            if name in missing:
                continue
            command = [sys.executable, "-c", START + program + END, str(weights), str(args.threads), str(SECONDS)]
            began = time.perf_counter()
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            one = json.loads(done.stdout.splitlines()[-1]) | {"process_s": round(time.perf_counter() - began, 1)}
            best = figures.setdefault(name, one)
            figures[name] = {key: min(best[key], value) for key, value in one.items()}
    if args.json:
        print(json.dumps({**describe(), "seconds": SECONDS, "not_installed": missing, "engines": figures}, indent=2))
        return
    for name, found in figures.items():
        print(f"{name:<36}" + "  ".join(f"{key} {value}" for key, value in found.items()))
    print("not installed:", ", ".join(missing) or "none")


if __name__ == "__main__":
    main()
