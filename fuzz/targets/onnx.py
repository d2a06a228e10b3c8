"""Folders in onnx-asr's layout: graphs, vocabulary and configuration."""

import random
from pathlib import Path

import numpy as np
from mutate import as_json, changed, changed_value

from diarist.diarization.onnx_writer import Graph
from diarist.transcription.parakeet_onnx import OnnxBackend
from diarist.transcription.vocabulary import Vocabulary


def _graphs() -> tuple[bytes, bytes]:
    """Small graphs with the names that the real ones have."""
    encoder = Graph("encoder")
    sound = encoder.input("audio_signal", ["B", 128, "T"])
    weight = encoder.constant(np.ones((4, 128, 1), np.float32))
    encoder.output(encoder.op("Conv", sound, weight, kernel_shape=[1], strides=[8]), "outputs", ["B", 4, "S"])
    lengths = encoder.op("Div", encoder.input("length", ["B"], "int64"), encoder.constant([8]))
    encoder.output(lengths, "encoded_lengths", ["B"], "int64")
    decoder = Graph("decoder_joint")
    x = decoder.op("Transpose", decoder.input("encoder_outputs", ["B", 4, "S"]), perm=[0, 2, 1])
    scores = decoder.op("MatMul", x, decoder.constant(np.ones((4, 9), np.float32)))
    decoder.output(decoder.op("Unsqueeze", scores, decoder.constant([2])), "outputs", ["B", "S", 1, 9])
    for name in ("targets", "target_length"):
        shape = ["B", "U"] if name == "targets" else ["B"]
        decoder.output(decoder.op("Identity", decoder.input(name, shape, "int32")), f"{name}_out", shape, "int32")
    for number in (1, 2):
        state = decoder.op("Identity", decoder.input(f"input_states_{number}", [2, "B", 4]))
        decoder.output(state, f"output_states_{number}", [2, "B", 4])
    return encoder.serialize(), decoder.serialize()


ENCODER, DECODER = _graphs()
GOOD = (ENCODER, DECODER, b"a 0\n<blk> 1\n", b"{}")
NAMES = ("encoder-model.onnx", "decoder_joint-model.onnx", "vocab.txt", "config.json")


def make(rng: random.Random) -> bytes:
    """The number of a file, and what is in it."""
    which = rng.randrange(len(NAMES))
    if rng.random() < 0.1:
        return bytes([which]) + GOOD[which]
    match which:
        case 2:
            lines = [f"▁a{n} {n}" for n in range(5)] + ["<blk> 5"]
            lines[rng.randrange(6)] = rng.choice(("x", "a " + "9" * 9000, "a -1", "", " 3", "\ud800 1", "a 1e9"))
            content = "\n".join(lines).encode("utf-8", "surrogatepass")
        case 3:
            content = as_json(rng, changed_value(rng, {"model_type": "x", "features_size": 128}))
        case _:
            content = changed(rng, GOOD[which])
    return bytes([which]) + content


def run(data: bytes, folder: Path) -> None:
    files = dict(zip(NAMES, GOOD, strict=True))
    files[NAMES[data[0] % len(NAMES) if data else 0]] = data[1:]
    for name, content in files.items():
        (folder / name).write_bytes(content)
    OnnxBackend(folder, Vocabulary.read(folder / "vocab.txt").blank, threads=1)
