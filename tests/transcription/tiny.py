"""Small Parakeet models that tests make: a scripted one that speaks, and random ones in every published layout.

None needs torch. The scripted one has the inputs, outputs and shapes of the real conversion; over loud sound it says
"Hello world this is a test." again and again, and over quiet it says nothing.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from diarist.transcription.checkpoints import Checkpoint
from diarist.transcription.features import mel_filters

SCRIPT = ("▁Hello", "▁wor", "ld", "▁this", "▁is", "▁a", "▁test", ".")
PIECES = ("<unk>", *SCRIPT, "▁ok", "▁He", "llo", "▁Hel", "lo", "▁Jell", "▁yes")
STEPS = {"▁Hello": 4, "▁wor": 2, "ld": 2, "▁this": 3, "▁is": 2, "▁a": 1, "▁test": 4, ".": 0}
BLANK = len(PIECES)
DURATIONS = 5
WIDTH, HIDDEN, LAYERS, BANDS = 8, 4, 2, 128


def scripted(folder: Path, rival: dict[str, float] | None = None) -> Path:
    """Write the scripted model in onnx-asr's layout.

    Args:
        folder: where to.
        rival: pieces that score this much wherever "▁Hello" scores 3.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_encoder(), folder / "encoder-model.onnx")
    onnx.save(_decoder(rival or {}), folder / "decoder_joint-model.onnx")
    lines = [f"{piece} {index}\n" for index, piece in enumerate([*PIECES, "<blk>"])]
    (folder / "vocab.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "nemo-conformer-tdt", "features_size": BANDS}))
    return folder


def _encoder() -> onnx.ModelProto:
    """Every 8th frame; channel 0 is its loudness."""
    weight = np.zeros((WIDTH, BANDS, 1), np.float32)
    weight[0] = 1 / BANDS
    nodes = [
        helper.make_node("MaxPool", ["audio_signal"], ["pooled"], kernel_shape=[1], strides=[8]),
        helper.make_node("Conv", ["pooled", "weight"], ["outputs"], kernel_shape=[1]),
        helper.make_node("Sub", ["length", "one"], ["less"]),
        helper.make_node("Div", ["less", "eight"], ["eighth"]),
        helper.make_node("Add", ["eighth", "one"], ["encoded_lengths"]),
    ]
    return _model(
        "encoder", nodes,
        {"audio_signal": ("f", ["B", BANDS, "T"]), "length": ("i64", ["B"])},
        {"outputs": ("f", ["B", WIDTH, "S"]), "encoded_lengths": ("i64", ["B"])},
        {"weight": weight, "one": np.int64(1), "eight": np.int64(8)},
    )  # fmt: skip


def _decoder(rival: dict[str, float]) -> onnx.ModelProto:
    """A table of what follows which token; blank wins where it is quiet."""
    table = np.full((BLANK + 1, BLANK + 1 + DURATIONS), -4, np.float32)
    for previous in range(BLANK + 1):
        position = SCRIPT.index(PIECES[previous]) + 1 if previous < BLANK and PIECES[previous] in SCRIPT else 0
        follows = SCRIPT[position % len(SCRIPT)]
        table[previous, PIECES.index(follows)] = 3
        table[previous, BLANK + 1 + STEPS[follows]] = 3
        if follows == "▁Hello":
            for piece, score in rival.items():
                table[previous, PIECES.index(piece)] = score
    gate = np.zeros((1, WIDTH), np.float32)
    gate[0, 0] = -8
    only_blank = np.zeros((1, 1, BLANK + 1 + DURATIONS), np.float32)
    only_blank[..., BLANK] = 1
    nodes = [
        helper.make_node("Cast", ["targets"], ["wide"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "wide"], ["said"]),
        helper.make_node("MatMul", ["gate", "encoder_outputs"], ["loud"]),
        helper.make_node("Mul", ["loud", "only_blank"], ["quiet"]),
        helper.make_node("Add", ["said", "quiet"], ["both"]),
        helper.make_node("Add", ["both", "base"], ["scores"]),
        helper.make_node("Unsqueeze", ["scores", "axis"], ["outputs"]),
        helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
        helper.make_node("Add", ["input_states_1", "step"], ["output_states_1"]),
        helper.make_node("Identity", ["input_states_2"], ["output_states_2"]),
    ]
    state = ("f", [LAYERS, "B", HIDDEN])
    return _model(
        "decoder_joint", nodes,
        {"encoder_outputs": ("f", ["B", WIDTH, "S"]), "targets": ("i32", ["B", "U"]), "target_length": ("i32", ["B"]),
         "input_states_1": state, "input_states_2": state},
        {"outputs": ("f", None), "prednet_lengths": ("i32", ["B"]), "output_states_1": state, "output_states_2": state},
        {"table": table, "gate": gate, "only_blank": only_blank, "base": only_blank * 4, "step": np.float32(1),
         "axis": np.array([1], np.int64)},
    )  # fmt: skip


def _model(name, nodes, inputs, outputs, constants) -> onnx.ModelProto:
    kinds = {"f": TensorProto.FLOAT, "i32": TensorProto.INT32, "i64": TensorProto.INT64}

    def infos(table):
        return [helper.make_tensor_value_info(key, kinds[kind], shape) for key, (kind, shape) in table.items()]

    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, infos(inputs), infos(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class _Call:
    """Pickles as a call of a torch function."""

    def __init__(self, where: str, *args: object) -> None:
        self.where, self.args = where, args


class _Storage:
    def __init__(self, key: str, length: int) -> None:
        self.key, self.length = key, length


class _Pickler(pickle._Pickler):
    def persistent_id(self, obj: object) -> object:
        if isinstance(obj, _Storage):
            return ("storage", _Call("torch FloatStorage"), obj.key, "cpu", obj.length)
        return None

    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Call):
            self.write(pickle.GLOBAL + obj.where.replace(" ", "\n").encode() + b"\n")
            if obj.args:
                super().save(obj.args)
                self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def torch_saved(tensors: dict[str, np.ndarray], extra: dict[str, object] | None = None) -> bytes:
    """What ``torch.save`` writes for a state dict of float32 tensors."""
    named: dict[str, object] = OrderedDict()
    for key, tensor in tensors.items():
        strides = tuple(stride // tensor.itemsize for stride in tensor.strides)
        storage = _Storage(key, tensor.size)
        named[key] = _Call("torch._utils _rebuild_tensor_v2", storage, 0, tensor.shape, strides, False, OrderedDict())
    named.update(extra or {})
    index = io.BytesIO()
    _Pickler(index, 2).dump(named)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", index.getvalue())
        for key, tensor in tensors.items():
            archive.writestr(f"archive/data/{key}", np.ascontiguousarray(tensor).tobytes())
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


SMALL = {"hidden": 32, "layers": 2, "heads": 4, "ff": 64, "channels": 16, "bands": 128, "vocabulary": 60, "pred": 32}
FULL = {
    "hidden": 1024, "layers": 24, "heads": 8, "ff": 4096, "channels": 256, "bands": 128, "vocabulary": 1024, "pred": 640
}  # fmt: skip


def random_pieces(count: int) -> list[str]:
    """Pieces like v2's: no ``<pad>``, words, letters and punctuation."""
    words = ["<unk>", "▁the", "▁and", "ing", "er", ".", ",", "?", "▁"]
    letters = [mark + chr(code) for mark in ("", "▁") for code in range(97, 123)]
    return [*words, *letters, *(f"▁w{i}" for i in range(count))][:count]


def random_tensors(sizes: dict[str, int], seed: int = 0, gain: float = 6.0) -> dict[str, np.ndarray]:  # noqa: C901
    """Random weights under NeMo's names; ``gain`` sharpens the joint so that tokens, blanks and durations all occur."""
    rng = np.random.default_rng(seed)
    d, h, ff, c = sizes["hidden"], sizes["pred"], sizes["ff"], sizes["channels"]
    outputs = sizes["vocabulary"] + 1 + DURATIONS
    found: dict[str, np.ndarray] = {}

    def normal(name, *shape, scale=None):
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        drawn = rng.standard_normal(shape, np.float32)
        found[name] = drawn * np.float32(fan**-0.5 if scale is None else scale)

    def linear(name, out, into, bias=True, scale=None):
        normal(f"{name}.weight", out, into, scale=scale)
        if bias:
            found[f"{name}.bias"] = np.zeros(out, np.float32)

    def norm(name):
        found[f"{name}.weight"], found[f"{name}.bias"] = np.ones(d, np.float32), np.zeros(d, np.float32)

    found["preprocessor.featurizer.window"] = np.hanning(400).astype(np.float32)
    found["preprocessor.featurizer.fb"] = mel_filters(sizes["bands"])[None]
    for index, (into, kernel) in {0: (1, 3), 2: (1, 3), 3: (c, 1), 5: (1, 3), 6: (c, 1)}.items():
        normal(f"encoder.pre_encode.conv.{index}.weight", c, into, kernel, kernel)
        found[f"encoder.pre_encode.conv.{index}.bias"] = np.zeros(c, np.float32)
    linear("encoder.pre_encode.out", d, c * sizes["bands"] // 8)
    for layer in range(sizes["layers"]):
        at = f"encoder.layers.{layer}."
        for which in ("1", "2"):
            norm(f"{at}norm_feed_forward{which}")
            linear(f"{at}feed_forward{which}.linear1", ff, d, bias=False)
            linear(f"{at}feed_forward{which}.linear2", d, ff, bias=False)
        for name in ("norm_conv", "norm_self_att", "norm_out", "conv.batch_norm"):
            norm(f"{at}{name}")
        found[f"{at}conv.batch_norm.running_mean"] = np.zeros(d, np.float32)
        found[f"{at}conv.batch_norm.running_var"] = np.ones(d, np.float32)
        found[f"{at}conv.batch_norm.num_batches_tracked"] = np.ones((), np.float32)
        normal(f"{at}conv.pointwise_conv1.weight", 2 * d, d, 1)
        normal(f"{at}conv.depthwise_conv.weight", d, 1, 9)
        normal(f"{at}conv.pointwise_conv2.weight", d, d, 1)
        for name in ("q", "k", "v", "out", "pos"):
            linear(f"{at}self_attn.linear_{name}", d, d, bias=False)
        for name in ("u", "v"):
            normal(f"{at}self_attn.pos_bias_{name}", sizes["heads"], d // sizes["heads"], scale=0.02)
    normal("decoder.prediction.embed.weight", sizes["vocabulary"] + 1, h, scale=1.0)
    for layer in range(2):
        for name in ("weight_ih", "weight_hh"):
            normal(f"decoder.prediction.dec_rnn.lstm.{name}_l{layer}", 4 * h, h)
        for name in ("bias_ih", "bias_hh"):
            found[f"decoder.prediction.dec_rnn.lstm.{name}_l{layer}"] = np.zeros(4 * h, np.float32)
    linear("joint.pred", h, h)
    linear("joint.enc", h, d)
    linear("joint.joint_net.2", outputs, h, scale=gain * h**-0.5)
    return found


def nemo_config(sizes: dict[str, int]) -> dict[str, object]:
    """``model_config.yaml`` as in v2's: what we read of it, and what else NeMo needs to make the model."""
    durations, pieces, asr = list(range(DURATIONS)), random_pieces(sizes["vocabulary"]), "nemo.collections.asr."
    hidden, pred = sizes["hidden"], sizes["pred"]
    return {
        "target": f"{asr}models.rnnt_bpe_models.EncDecRNNTBPEModel",
        "sample_rate": 16000,
        "labels": pieces,
        "tokenizer": {
            "dir": None, "type": "bpe", "model_path": "nemo:tokenizer.model", "vocab_path": "nemo:vocab.txt",
            "spe_tokenizer_vocab": "nemo:tokenizer.vocab",
        },
        "model_defaults": {"enc_hidden": hidden, "pred_hidden": pred, "joint_hidden": pred, "tdt_durations": durations},
        "preprocessor": {
            "_target_": f"{asr}modules.AudioToMelSpectrogramPreprocessor", "sample_rate": 16000,
            "features": sizes["bands"], "normalize": "per_feature",
            "window_size": 0.025, "window_stride": 0.01, "window": "hann", "n_fft": 512,
            "log": True, "frame_splicing": 1, "dither": 1e-5, "pad_to": 0, "pad_value": 0.0,
        },
        "encoder": {
            "_target_": f"{asr}modules.ConformerEncoder", "feat_out": -1, "att_context_size": [-1, -1],
            "feat_in": sizes["bands"], "n_layers": sizes["layers"], "d_model": hidden, "use_bias": False,
            "subsampling": "dw_striding", "subsampling_factor": 8, "subsampling_conv_channels": sizes["channels"],
            "causal_downsampling": False, "ff_expansion_factor": sizes["ff"] // hidden, "untie_biases": True,
            "self_attention_model": "rel_pos", "n_heads": sizes["heads"], "xscaling": False, "pos_emb_max_len": 5000,
            "conv_kernel_size": 9, "conv_norm_type": "batch_norm",
        },
        "decoder": {
            "_target_": f"{asr}modules.RNNTDecoder", "blank_as_pad": True, "vocab_size": sizes["vocabulary"],
            "prednet": {"pred_hidden": pred, "pred_rnn_layers": 2},
        },
        "joint": {
            "_target_": f"{asr}modules.RNNTJoint", "num_classes": sizes["vocabulary"], "vocabulary": pieces,
            "num_extra_outputs": DURATIONS,
            "jointnet": {
                "joint_hidden": pred, "encoder_hidden": hidden, "pred_hidden": pred, "activation": "relu",
                "dropout": 0.2,  # without it, NeMo numbers the joint's layers otherwise
            },
        },
        "decoding": {"strategy": "greedy_batch", "model_type": "tdt", "durations": durations,
                     "greedy": {"max_symbols": 10}},
        "loss": {
            "loss_name": "tdt",
            "tdt_kwargs": {"fastemit_lambda": 0.0, "clamp": -1.0, "durations": durations, "sigma": 0.02, "omega": 0.1},
        },
    }  # fmt: skip


def sentencepiece_model(pieces: list[str]) -> bytes:
    """A SentencePiece model of these pieces (``sentencepiece_model.proto``), the first of which is ``<unk>``."""

    def varint(value: int) -> bytes:
        return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])

    def text(number: int, data: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(data)) + data

    def integer(number: int, value: int) -> bytes:
        return varint(number << 3) + varint(value % 2**64)

    each = [
        text(1, text(1, piece.encode()) + b"\x15" + struct.pack("<f", -index) + integer(3, 1 if index else 2))
        for index, piece in enumerate(pieces)
    ]
    # Byte-pair encoding; no ids for the beginning and end of a sentence, nor for padding.
    trainer = integer(3, 2) + integer(4, len(pieces)) + integer(40, 0) + b"".join(integer(n, -1) for n in (41, 42, 43))
    return b"".join(each) + text(2, trainer) + text(3, b"")


def nemo(
    path: Path,
    sizes: dict[str, int] = SMALL,
    *,
    tensors: dict[str, np.ndarray] | None = None,
    config: dict[str, object] | None = None,
    checkpoint: bytes | None = None,
    mode: str = "w:",
) -> Path:
    """Write a ``.nemo`` file, which NeMo 3 reads too."""
    weights = checkpoint or torch_saved(tensors or random_tensors(sizes, gain=1.0 if sizes is FULL else 6.0))
    pieces = random_pieces(sizes["vocabulary"])
    parts = {
        "./model_config.yaml": yaml.safe_dump(config or nemo_config(sizes), allow_unicode=True).encode(),
        "./tokenizer.model": sentencepiece_model(pieces),
        "./tokenizer.vocab": "".join(f"{piece}\t{-index}\n" for index, piece in enumerate(pieces)).encode(),
        "./vocab.txt": "".join(f"{piece}\n" for piece in pieces).encode(),
        "./model_weights.ckpt": weights,
    }
    with tarfile.open(path, mode) as archive:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def transformers(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint in transformers' layout, which v3 is published in too. Needs the extra gpu."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(t, order="C") for name, t in checkpoint.tensors.items()}, folder / "model.safetensors")
    pieces = [(piece, -float(index)) for index, piece in enumerate([*checkpoint.vocabulary.pieces, "<blank>"])]
    Tokenizer(models.Unigram(pieces, unk_id=0)).save(str(folder / "tokenizer.json"))
    blank, sizes = checkpoint.vocabulary.blank, asdict(checkpoint.architecture)
    config = {
        "model_type": "parakeet_tdt", "vocab_size": blank + 1, "blank_token_id": blank, "pad_token_id": 0,
        "decoder_hidden_size": sizes.pop("predictor_hidden"), "num_decoder_layers": sizes.pop("predictor_layers"),
        "durations": sizes.pop("durations"), "encoder_config": sizes,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    beyond = list(range(blank + 1, blank + 1 + DURATIONS))
    (folder / "generation_config.json").write_text(
        json.dumps({"decoder_start_token_id": blank, "pad_token_id": 0, "suppress_tokens": beyond})
    )
    return folder
