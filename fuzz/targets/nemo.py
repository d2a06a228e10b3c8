"""Archives of NeMo: a tar, at times compressed, with a configuration and a checkpoint."""

import bz2
import gzip
import io
import json
import random
import tarfile
from pathlib import Path

from mutate import changed, changed_value

from diarist.transcription.checkpoints import read_network

CONFIG = {
    "labels": ["<unk>", "▁a", "b"],
    "encoder": {
        "d_model": 32, "n_layers": 2, "n_heads": 4, "ff_expansion_factor": 2, "conv_kernel_size": 9,
        "subsampling_factor": 8, "subsampling_conv_channels": 16, "feat_in": 128, "xscaling": False, "use_bias": False,
        "self_attention_model": "rel_pos", "subsampling": "dw_striding", "conv_norm_type": "batch_norm",
    },
    "decoder": {"prednet": {"pred_hidden": 32, "pred_rnn_layers": 2}},
    "joint": {"vocabulary": ["<unk>", "▁a", "b"]},
    "decoding": {"durations": [0, 1, 2]},
}  # fmt: skip
MULTIPLIED = b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 30))
HOSTILE = (
    b"a: " + b"[" * 20_000, b"a: " + b"{a: " * 20_000, b"- " * 20_000, b"a: &a [*a]\nlabels: *a\n", b"? [a]\n: b",
    b"a0: &a0 [x]\n" + MULTIPLIED, b"a: !!python/object/apply:os.getcwd []\n", b"a: 1" + b":1" * 9000, b"\xff\xfe",
    b"a: !!binary x", b"%YAML 9.9\n---\n",
)  # fmt: skip


def make(rng: random.Random) -> bytes:
    text = json.dumps(changed_value(rng, CONFIG), ensure_ascii=False).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        text = rng.choice(HOSTILE)
    parts = {"./model_config.yaml": text, "./model_weights.ckpt": _checkpoint(rng)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.type = rng.choice((tarfile.REGTYPE,) * 60 + (tarfile.GNUTYPE_SPARSE, tarfile.SYMTYPE, b"L", b"x"))
            archive.addfile(info, io.BytesIO(data))
    data = out.getvalue()
    if rng.random() < 0.1:
        data = changed(rng, data)
    match rng.randrange(16):
        case 0:
            return gzip.compress(data)
        case 1:
            return gzip.compress(data)[: rng.randrange(len(data))]
        case 2:
            return bz2.compress(data)
    return data


def _checkpoint(rng: random.Random) -> bytes:
    import importlib

    return importlib.import_module("targets.checkpoint").make(rng)  # type: ignore[no-any-return]


def run(data: bytes, folder: Path) -> None:
    path = folder / "m.nemo"
    path.write_bytes(data)
    read_network(path)
