"""One diarization system in a process of its own: loads it, runs it on recordings, prints a JSON line for each.

Called by ``diarization.py`` with the Python that has the system installed; needs nothing but numpy besides.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

Turns = list[tuple[float, float, str]]
Diarize = Callable[[Any], Turns]


def diarist(args: argparse.Namespace, model: str, **settings: Any) -> Diarize:
    sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
    from diarist.audio.audio import Audio
    from diarist.diarization.pipeline import load_diarizer

    name = str(args.bundle) if model == "bundle" else model
    engine = load_diarizer(name, threads=args.threads, **settings)
    return lambda samples: [(t.start, t.end, t.speaker) for t in engine.diarize(Audio(samples)).turns]


def diarist_3_1(args: argparse.Namespace, mode: str) -> Diarize:
    """Our 3.1 with the bundle's networks, found as the models that it names."""
    folder = Path(tempfile.mkdtemp())
    for name, part in (("segmentation-3.0", "segmentation"), ("wespeaker-voxceleb-resnet34-LM", "embedding")):
        (folder / name).symlink_to(args.bundle.resolve() / part)
    os.environ["DIARIST_MODEL_DIR"] = str(folder)
    return diarist(args, "3.1", mode=mode)


def pyannote(args: argparse.Namespace, clustering: str) -> Diarize:
    """pyannote.audio's own pipeline, from the same bundle of weights."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0"}
    import torch
    from pyannote.audio import Pipeline

    torch.set_num_threads(args.threads)
    if clustering == "community-1":
        pipeline = Pipeline.from_pretrained(str(args.bundle))
    else:
        config = Path(tempfile.mkdtemp()) / "config.yaml"
        config.write_text(_CONFIG_3_1.format(bundle=args.bundle.resolve()))
        pipeline = Pipeline.from_pretrained(str(config))

    def run(samples: Any) -> Turns:
        found = pipeline({"waveform": torch.from_numpy(samples)[None], "sample_rate": 16_000})
        return [(turn.start, turn.end, label) for turn, _, label in found.speaker_diarization.itertracks(True)]

    return run


# speaker-diarization-3.1's parameters (its config.yaml), with the bundle's networks, which are the same.
_CONFIG_3_1 = """
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: {bundle}/embedding/pytorch_model.bin
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: {bundle}/segmentation/pytorch_model.bin
    segmentation_batch_size: 32
    plda: {bundle}/plda
params:
  clustering: {{method: centroid, min_cluster_size: 12, threshold: 0.7045654963945799}}
  segmentation: {{min_duration_off: 0.0}}
"""


def senko(args: argparse.Namespace) -> Diarize:
    import numpy as np
    from senko import Diarizer

    engine = Diarizer(device="cpu", warmup=False, quiet=True)

    def run(samples: Any) -> Turns:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            with wave.open(file.name, "wb") as out:
                out.setparams((1, 2, 16_000, 0, "NONE", ""))
                out.writeframes(np.int16(samples * 32768).tobytes())
            found = engine.diarize(file.name, generate_colors=False)
        return [(s["start"], s["end"], s["speaker"]) for s in (found or {}).get("merged_segments", [])]

    return run


def sherpa(args: argparse.Namespace) -> Diarize:
    """sherpa-onnx with the same two networks, exported as it wants them by diarist, at its default threshold."""
    import sherpa_onnx

    config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
        segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(
            pyannote=sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(
                model=str(args.sherpa / "segmentation.onnx")
            ),
            num_threads=args.threads,
        ),
        embedding=sherpa_onnx.SpeakerEmbeddingExtractorConfig(
            model=str(args.sherpa / "embedding.onnx"), num_threads=args.threads
        ),
        clustering=sherpa_onnx.FastClusteringConfig(num_clusters=-1, threshold=args.sherpa_threshold),
    )
    engine = sherpa_onnx.OfflineSpeakerDiarization(config)
    return lambda samples: [(s.start, s.end, str(s.speaker)) for s in engine.process(samples).sort_by_start_time()]


SYSTEMS: dict[str, Callable[[argparse.Namespace], Diarize]] = {
    "pyannote-community-1": lambda args: pyannote(args, "community-1"),
    "pyannote-3.1": lambda args: pyannote(args, "3.1"),
    "exact": lambda args: diarist(args, "bundle", mode="exact"),
    "default": lambda args: diarist(args, "bundle"),
    "default-step2": lambda args: diarist(args, "bundle", step=2.0),
    "default-half-step": lambda args: diarist(args, "bundle", step=0.5),
    "int8": lambda args: diarist(args, "bundle", mode="int8"),
    "int8-step2": lambda args: diarist(args, "bundle", mode="int8", step=2.0),
    "3.1": lambda args: diarist_3_1(args, "default"),
    "3.1-exact": lambda args: diarist_3_1(args, "exact"),
    "embedded": lambda args: diarist(args, "embedded"),
    "senko": senko,
    "sherpa-onnx": sherpa,
}


PACKAGES = {
    "pyannote": ("pyannote.audio",),
    "senko": ("senko",),
    "sherpa": ("sherpa-onnx", "sherpa-onnx-core"),
    "speakrs": ("speakrs",),
}


def read(path: Path) -> Any:
    import numpy as np

    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768


def installed_mb(*roots: str) -> float:
    """Size on disk of distributions and all they require."""
    from importlib.metadata import PackageNotFoundError, distribution

    from packaging.requirements import Requirement

    todo, seen, size = list(roots), set(), 0
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        size += sum(
            path.stat().st_size for f in found.files or () if (path := Path(str(found.locate_file(f)))).is_file()
        )
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                todo.append(needed.name)
    return size / 1e6


def cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("recordings", nargs="*", type=Path, help="16 kHz mono WAV files")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--sherpa", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sherpa-threshold", type=float, default=0.5)
    args = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")  # systems may print; their words go to standard error
    os.dup2(2, 1)

    started = time.perf_counter()
    diarize = SYSTEMS[args.system](args)
    ready = {"import_and_load_s": time.perf_counter() - started, "cpu_s": cpu_seconds()}
    packages = PACKAGES.get(args.system.split("-")[0], ("numpy", "scipy", "onnxruntime"))
    print(json.dumps(ready | {"installed_mb": installed_mb(*packages)}), file=out, flush=True)
    for path in args.recordings:
        samples = read(path)
        wall, cpu = time.perf_counter(), cpu_seconds()
        turns = diarize(samples)
        row = {
            "recording": path.stem,
            "duration": len(samples) / 16_000,
            "wall_s": time.perf_counter() - wall,
            "cpu_s": cpu_seconds() - cpu,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "turns": turns,
        }
        print(json.dumps(row), file=out, flush=True)


if __name__ == "__main__":
    main()
