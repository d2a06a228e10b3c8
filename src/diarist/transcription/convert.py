"""From a published checkpoint, or the published float32 conversion, to an int8 folder for the CPU.

Only matrix products are quantised (per tensor, symmetric int8 weights, dynamic activations): the published int8 also
quantises convolutions, whose int8 kernels are slower on CPUs than float32's, and takes about 1.5 times the CPU time.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.extras import install
from diarist.model.errors import EngineError, InputError
from diarist.transcription import tdt
from diarist.transcription.checkpoints import checkpoint_file, read_network
from diarist.transcription.features import batch
from diarist.transcription.parakeet_onnx import OnnxBackend
from diarist.transcription.vocabulary import Vocabulary

OPSET: Final = 18
PARTS: Final = ("encoder-model", "decoder_joint-model")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far the int8 network is from the float32 network it was made of, over some sound.

    Attributes:
        seconds: of sound compared.
        cosine_mean: mean cosine between the encoder's frames.
        cosine_min: that of the worst frame.
        tokens: emitted by the float32 network.
        changed: edits between both networks' tokens; frames, durations and confidences may differ besides.
        megabytes: size of the int8 graphs.
        megabytes_before: size of the float32 graphs.
    """

    seconds: float
    cosine_mean: float
    cosine_min: float
    tokens: int
    changed: int
    megabytes: float
    megabytes_before: float


def convert(
    source: Path,
    out: Path,
    sound: NDArray[np.float32] | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Fidelity:
    """Write a folder in onnx-asr's layout with MatMul-only int8 weights.

    Args:
        source: a ``.nemo`` file, a folder with one or with ``model.safetensors``, or a folder with the float32
            conversion.
        out: the folder to write; it must not hold a model yet.
        sound: ``(num_samples,)`` float32 at 16 kHz to compare both networks on; noise if not given.
        note: told, in one line, what is being done.

    Raises:
        InputError: there is nothing to convert, or ``out`` is taken.
        WeightsError: the source is damaged.
        EngineError: the extra ``convert`` is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise EngineError("engine_missing", f"Converting needs {error.name}.", f"Run: {install('convert')}") from error
    if any(out.glob("*.onnx")):
        raise InputError("output_exists", f"{out} holds a model already.", "Name another folder.")
    checkpoint = source if source.is_file() else checkpoint_file(source)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".convert-") as scratch:
        folder = source
        if checkpoint is not None and not (source / "encoder-model.onnx").is_file():
            note("exporting the network")
            folder = Path(scratch) / "float32"
            export(checkpoint, folder)
        if not all((folder / f"{part}.onnx").is_file() for part in PARTS):
            raise InputError(
                "nothing_to_convert",
                f"{source} holds neither a checkpoint nor a float32 conversion.",
                "Name a .nemo file, or a folder with encoder-model.onnx and decoder_joint-model.onnx.",
            )
        made = Path(scratch) / "int8mm"
        made.mkdir()
        for part in PARTS:
            note(f"quantising {part}")
            quantize_dynamic(
                str(folder / f"{part}.onnx"),
                str(made / f"{part}.int8mm.onnx"),
                op_types_to_quantize=["MatMul"],
                weight_type=QuantType.QInt8,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
        for name in ("vocab.txt", "config.json"):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, made / name)
        note("comparing with float32")
        found = compare(folder, made, sound)
        (made / "fidelity.json").write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
        for path in sorted(made.iterdir(), key=lambda path: path.suffix == ".onnx"):
            path.rename(out / path.name)
    return found


def export(checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint's network as float32 ONNX graphs in onnx-asr's layout.

    Raises:
        WeightsError: the checkpoint is damaged.
        EngineError: torch is not installed.
    """
    from diarist.transcription.parakeet_torch import export_graphs

    model = read_network(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    export_graphs(model, folder, OPSET)
    lines = [f"{piece} {index}\n" for index, piece in enumerate([*model.vocabulary.pieces, "<blk>"])]
    (folder / "vocab.txt").write_text("".join(lines), encoding="utf-8")
    config = {
        "model_type": "nemo-conformer-tdt",
        "features_size": model.architecture.num_mel_bins,
        "subsampling_factor": model.architecture.subsampling_factor,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def compare(before: Path, after: Path, sound: NDArray[np.float32] | None = None) -> Fidelity:
    """Compare the networks in two folders of ONNX graphs on the same sound; see `Fidelity`."""
    if sound is None:
        rng = np.random.default_rng(0)
        sound = (rng.standard_normal(10 * 16_000) * 0.1).astype(np.float32)
    features, lengths = batch([sound])
    encoded, tokens = [], []
    for folder in (before, after):
        vocabulary = Vocabulary.read(folder / "vocab.txt")
        backend = OnnxBackend(folder, vocabulary.blank, threads=2)
        frames, counts = backend.encode(features, lengths)
        tokens.append([token.id for token in tdt.decode_tokens(backend, frames, counts)[0]])
        encoded.append(np.asarray(frames)[0])
        del backend
    a, b = encoded
    cosine = (a * b).sum(0) / (np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0) + 1e-12)
    return Fidelity(
        seconds=round(len(sound) / 16_000, 2),
        cosine_mean=round(float(cosine.mean()), 5),
        cosine_min=round(float(cosine.min()), 5),
        tokens=len(tokens[0]),
        changed=_edits(tokens[0], tokens[1]),
        megabytes=_megabytes(after),
        megabytes_before=_megabytes(before),
    )


def _edits(a: list[int], b: list[int]) -> int:
    """Levenshtein distance."""
    row = np.arange(len(b) + 1)
    offset = np.arange(len(b) + 1)
    other = np.asarray(b, dtype=int)
    for index, one in enumerate(a, 1):
        kept = np.concatenate([[index], np.minimum(row[1:] + 1, row[:-1] + (other != one))])
        row = np.minimum.accumulate(kept - offset) + offset  # a token more costs one
    return int(row[-1])


def _megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.glob("*.onnx*")) / 1e6, 1)
