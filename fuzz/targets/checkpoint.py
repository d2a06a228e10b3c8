"""Torch checkpoints: a zip of raw tensors and of an index, of which either may be anything."""

import io
import random
import zipfile
from pathlib import Path

import numpy as np
from mutate import NUMBERS, changed

from diarist.weights.checkpoint import read_checkpoint, state_dict

PACKINGS = (zipfile.ZIP_STORED,) * 40 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
KINDS = ("Float", "BFloat16", "Half", "Double", "Long", "Bool", "Byte", "None")


def number(rng: random.Random, good: int) -> bytes:
    if rng.random() < 0.99:
        return b"J" + good.to_bytes(4, "little", signed=True)
    odd = rng.choice(NUMBERS) * rng.choice((1, -1))
    data = odd.to_bytes(odd.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + len(data).to_bytes(4, "little") + data


def row(rng: random.Random, numbers: list[int]) -> bytes:
    return b"(" + b"".join(number(rng, n) for n in numbers) + b"t"


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def tensor(rng: random.Random, key: str, shape: list[int]) -> bytes:
    strides = [int(np.prod(shape[n + 1 :])) for n in range(len(shape))]
    kind = rng.choice(KINDS) if rng.random() < 0.05 else "Float"
    length = number(rng, int(np.prod(shape)))
    storage = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"Storage\n" + text(key) + text("cpu") + length
    called = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"tQ" + number(rng, 0)
    return called + row(rng, shape) + row(rng, strides) + b"\x89Nt" + b"R"


DOUBLED = b"K\x01K\x01\x86" + b"".join(b"q%c0h%ch%c\x86" % (n, n, n) for n in range(1, 60)) + b"K\x02s"
HOSTILE = (
    b"]" * 5000, b"(" * 5000, b"2" * 5000, b"0" * 9, b"}b", b"\x81", b"(l(d(t", DOUBLED,
    b"Nr\xff\xff\xff\xff", b"\x8e" + b"\xff" * 8, b"\x96" + b"\xff" * 8, b"I" + b"9" * 9000 + b"\n",
    b"cos\nsystem\n(X\x04\x00\x00\x00trueqR", b"ccollections\nOrderedDict\n)R",
)  # fmt: skip


def make(rng: random.Random) -> bytes:
    shapes = {str(n): [rng.randrange(4) for _ in range(rng.randrange(4))] for n in range(rng.choice((1, 3, 10)))}
    index = b"".join(text(f"layer.{key}.weight") + tensor(rng, key, shape) for key, shape in shapes.items())
    if rng.random() < 0.2:
        index += text("x") + rng.choice(HOSTILE)
    pickled = b"\x80\x02}(" + index + b"u."
    if rng.random() < 0.3:
        pickled = changed(rng, pickled)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickled, rng.choice(PACKINGS))
        for key, shape in shapes.items():
            size = 4 * int(np.prod(shape)) * (1 if rng.random() < 0.95 else 100_000)
            archive.writestr(f"archive/data/{key}", bytes(size), rng.choice(PACKINGS))
    return out.getvalue()


def run(data: bytes, folder: Path) -> None:
    path = folder / "model.bin"
    path.write_bytes(data)
    for values in state_dict(read_checkpoint(path)).values():
        np.array(values)  # whoever makes a network of them copies them
