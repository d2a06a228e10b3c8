"""Reads PyTorch checkpoints without PyTorch and without running anything they contain.

A checkpoint is a zip of raw tensors beside a small pickle that says how they fit together. Pickles can run code when
they are loaded; this reader resolves tensors and `collections.OrderedDict`, and turns every other class it meets into
an inert `Opaque`. ``torch.load(weights_only=True)`` would do the same, but needs torch (about 900 MB installed), and
refuses the checkpoints of pyannote, whose pickles name the classes of the training framework.

Layout: https://pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import io
import math
import mmap
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarist.model.errors import WeightsError

# The largest real one known (NeMo's 0.6B models) is about 200 kB.
_MAX_PICKLE_BYTES = 64 << 20

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


class Opaque:
    """Stands for an object of a class that is not read. Holds what it was made of, and does nothing."""

    def __init__(self, *args: object) -> None:
        self.args = args
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, item: object) -> None:
        """Ignore an item of a list-like class."""

    def extend(self, items: object) -> None:
        """Ignore the items of a list-like class."""

    def __setitem__(self, key: object, value: object) -> None:
        """Ignore an item of a dict-like class."""


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
        with path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise WeightsError("weights_missing", f"{path} cannot be read: {error}.", "Fetch the model again.") from error
    region = mapped[offset : None if size is None else offset + size]
    try:
        with zipfile.ZipFile(_Window(region)) as archive:
            return _read(archive, region)
    except WeightsError:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise _damaged(path.name, f"{type(error).__name__}: {error}") from error


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
    dtype: str
    values: NDArray[Any]


def _read(archive: zipfile.ZipFile, region: memoryview) -> Any:
    members = {info.filename: info for info in archive.infolist()}
    index = next((name for name in members if name.endswith("/data.pkl") and name.count("/") == 1), None)
    if index is None or members[index].file_size > _MAX_PICKLE_BYTES:
        raise ValueError("no pickle of a reasonable size in it")
    root = index.removesuffix("data.pkl")
    if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("it is big-endian")
    storages: dict[str, _Storage] = {}

    def storage(reference: Any) -> _Storage:
        kind, dtype, key, _location, length = reference
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to a {kind!r}")
        if key not in storages:
            data = _member(archive, members[f"{root}data/{key}"], region)
            storages[key] = _Storage(dtype, np.frombuffer(data, _DTYPES[dtype], count=length))
        return storages[key]

    return _Unpickler(io.BytesIO(archive.read(index)), storage).load()


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, region: memoryview) -> memoryview | bytes:
    if info.compress_type != zipfile.ZIP_STORED:
        return archive.read(info)
    # The local header repeats the name and has an extra field of its own, which torch uses for alignment.
    header = region[info.header_offset : info.header_offset + 30]
    if bytes(header[:4]) != b"PK\x03\x04":
        raise ValueError(f"{info.filename} has no header")
    name_length, extra_length = np.frombuffer(header[26:30], "<u2").tolist()
    start = info.header_offset + 30 + name_length + extra_length
    return region[start : start + info.file_size]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, storage: Callable[[Any], _Storage]) -> None:
        super().__init__(file)
        self._storage = storage

    def persistent_load(self, pid: Any) -> _Storage:
        return self._storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return _parameter
        if (module, name) == ("torch", "Size"):
            return tuple
        if module == "torch" and name in _DTYPES:
            return name
        return Opaque


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_ignored: object
) -> NDArray[Any]:
    values = storage.values
    bounds = [offset, *shape, *strides]
    if len(shape) != len(strides) or any(not isinstance(n, int) or n < 0 for n in bounds):
        raise ValueError("a tensor has an impossible shape")
    # The view below trusts its numbers: outside the storage it would read foreign memory.
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= len(values):
        raise ValueError("a tensor reaches outside its storage")
    item = values.itemsize
    if math.prod(shape) == 0:
        view = np.zeros(shape, values.dtype)
    else:
        view = np.lib.stride_tricks.as_strided(
            values[offset:], shape, tuple(step * item for step in strides), writeable=False
        )
    if storage.dtype == "BFloat16Storage":
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view


def _parameter(data: NDArray[Any], *_ignored: object) -> NDArray[Any]:
    return data


class _Window(io.RawIOBase):
    """A part of a mapped file as a file."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        if origin + offset < 0:
            raise OSError("seek before the beginning")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def _damaged(what: str, why: str) -> WeightsError:
    return WeightsError("weights_damaged", f"{what} is not a readable checkpoint: {why}.", "Fetch the model again.")
