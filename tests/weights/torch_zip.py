"""Writes the zip files that ``torch.save`` writes, without torch."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class Call:
    """Pickles as a call of ``module.name(*args)``, whether or not such a thing exists."""

    def __init__(self, where: str, *args: object) -> None:
        self.where = where
        self.args = args


class Global:
    def __init__(self, where: str) -> None:
        self.where = where


class _Storage:
    def __init__(self, kind: str, key: str, length: int) -> None:
        self.pid = ("storage", Global(f"torch {kind}"), key, "cpu", length)


class _Pickler(pickle._Pickler):
    """Writes what `torch.save` writes, without torch."""

    def persistent_id(self, obj: object) -> object:
        return obj.pid if isinstance(obj, _Storage) else None

    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self.write(pickle.GLOBAL + obj.where.replace(" ", "\n").encode() + b"\n")
        elif isinstance(obj, Call):
            self.save(Global(obj.where))
            self.save(obj.args)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def tensor(
    key: str, shape: tuple[int, ...], strides: tuple[int, ...], *, kind: str = "FloatStorage", offset: int = 0,
    length: int = 6,
) -> Call:  # fmt: skip
    storage = _Storage(kind, key, length)
    return Call("torch._utils _rebuild_tensor_v2", storage, offset, shape, strides, False, OrderedDict())


def checkpoint(value: object, storages: dict[str, np.ndarray], compression: int = zipfile.ZIP_STORED) -> bytes:
    text, out = io.BytesIO(), io.BytesIO()
    _Pickler(text, protocol=2).dump(value)
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("archive/data.pkl", text.getvalue())
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data.tobytes())
    return out.getvalue()


def save_state_dict(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Save float32 arrays under ``"state_dict"``, as a training framework does."""
    tensors, storages = OrderedDict(), {}
    for key, (name, array) in enumerate(arrays.items()):
        strides = tuple(int(step) // 4 for step in np.ascontiguousarray(array).strides)
        tensors[name] = tensor(str(key), array.shape, strides, length=array.size)
        storages[str(key)] = np.ascontiguousarray(array, np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(checkpoint({"state_dict": tensors}, storages))
