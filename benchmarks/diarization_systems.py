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
Diarize = Callable[[Path, int | None], Turns]  # a recording, and how many speakers it has, if that is told


def diarist(args: argparse.Namespace, model: str, **settings: Any) -> Diarize:
    sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
    from diarist.audio.audio import Audio
    from diarist.diarization.pipeline import load_diarizer
    from diarist.model.options import Options

    name = str(args.bundle) if model == "bundle" else model
    engine = load_diarizer(name, threads=args.threads, **settings)

    def run(path: Path, speakers: int | None) -> Turns:
        found = engine.diarize(Audio(read(path)), Options(num_speakers=speakers))
        return [(t.start, t.end, t.speaker) for t in found.turns]

    return run


def windowed(args: argparse.Namespace) -> Diarize:
    """The embedded models, with never more than five minutes of samples in memory."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
    from diarist.diarization.evidence import Evidence
    from diarist.diarization.pipeline import load_diarizer

    engine = load_diarizer("embedded", threads=args.threads)

    def run(path: Path, _: int | None) -> Turns:
        with wave.open(str(path)) as file:
            windows = engine.windows(file.getnframes(), 320)
            evidence = [engine.segment_and_embed(read(path, w.start, w.end), w) for w in windows]
        return [(t.start, t.end, t.speaker) for t in engine.cluster(Evidence.joined(evidence)).turns]

    return run


def diarist_3_1(args: argparse.Namespace, mode: str) -> Diarize:
    """Our 3.1 with the bundle's networks."""
    lay_out_3_1(args.bundle)
    return diarist(args, "3.1", mode=mode)


def lay_out_3_1(bundle: Path) -> None:
    """Let the bundle's networks be found as the models that 3.1 names."""
    folder = Path(tempfile.mkdtemp())
    for name, part in (("segmentation-3.0", "segmentation"), ("wespeaker-voxceleb-resnet34-LM", "embedding")):
        (folder / name).symlink_to(bundle.resolve() / part)
    os.environ["DIARIST_MODEL_DIR"] = str(folder)


def pyannote(args: argparse.Namespace, clustering: str) -> Diarize:
    """pyannote.audio's own pipeline."""
    import torch

    torch.set_num_threads(args.threads)
    pipeline = pyannote_pipeline(args.bundle, clustering)

    def run(path: Path, speakers: int | None) -> Turns:
        sound = {"waveform": torch.from_numpy(read(path))[None], "sample_rate": 16_000}
        found = pipeline(sound, num_speakers=speakers)
        return [(turn.start, turn.end, label) for turn, _, label in found.speaker_diarization.itertracks(True)]

    return run


def pyannote_pipeline(bundle: Path, clustering: str) -> Any:
    """pyannote.audio's pipeline, from the same bundle of weights."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "PYANNOTE_METRICS_ENABLED": "0"}
    from pyannote.audio import Pipeline

    if clustering == "community-1":
        return Pipeline.from_pretrained(str(bundle))
    config = Path(tempfile.mkdtemp()) / "config.yaml"
    config.write_text(_CONFIG_3_1.format(bundle=bundle.resolve()))
    return Pipeline.from_pretrained(str(config))


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
    """Senko 0.2.2, which finds its own weights; it takes no number of threads."""
    from senko import Diarizer

    engine = Diarizer(device="cpu", warmup=False, quiet=True)

    def run(path: Path, _: int | None) -> Turns:
        found = engine.diarize(str(path), generate_colors=False) or {}
        return [(s["start"], s["end"], s["speaker"]) for s in found.get("merged_segments", [])]

    return run


def sherpa_onnx(args: argparse.Namespace, threshold: float) -> Diarize:
    """sherpa-onnx as its example sets it up; the threshold of the example is 0.5."""
    import sherpa_onnx as sherpa

    segmentation, embedding = (str(args.peer_files / "sherpa" / f"{n}.onnx") for n in ("segmentation", "embedding"))
    engine = sherpa.OfflineSpeakerDiarization(
        sherpa.OfflineSpeakerDiarizationConfig(
            segmentation=sherpa.OfflineSpeakerSegmentationModelConfig(
                pyannote=sherpa.OfflineSpeakerSegmentationPyannoteModelConfig(model=segmentation),
                num_threads=args.threads,
            ),
            embedding=sherpa.SpeakerEmbeddingExtractorConfig(model=embedding, num_threads=args.threads),
            clustering=sherpa.FastClusteringConfig(num_clusters=-1, threshold=threshold),
            min_duration_on=0.3,
            min_duration_off=0.5,
        )
    )
    return lambda path, _: [(s.start, s.end, str(s.speaker)) for s in engine.process(read(path)).sort_by_start_time()]


def speakrs(args: argparse.Namespace) -> Diarize:
    """The CPU mode; it takes as many threads as there are cores, at most four."""
    import speakrs as library

    engine = library.Pipeline.from_prepared(library.prepare("cpu", model_dir=args.peer_files / "speakrs"))
    return lambda path, _: [(s.start, s.end, s.speaker) for s in engine.diarize_samples(read(path)).segments]


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
    "windowed": windowed,
    "embedded": lambda args: diarist(args, "embedded"),
    "senko": senko,
    "sherpa-onnx": lambda args: sherpa_onnx(args, 0.5),
    "sherpa-onnx-0.7": lambda args: sherpa_onnx(args, 0.7),
    "sherpa-onnx-0.9": lambda args: sherpa_onnx(args, 0.9),
    "speakrs": speakrs,
}


PACKAGES = {
    "pyannote": ("pyannote.audio",),
    "senko": ("senko",),
    "sherpa": ("sherpa-onnx", "numpy"),  # its Python module takes arrays of numpy's
    "speakrs": ("speakrs",),
}


def read(path: Path, start: int = 0, end: int | None = None) -> Any:
    """Samples ``[start, end)`` as float32."""
    import numpy as np

    with wave.open(str(path)) as file:
        file.setpos(start)
        data = file.readframes((file.getnframes() if end is None else end) - start)
    return np.frombuffer(data, np.int16).astype(np.float32) / 32768


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


def peak_mb() -> float:
    """Peak memory of this program; getrusage's also counts what the process that started it held at that moment."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("recordings", nargs="*", type=Path, help="16 kHz mono WAV files")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--peer-files", type=Path, help="what diarization_peers.py wrote")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--speakers", nargs="*", type=int, help="of each recording, for those that can be told")
    args = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")  # systems may print; their words go to standard error
    os.dup2(2, 1)

    started = time.perf_counter()
    diarize = SYSTEMS[args.system](args)
    ready = {"import_and_load_s": time.perf_counter() - started, "cpu_s": cpu_seconds()}
    packages = PACKAGES.get(args.system.split("-")[0], ("numpy", "scipy", "onnxruntime"))
    print(json.dumps(ready | {"installed_mb": installed_mb(*packages)}), file=out, flush=True)
    for path, speakers in zip(args.recordings, args.speakers or [None] * len(args.recordings), strict=True):
        with wave.open(str(path)) as file:
            duration = file.getnframes() / 16_000
        wall, cpu = time.perf_counter(), cpu_seconds()
        turns = diarize(path, speakers)
        row = {
            "recording": path.stem,
            "duration": duration,
            "wall_s": time.perf_counter() - wall,
            "cpu_s": cpu_seconds() - cpu,
            "peak_rss_mb": peak_mb(),
            "turns": turns,
        }
        print(json.dumps(row), file=out, flush=True)


if __name__ == "__main__":
    main()
