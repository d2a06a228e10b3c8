"""One Parakeet system in a process of its own: loads it, warms it up, recognises noise; prints a JSON line after each.

Called by ``transcription.py`` with the Python that has the system installed; needs nothing but numpy besides.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from diarization_systems import cpu_seconds, peak_mb

SECONDS = 30
Run = Callable[[object], object]


def ours(weights: Path, threads: int) -> Run:
    sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
    from diarist.model.timeline import Span
    from diarist.transcription.parakeet import load_parakeet

    engine = load_parakeet(str(weights), device="cpu", threads=threads)

    def run(sound):
        with engine.weights.use() as backend:
            return engine.recognise(backend, [sound], [Span(0, len(sound) / 16000)])

    return run


def onnx_asr(weights: Path, threads: int, quantization: str | None = None) -> Run:
    import onnx_asr
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = onnx_asr.load_model(
        "nemo-conformer-tdt", weights, quantization=quantization, sess_options=options,
        providers=["CPUExecutionProvider"],
    ).with_timestamps()  # fmt: skip
    return lambda sound: model.recognize(sound)


def nemo(weights: Path, threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    from nemo.collections.asr.models import ASRModel

    model = ASRModel.restore_from(str(weights), map_location="cpu")
    return lambda sound: model.transcribe([sound], timestamps=True, verbose=False)


def transformers(weights: Path, threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    from transformers import ParakeetFeatureExtractor, ParakeetForTDT

    model = ParakeetForTDT.from_pretrained(weights).eval()
    extract = ParakeetFeatureExtractor(feature_size=128, sampling_rate=16000)

    def run(sound):
        with torch.inference_mode():
            return model.generate(**extract(sound, sampling_rate=16000, return_tensors="pt"))

    return run


SYSTEMS: dict[str, tuple[Callable[[Path, int], Run], str]] = {
    "ours-int8mm": (ours, "int8mm"),
    "ours-int8": (ours, "int8"),
    "ours-float32": (ours, "float32"),
    "ours-torch": (ours, "parakeet.nemo"),
    "onnx-asr-int8": (lambda weights, threads: onnx_asr(weights, threads, "int8"), "int8"),
    "onnx-asr-float32": (onnx_asr, "float32"),
    "transformers": (transformers, "transformers"),
    "nemo": (nemo, "parakeet.nemo"),
}
"""Name → what loads it, and the weights it takes in the working folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")  # systems may print; their words go to standard error
    os.dup2(2, 1)

    load, weights = SYSTEMS[args.system]
    run = load(args.work / weights, args.threads)
    print(json.dumps({"cpu_s": cpu_seconds()}), file=out, flush=True)
    import numpy as np

    sound = (np.random.default_rng(0).standard_normal(SECONDS * 16000) * 0.1).astype(np.float32)
    run(sound[:16000])
    print(json.dumps({"cpu_s": cpu_seconds()}), file=out, flush=True)
    cpu, wall = [], []
    for _ in range(2):
        before, began = cpu_seconds(), time.perf_counter()
        run(sound)
        cpu.append((cpu_seconds() - before) / SECONDS)
        wall.append((time.perf_counter() - began) / SECONDS)
    found = {"cpu_s_per_audio_s": min(cpu), "wall_s_per_audio_s": min(wall), "peak_mb": peak_mb()}
    print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
