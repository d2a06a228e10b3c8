"""What the GPU at hand does: Parakeet's network by batch and precision, memory, words against the CPU, and speakers.

    python benchmarks/gpu.py --json
    python benchmarks/gpu.py --weights parakeet-tdt-0.6b-v2.nemo --recording meeting.wav

Needs torch, numpy and this repository, no network and no installed diarist: the network has the true size and random
weights, which cost what trained ones do; they happen to say about as many words as speech does. Figures are the best of
--rounds after one that warms up. *Ready* is from the start of Python to one second recognised, in a process of its own,
with weights that are in memory already: reading them from a disk comes on top.

With trained weights (--weights, or Parakeet where diarist finds it) and a recording (--recording, or the samples where
diarist finds them) words are compared with those of float32 on the CPU. Speakers are measured where ONNX Runtime for
CUDA and the embedded models are. What is not here is named, not guessed. Without a GPU the exit code is 2; --cpu then
runs a small check of this script itself, whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import difflib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import describe

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

PRECISIONS = ("float32", "bfloat16", "float16")
FRAMES = 100  # of features in a second
MB = 1e6


def random_checkpoint(tiny: bool) -> Any:
    """A checkpoint with the sizes of Parakeet v2 and random weights; everything small if ``tiny``."""
    import numpy as np
    import torch

    from diarist.transcription.checkpoints import Architecture, Checkpoint
    from diarist.transcription.parakeet_torch import make_network
    from diarist.transcription.vocabulary import Vocabulary

    hidden, layers, heads, channels, said, pieces = (32, 2, 4, 16, 32, 60) if tiny else (1024, 24, 8, 256, 640, 1024)
    architecture = Architecture(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * hidden,
        conv_kernel_size=9, subsampling_factor=8, subsampling_conv_channels=channels, num_mel_bins=128,
        attention_bias=False, convolution_bias=False, scale_input=False, predictor_hidden=said, predictor_layers=2,
        durations=(0, 1, 2, 3, 4),
    )  # fmt: skip
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in make_network(architecture, pieces).state_dict().items()}
    rng = np.random.default_rng(0)
    tensors = {}
    for name, shape in shapes.items():
        if len(shape) < 2:
            whole = name.endswith(("norm.weight", "running_var")) or ("norm" in name and name.endswith("weight"))
            tensors[name] = np.full(shape, 1.0 if whole else 0.0, np.float32)
        else:
            scale = 1.0 if "embedding" in name else float(np.prod(shape[1:])) ** -0.5
            # A sharp joint: words, blanks and durations all occur.
            scale *= 6.0 if name == "joint.head.weight" else 1.0
            tensors[name] = rng.standard_normal(shape, np.float32) * np.float32(scale)
    return Checkpoint(architecture, Vocabulary(tuple(f"▁w{index}" for index in range(pieces))), tensors)


def sound(batch: int, seconds: float) -> tuple[Any, Any]:
    """Features of noise: ``(batch, bands, frames)``, and how many frames count."""
    import numpy as np

    frames = int(seconds * FRAMES)
    features = np.random.default_rng(1).standard_normal((batch, 128, frames), np.float32)
    return features, np.full(batch, frames, np.int64)


class Clock:
    """Times work on a device, which goes on after a call has returned."""

    def __init__(self, device: str) -> None:
        self._device = device

    def now(self) -> float:
        import torch

        if self._device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def peak_mb(device: str) -> float:
    """Most memory held at once: on the GPU since the last reset, else by this process since it began."""
    import torch

    if device == "cuda":
        return round(torch.cuda.max_memory_allocated() / MB)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB)


def ready(device: str, precision: str, tiny: bool, began: float) -> dict[str, float]:
    """Seconds from the start of this process to imports, to a network on the device, to one second recognised.

    Making random weights is left out.
    """
    import torch

    from diarist.transcription.parakeet_torch import TorchBackend
    from diarist.transcription.tdt import decode_tokens

    found = {"imported_s": time.time() - began}
    making = time.time()
    checkpoint = random_checkpoint(tiny)
    began += time.time() - making
    backend = TorchBackend(checkpoint, device, precision=precision)
    if device == "cuda":
        torch.cuda.synchronize()
    found["loaded_s"] = time.time() - began
    decode_tokens(backend, *backend.encode(*sound(1, 1.0)))
    found["ready_s"] = time.time() - began
    return {name: round(value, 3) for name, value in found.items()} | {"memory_mb": peak_mb(device)}


def in_a_process(args: argparse.Namespace, precision: str) -> dict[str, Any]:
    """Run `ready` in a process of its own."""
    command = [sys.executable, __file__, "--ready", precision, "--began", repr(time.time())]
    command += ["--cpu"] * args.cpu + ["--tiny"] * args.tiny
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["it ended"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def speeds(args: argparse.Namespace, device: str, checkpoint: Any) -> Iterator[dict[str, Any]]:
    """Seconds of computing for each second of sound, by precision and batch."""
    import torch

    from diarist.transcription.parakeet_torch import TorchBackend
    from diarist.transcription.tdt import decode_tokens

    clock = Clock(device)
    for precision in args.precisions:
        backend: Any = None
        for batch in args.batches:
            row: dict[str, Any] = {"precision": precision, "batch": batch}
            encoded: Any = None
            if device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            features, lengths = sound(batch, args.seconds)
            best = {"encode": float("inf"), "decode": float("inf")}
            try:
                backend = backend or TorchBackend(checkpoint, device, precision=precision)
                for _ in range(args.rounds + 1):
                    began = clock.now()
                    encoded, counts = backend.encode(features, lengths)
                    encoded_at = clock.now()
                    tokens = decode_tokens(backend, encoded, counts)
                    took = {"encode": encoded_at - began, "decode": clock.now() - encoded_at}
                    best = took if sum(took.values()) < sum(best.values()) else best
            except Exception as problem:  # noqa: BLE001  # whatever it is, the next size may do
                yield row | {"failed": one_line(problem)}
                continue
            audio = batch * args.seconds
            yield row | {
                "encode_s_per_s": round(best["encode"] / audio, 7),
                "decode_s_per_s": round(best["decode"] / audio, 7),
                "s_per_s": round(sum(best.values()) / audio, 7),
                "tokens_per_s": round(sum(map(len, tokens)) / audio, 1),
                "peak_mb": peak_mb(device),
            }


def agreement(args: argparse.Namespace, device: str, checkpoint: Any) -> dict[str, float | str]:
    """Least cosine of an encoder frame with that of float32 on the CPU, by precision."""
    import torch

    from diarist.transcription.parakeet_torch import TorchBackend

    features = sound(1, min(args.seconds, 10.0))
    right = TorchBackend(checkpoint, "cpu").encode(*features)[0]
    found: dict[str, float | str] = {}
    for precision in args.precisions:
        try:
            frames: Any = TorchBackend(checkpoint, device, precision=precision).encode(*features)[0]
        except Exception as problem:  # noqa: BLE001  # as above
            found[precision] = one_line(problem)
            continue
        cosine = torch.nn.functional.cosine_similarity(right, frames.float().cpu(), dim=-1)  # type: ignore[attr-defined]
        found[precision] = round(float(cosine.min()), 6)
    return found


def words(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """Words of each precision beside those of float32 on the CPU; or why they were not compared."""
    try:
        path, recording = trained(args.weights), spoken(args.recording)
        if path is None:
            return {"not_compared": "no trained weights: not compared"}
        if recording is None:
            return {"not_compared": "no recording: not compared"}
        from diarist.audio.decode import decode
        from diarist.transcription.checkpoints import read_network
        from diarist.transcription.parakeet import Parakeet
        from diarist.transcription.parakeet_torch import TorchBackend

        checkpoint, audio = read_network(path), decode(recording)
    except ImportError as problem:
        return {"not_compared": f"{problem}: not compared"}

    def heard(where: str, precision: Any) -> list[Any]:
        engine = Parakeet(
            lambda: TorchBackend(checkpoint, where, precision=precision), checkpoint.vocabulary, path.stem, None
        )
        return list(engine.transcribe(audio).words)

    right = heard("cpu", "float32")
    found: dict[str, Any] = {"weights": path.name, "recording": recording.name, "words": len(right), "changed": {}}
    for precision in args.precisions:
        sides = [[word.text for word in each] for each in (right, heard(device, precision))]
        matcher = difflib.SequenceMatcher(None, *sides, autojunk=False)
        found["changed"][precision] = sum(
            max(b - a, d - c) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"
        )
    return found


def speakers(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """What diarization takes, and whether it finds the turns that it finds on the CPU; or why it was not measured."""
    try:
        import numpy as np
        import onnxruntime

        if device == "cuda" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            return {"not_measured": "this ONNX Runtime has no CUDA: not measured"}
        from diarist.audio.audio import Audio
        from diarist.audio.decode import decode
        from diarist.diarization.pipeline import load_diarizer

        recording = spoken(args.recording)
        if not (recording and located("segmentation-3.0") and located("campplus")):
            return {"not_measured": "no recording or no weights of the embedded models: not measured"}
        once = decode(recording).samples
    except ImportError as problem:
        return {"not_measured": f"{problem}: not measured"}
    audio = Audio(np.tile(once, max(1, round(args.diarized_seconds * 16_000 / len(once)))))
    found: dict[str, Any] = {"recording": recording.name, "seconds": round(audio.duration)}
    turns = {}
    for where in dict.fromkeys((device, "cpu")):
        began = time.perf_counter()
        engine = load_diarizer("embedded", device=where)
        loaded = time.perf_counter()
        engine.diarize(Audio(once[: 20 * 16_000]))
        warm = time.perf_counter()
        turns[where] = engine.diarize(audio).turns
        taken = time.perf_counter() - warm
        found[where] = {
            "load_s": round(loaded - began, 2),
            "first_s": round(warm - loaded, 2),
            "s_per_s": round(taken / audio.duration, 5),
        }
    return found | {"same_turns": turns[device] == turns["cpu"]}


def trained(given: Path | None) -> Path | None:
    """The file with trained Parakeet weights: the one that was named, or one that diarist finds."""
    from diarist.transcription.checkpoints import checkpoint_file

    folders = [given] if given else [located(f"parakeet-tdt-0.6b-{version}") for version in ("v2", "v3")]
    files = (path if path.is_file() else checkpoint_file(path) for path in folders if path)
    return next((path for path in files if path), None)


def spoken(given: Path | None) -> Path | None:
    """A recording of speech: the one that was named, or a sample that diarist finds."""
    folder = given or located("sample-two-voices")
    return given or (folder and folder / "endgame_nagg_nell.wav")


def located(name: str) -> Path | None:
    """The folder of a model on this machine; None also where diarist's own libraries are missing."""
    try:
        from diarist.weights.locate import locate

        found = locate(name)
    except ImportError:
        return None
    return found.path if found else None


def one_line(problem: Exception) -> str:
    """What went wrong, on one line."""
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]


def device_facts(device: str) -> dict[str, Any]:
    """What computes, and with which software."""
    import torch

    facts: dict[str, Any] = {"torch": torch.__version__, "device": device}
    if device == "cuda":
        about = torch.cuda.get_device_properties(0)
        facts |= {"gpu": about.name, "memory_mb": round(about.total_memory / MB), "cuda": torch.version.cuda}
        facts["capability"] = f"{about.major}.{about.minor}"
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            facts["driver"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            facts["driver"] = None
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=None, help="windows at a time; 1 4 16 32 64")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--seconds", type=float, default=None, help="of sound in a window; 30")
    parser.add_argument("--rounds", type=int, default=None, help="of which the best counts; 3")
    parser.add_argument("--weights", type=Path, help="a .nemo file, or a folder of Parakeet v3")
    parser.add_argument("--recording", type=Path, help="speech, for words and speakers")
    parser.add_argument("--diarized-seconds", type=float, default=600.0, help="the recording is repeated to about this")
    parser.add_argument("--cpu", action="store_true", help="a small run on the CPU, to check this script")
    parser.add_argument("--tiny", action="store_true", help="a tiny network, to check this script faster still")
    parser.add_argument("--ready", choices=PRECISIONS, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        parser.exit(2, "This needs torch: pip install torch numpy\n")
    if not args.cpu and not torch.cuda.is_available():
        parser.exit(2, "There is no GPU here that torch can use, so nothing was measured.\n")
    device = "cpu" if args.cpu else "cuda"
    if args.ready:
        print(json.dumps(ready(device, args.ready, args.tiny, args.began)))
        return
    args.batches = args.batches or ([1] if args.cpu else [1, 4, 16, 32, 64])
    args.seconds = args.seconds or (2.0 if args.cpu else 30.0)
    args.rounds = args.rounds or (1 if args.cpu else 3)
    found: dict[str, Any] = {**describe(), "on": device_facts(device), "seconds": args.seconds, "tiny": args.tiny}
    found["ready"] = {precision: in_a_process(args, precision) for precision in args.precisions}
    checkpoint = random_checkpoint(args.tiny)
    found["speed"] = list(speeds(args, device, checkpoint))
    found["least_cosine"] = agreement(args, device, checkpoint)
    del checkpoint
    found["words"] = words(args, device)
    found["speakers"] = speakers(args, device)
    print(json.dumps(found, indent=2) if args.json else table(found))


def table(found: dict[str, Any]) -> str:
    """The figures as text."""
    lines = [", ".join(f"{key} {value}" for key, value in found["on"].items())]
    if found["on"]["device"] == "cpu":
        lines.append("A check of this script on the CPU: these figures say nothing of a GPU.")
    for title, rows in (
        ("start to ready", found["ready"]),
        ("least cosine with float32 on the CPU", found["least_cosine"]),
    ):
        lines += ["", title, *(f"  {name:<10}{_row(row)}" for name, row in rows.items())]
    lines += ["", f"seconds of computing per second of sound, windows of {found['seconds']:g} s"]
    lines += [f"  {row['precision']:<10}batch {row['batch']:<4}{_row(row)}" for row in found["speed"]]
    for title in ("words", "speakers"):
        lines += ["", f"{title}: {_row(found[title])}"]
    return "\n".join(lines)


def _row(row: Any) -> str:
    if not isinstance(row, dict):
        return str(row)
    return "  ".join(f"{key} {value}" for key, value in row.items() if key not in ("precision", "batch"))


if __name__ == "__main__":
    main()
