"""Archives of arrays are read within bounds, and only as what they should be."""

import io
import zipfile

import numpy as np
import pytest

from diarist.weights.arrays import read_arrays


def header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def packed(content: bytes, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        archive.writestr("a.npy", content)
    return out.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(tmp_path, save, order):
    values = np.arange(6, dtype=np.float32).reshape((2, 3), order=order)
    save(tmp_path / "a.npz", a=values, b=np.zeros(9))
    (found,) = read_arrays(tmp_path / "a.npz", {"a": (2, 3)}).values()
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        packed(header("(2, 3)")),
        packed(header("(2, 3)") + bytes(8 * 100_000_000)),
        packed(header("(2, 3)") + bytes(48), zipfile.ZIP_LZMA),
        packed(header("(1000000000000, 3)") + bytes(48)),
        packed(header("(2, 3)", "|O") + bytes(48)),
        packed(header("(2, 3)", "|S8") + bytes(48)),
        packed(header("(" * 9000) + bytes(48)),
        packed(header("(2, 3)") + np.full(6, np.nan).tobytes()),
        packed(b"\x93NUMPY\x09\x00"),
    ],
)
def test_what_is_something_else_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_arrays(tmp_path / "a.npz", {"a": (2, 3)})
