"""The bundle of community-1 in the files that other engines read, so that all run from the same weights.

Names and layouts: sherpa-onnx's ``scripts/pyannote/segmentation`` and ``scripts/wespeaker``; speakrs' page on native
weights and its loaders (``src/inference/native_model``, version 0.7.0).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.compose import merge_models

from diarist.diarization import graphs
from diarist.diarization.onnx_writer import Graph
from diarist.weights.checkpoint import read_checkpoint, state_dict


def write_sherpa(bundle: Path, folder: Path) -> None:
    """``segmentation.onnx`` and ``embedding.onnx``: our graphs joined, with the metadata that sherpa-onnx asks for."""
    state = state_dict(read_checkpoint(bundle / "segmentation" / "pytorch_model.bin"))
    model = _join(_normalization(state), graphs.sincnet(state), {"samples_of_chunk": "samples"})
    parts = {"high_0": "high", "low_0": "low", "scale": "scale", "shift": "shift"}
    model = _join(model, graphs.pyannet(state), parts, ["log_probs"])
    chunks = {"num_speakers": 3, "powerset_max_classes": 2, "num_classes": 7, "window_size": 160_000}
    field = {"receptive_field_size": 991, "receptive_field_shift": 270}
    _save(model, folder / "segmentation.onnx", chunks | field | {"sample_rate": 16_000})

    state = state_dict(read_checkpoint(bundle / "embedding" / "pytorch_model.bin"))
    model = _join(graphs.resnet34(state), _no_mask(), {"frames": "trunk"})
    model = _join(model, graphs.pooling(*graphs.resnet34_head(state)), {"flat": "frames", "ones": "weights"})
    about = {"framework": "wespeaker", "language": "English", "sample_rate": 16_000, "output_dim": 256}
    # Its own script leaves the last one out, though WeSpeaker is trained on features without their mean.
    _save(model, folder / "embedding.onnx", about | {"normalize_samples": 0, "feature_normalize_type": "global-mean"})


def write_speakrs(bundle: Path, folder: Path) -> None:
    """The nine files of speakrs' CPU mode."""
    state = state_dict(read_checkpoint(bundle / "segmentation" / "pytorch_model.bin"))
    network = onnx.load_from_string(graphs.pyannet(state)).graph
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in network.initializer}
    # The bare weights of LSTM and linear layers have names that torch's exporter numbers; only their order counts.
    segmentation = {f"onnx::Div_{0}": state["sincnet.conv1d.0.filterbank.n_"] / 2}
    for number, node in enumerate(n for n in network.node if n.op_type == "LSTM"):
        weights = [constants[name] for name in node.input[1:4]]
        for order, array in enumerate([weights[2], weights[0], weights[1]]):
            segmentation[f"onnx::LSTM_{10 * number + order}"] = array
    for number, name in enumerate(("linear.0", "linear.1", "classifier")):
        segmentation[f"onnx::MatMul_{100 + number}"] = state[f"{name}.weight"].T
    bare = ("lstm.", "linear.0.weight", "linear.1.weight", "classifier.weight")
    segmentation |= {name: array for name, array in state.items() if not name.startswith(bare)}
    _write_safetensors(folder / "segmentation-3.0.safetensors", segmentation)

    state = state_dict(read_checkpoint(bundle / "embedding" / "pytorch_model.bin"))
    embedding = {name: state[name] for name in ("resnet.seg_1.weight", "resnet.seg_1.bias")}
    for name in (n.removesuffix(".weight") for n in state if n.endswith(".weight") and state[n].ndim == 4):
        head, _, last = name.rpartition(".")
        norm = f"{head}.1" if head.endswith("shortcut") else f"{head}.{last.replace('conv', 'bn')}"
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        embedding[f"{name}.weight"] = state[f"{name}.weight"] * scale[:, None, None, None]
        embedding[f"{name}.weight_bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    _write_safetensors(folder / "wespeaker-multimask-tail.safetensors", embedding)

    (folder / "wespeaker-voxceleb-resnet34.min_num_samples.txt").write_text("400\n")
    for part in ("xvec_transform", "plda"):
        with np.load(bundle / "plda" / f"{part}.npz") as arrays:
            for name in arrays.files:
                np.save(folder / f"plda_{name}.npy", arrays[name])


def _normalization(state: Mapping[str, Any]) -> bytes:
    """Normalises a chunk, as `diarist.diarization.segmentation.Segmenter` does outside of the graphs."""
    weight, bias = (float(state[f"sincnet.wav_norm1d.{part}"][0]) for part in ("weight", "bias"))
    g = Graph("normalization")
    x = g.input("x", [1, 1, "num_samples"])
    mean = g.op("ReduceMean", x, axes=[2])
    centred = g.op("Sub", x, mean)
    variance = g.op("ReduceMean", g.op("Mul", centred, centred), axes=[2])
    deviation = g.op("Sqrt", g.op("Add", variance, _number(g, graphs.INSTANCE_NORM_EPSILON)))
    scale = g.op("Div", _number(g, abs(weight)), deviation)
    shift = g.op("Sub", g.op("Div", _number(g, np.sign(weight) * bias), scale), mean)
    sums = graphs.sinc_filters(state).sum(axis=(1, 2))[:, None]
    g.output(x, "samples_of_chunk", [1, 1, "num_samples"])
    g.output(scale, "scale", [1, 1, 1])
    g.output(g.op("Mul", shift, g.constant(sums)), "shift", [1, 80, 1])
    return g.serialize()


def _no_mask() -> bytes:
    """One recording's frames and a mask that takes them all, for `graphs.pooling`."""
    g = Graph("no_mask")
    x = g.input("trunk", [1, 2560, "num_frames"])
    nothing = g.op("Mul", g.op("ReduceMean", x, axes=[1], keepdims=0), _number(g, 0))
    g.output(g.op("Squeeze", x, g.constant([0])), "flat", [2560, "num_frames"])
    g.output(g.op("Add", nothing, _number(g, 1)), "ones", [1, "num_frames"])
    return g.serialize()


def _number(g: Graph, value: float) -> str:
    return g.constant(np.array(value, np.float32))


def _join(first: bytes, second: bytes, joints: dict[str, str], outputs: list[str] | None = None) -> bytes:
    one, two = (onnx.load_from_string(model) for model in (first, second))
    one = onnx.compose.add_prefix(one, f"{two.graph.name}/", rename_inputs=False, rename_outputs=False)
    joined = merge_models(one, two, io_map=list(joints.items()), outputs=outputs, name=two.graph.name + "_joined")
    serialized: bytes = joined.SerializeToString()
    return serialized


def _save(model: bytes, path: Path, metadata: dict[str, object]) -> None:
    proto = onnx.load_from_string(model)
    onnx.helper.set_model_props(proto, {key: str(value) for key, value in metadata.items()})
    onnx.save(proto, str(path))


def _write_safetensors(path: Path, tensors: dict[str, Any]) -> None:
    """As https://huggingface.co/docs/safetensors describes the file; the package is not needed for this."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in tensors.items()}
    header, end = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    encoded = json.dumps(header).encode()
    path.write_bytes(b"".join([struct.pack("<Q", len(encoded)), encoded, *(a.tobytes() for a in arrays.values())]))
