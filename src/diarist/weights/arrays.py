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
    data = mapped(path)
    try:
        with zipfile.ZipFile(Window(data, _MOST_BYTES)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            return {name: _array(archive, members, name, shape) for name, shape in shapes.items()}
    except ValueError:
        raise
    except Exception as error:  # a damaged zip raises nearly anything
        raise ValueError(str(error) or type(error).__name__) from error


def _array(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    if f"{name}.npy" not in members:
        raise ValueError(f"it lacks {name}")
    file = io.BytesIO(unpacked(archive, members[f"{name}.npy"], 100_000 + 16 * math.prod(shape)))
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    found, fortran, dtype = read_header[np.lib.format.read_magic(file)](file)
    if found != shape or dtype.kind not in "fiu":
        raise ValueError(f"{name} is of another shape")
    values = np.frombuffer(file.read(), dtype, count=math.prod(shape)).reshape(shape, order="F" if fortran else "C")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} is not finite")
    return values
