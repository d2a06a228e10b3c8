"""Reads PyTorch checkpoints without PyTorch and without running anything they contain.

A checkpoint is a zip of raw tensors beside a small pickle that says how they fit together. Pickles can run code when
they are loaded; `diarist.weights.unpickle` reads them as data. Everything that a file claims about itself is held
against its own size before memory is taken: storages together are no larger than the file, tensors together no more
than `_MOST_SHARED` times as large.

Layout: https://pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarist.model.errors import WeightsError
from diarist.weights.unpickle import MOST_BYTES, Opaque, unpickle
from diarist.weights.window import Window, mapped, unpacked

_MOST_SHARED: Final = 4
"""How many times as large as its file all tensors may be: some networks use one matrix in two or three places."""

_MOST_DEFLATED: Final = 4
"""How many times as large as its file all storages may be. Weights hardly shrink; torch compresses none."""

_MOST_READ: Final = 64 << 20  # bytes of directory and index beside the tensors
_MOST_DIMENSIONS: Final = 32  # numpy's own bound before version 2

_DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(code)
    for name, code in {
        "FloatStorage": "<f4",
        "DoubleStorage": "<f8",
        "HalfStorage": "<f2",
        "BFloat16Storage": "<u2",  # widened to float32 when a tensor is made
        "LongStorage": "<i8",
        "IntStorage": "<i4",
        "ShortStorage": "<i2",
        "CharStorage": "i1",
        "ByteStorage": "u1",
        "BoolStorage": "?",
    }.items()
}


def read_checkpoint(path: Path, *, offset: int = 0, size: int | None = None) -> Any:
    """Read a checkpoint written by ``torch.save``.

    Args:
        path: the checkpoint, or a file (such as an uncompressed ``.nemo`` archive) with the checkpoint inside.
        offset: where in the file the checkpoint's zip begins, in bytes.
        size: how long the zip is, in bytes; None means to the end of the file.

    Returns:
        What was saved: usually nested dicts, with a read-only numpy array in place of each tensor. Tensors that are
        stored uncompressed (torch compresses none) are views of the mapped file: nothing is copied until used.
        bfloat16 tensors become float32.

    Raises:
        WeightsError: the file is missing, or is no checkpoint, or is damaged.
    """
    try:
        whole = mapped(path)
    except (OSError, ValueError) as error:
        raise WeightsError("weights_missing", f"{path} cannot be read: {error}.", "Fetch the model again.") from error
    region = whole[offset : None if size is None else offset + size]
    try:
        with zipfile.ZipFile(Window(region, _MOST_DEFLATED * len(region) + _MOST_READ)) as archive:
            return _Reader(archive, region).read()
    except WeightsError:
        raise
    except Exception as error:  # a damaged file raises nearly anything
        raise _damaged(path.name, f"{type(error).__name__}: {str(error)[:200]}") from error


def state_dict(checkpoint: object) -> dict[str, NDArray[Any]]:
    """The named tensors of a checkpoint, from under ``"state_dict"`` where a training framework put them.

    Raises:
        WeightsError: there are none.
    """
    found = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, Mapping) else None
    tensors = {k: v for k, v in found.items() if isinstance(v, np.ndarray)} if isinstance(found, Mapping) else {}
    if not tensors:
        raise _damaged("The checkpoint", "it holds no named tensors")
    return tensors


class _Storage(NamedTuple):
    values: NDArray[Any]


class _Reader:
    """Reads one checkpoint, and keeps account of what it takes.

    Args:
        archive: the checkpoint's zip.
        region: its bytes.
    """

    def __init__(self, archive: zipfile.ZipFile, region: memoryview) -> None:
        self._archive = archive
        self._region = region
        self._members = {info.filename: info for info in archive.infolist()}
        self._storages: dict[str, _Storage] = {}
        self._stored = 0
        self._made = 0
        self._root = ""

    def read(self) -> Any:
        index = next((name for name in self._members if name.endswith("/data.pkl") and name.count("/") == 1), None)
        if index is None:
            raise ValueError("it has no index")
        self._root = index.removesuffix("data.pkl")
        order = self._members.get(f"{self._root}byteorder")
        if order is not None and unpacked(self._archive, order, 100) != b"little":
            raise ValueError("it is big-endian")
        return unpickle(unpacked(self._archive, self._members[index], MOST_BYTES), self._build, self._storage)

    def _storage(self, reference: Any) -> _Storage:
        kind, dtype, key, _location, length = reference
        if kind != "storage" or not isinstance(key, str):
            raise ValueError("it refers to something else than a storage")
        if key not in self._storages:
            name = getattr(dtype, "name", "").removeprefix("torch ")
            data = self._member(self._members[f"{self._root}data/{key}"])
            values = np.frombuffer(data, _DTYPES[name], count=_count(length))
            if name == "BFloat16Storage":
                values = (values.astype(np.uint32) << 16).view(np.float32)
            self._storages[key] = _Storage(values)
        return self._storages[key]

    def _member(self, info: zipfile.ZipInfo) -> memoryview | bytes:
        # Members may lie over each other, so that a few bytes are the content of thousands.
        self._stored += info.file_size
        stored = info.compress_type == zipfile.ZIP_STORED
        if self._stored > len(self._region) * (1 if stored else _MOST_DEFLATED):
            raise ValueError("its storages are larger than the file")
        if not stored:
            return unpacked(self._archive, info, info.file_size)
        # The local header repeats the name and has an extra field of its own, which torch uses for alignment.
        header = self._region[info.header_offset : info.header_offset + 30]
        if bytes(header[:4]) != b"PK\x03\x04":
            raise ValueError(f"{info.filename} has no header")
        name_length, extra_length = np.frombuffer(header[26:30], "<u2").tolist()
        start = info.header_offset + 30 + name_length + extra_length
        return self._region[start : start + info.file_size]

    def _build(self, name: str, arguments: tuple[Any, ...]) -> Any:
        match name:
            case "torch._utils _rebuild_tensor_v2":
                return self._tensor(*arguments[:4])
            case "torch._utils _rebuild_parameter":
                return arguments[0]
            case "collections OrderedDict" if not arguments:
                return {}
            case "torch Size" if arguments and isinstance(arguments[0], tuple | list):
                return tuple(arguments[0])
        return Opaque(name)

    def _tensor(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[Any]:
        if not isinstance(storage, _Storage):
            raise TypeError("a tensor has no storage")
        values = storage.values
        if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
            raise ValueError("a tensor has an impossible shape")
        offset, shape, strides = _count(offset), tuple(map(_count, shape)), tuple(map(_count, strides))
        elements = math.prod(shape)
        if elements == 0:
            return np.zeros(shape, values.dtype)
        # The view below trusts its numbers: outside the storage it would read foreign memory.
        if offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) >= len(values):
            raise ValueError("a tensor reaches outside its storage")
        # Steps of zero would let a few bytes be a tensor of any size, which somebody will copy.
        self._made += elements * values.itemsize
        if elements > len(values) or self._made > _MOST_SHARED * 2 * len(self._region):
            raise ValueError("its tensors are larger than what is stored")
        item = values.itemsize
        return np.lib.stride_tricks.as_strided(
            values[offset:], shape, tuple(step * item for step in strides), writeable=False
        )


def _count(number: Any) -> int:
    """A length, a place or a step, none of which is below zero or above what memory can hold."""
    if not isinstance(number, int) or not 0 <= number < 1 << 48:
        raise ValueError("a tensor has an impossible shape")
    return number


def _damaged(what: str, why: str) -> WeightsError:
    return WeightsError("weights_damaged", f"{what} is not a readable checkpoint: {why}.", "Fetch the model again.")
