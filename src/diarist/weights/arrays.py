"""Reads ``.npz`` files that may have come from anybody.

Rejected: `numpy.load`, which makes an array of whatever shape its header names before it looks whether there is so
much, and unpacks without bound.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarist.weights.window import Window, mapped, unpacked

_MOST_BYTES = 64 << 20  # those of community-1 have 0.13 MB

_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

Shape = tuple[int | range, ...]
"""The shape of an array; a range where several sizes will do."""


class Arrays:
    """An archive of arrays, read one by one, each as what it should be.

    Args:
        data: the archive's bytes.
        most: bytes of ``data`` that may be read in all.

    Raises:
        ValueError: it is damaged, or no archive.
    """

    def __init__(self, data: memoryview, most: int = _MOST_BYTES) -> None:
        try:
            self._archive = zipfile.ZipFile(Window(data, most))
            self._members = {info.filename: info for info in self._archive.infolist()}
        except Exception as error:  # a damaged zip raises nearly anything
            raise _damaged(error) from error

    def __contains__(self, name: str) -> bool:
        """Whether there is an array of that name."""
        return f"{name}.npy" in self._members

    def read(self, name: str, shape: Shape, kinds: str = "fiu") -> NDArray[Any]:
        """Read an array.

        Args:
            name: the array's.
            shape: what it should have.
            kinds: what it may hold, as letters of `numpy.dtype.kind`.

        Raises:
            ValueError: it is damaged, missing, of another shape or kind.
        """
        if name not in self:
            raise ValueError(f"it lacks {name}")
        items = math.prod(size if isinstance(size, int) else size.stop - 1 for size in shape)
        try:
            file = io.BytesIO(unpacked(self._archive, self._members[f"{name}.npy"], 100_000 + 16 * items))
            found, fortran, dtype = _READ_HEADER[np.lib.format.read_magic(file)](file)
            fits = len(found) == len(shape) and all(
                size == wanted if isinstance(wanted, int) else size in wanted
                for size, wanted in zip(found, shape, strict=True)
            )
            if not fits or dtype.kind not in kinds:
                raise ValueError(f"{name} is of another shape")
            values = np.frombuffer(file.read(), dtype, count=math.prod(found))
            return values.reshape(found, order="F" if fortran else "C")
        except Exception as error:
            raise _damaged(error) from error


def read_arrays(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Read an archive of arrays of known shapes.

    Args:
        path: the archive.
        shapes: what is expected, by name; what else it holds is not read.

    Returns:
        The arrays, of finite numbers.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or an array is missing or of another shape.
    """
    archive = Arrays(mapped(path))
    found = {name: archive.read(name, shape) for name, shape in shapes.items()}
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite")
    return found


def _damaged(error: Exception) -> ValueError:
    return error if isinstance(error, ValueError) else ValueError(str(error) or type(error).__name__)
