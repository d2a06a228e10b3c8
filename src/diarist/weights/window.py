"""Files that may have come from anybody, within bounds: a view of a mapped file, and a reader of unpacked bytes."""

from __future__ import annotations

import io
import mmap
import zipfile
from pathlib import Path
from typing import Any, Final

MOST_AT_ONCE: Final = 16 << 20
"""Bytes of one read. Indexes, headers and configurations are far smaller; tensors are not read but mapped."""


def mapped(path: Path) -> memoryview:
    """The content of a file, of which only what is used is read.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty.
    """
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


class Window(io.RawIOBase):
    """A part of a mapped file as a file that ends a reader's loops and refuses its large reads.

    `tarfile` and `zipfile` take sizes and places from the file. One that leads backwards would be read for ever, and
    a header may claim to be as long as the file.

    Args:
        data: what it shows.
        most: bytes that may be read in all before `ValueError` is raised.
    """

    def __init__(self, data: memoryview, most: int) -> None:
        self._data = data
        self._left = most
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place, which may lie behind the end."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        if origin + offset < 0:
            raise OSError("seek before the beginning")
        self._at = origin + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes.

        Raises:
            ValueError: it is more than `MOST_AT_ONCE`, or too much in all.
        """
        stop = len(self._data) if size is None or size < 0 else self._at + size
        part = self._data[self._at : stop]
        self._left -= len(part) + 1
        if len(part) > MOST_AT_ONCE or self._left < 0:
            raise ValueError("more must be read than such a file needs")
        self._at += len(part)
        return bytes(part)

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """A member of a zip, which may be compressed, up to the size that it declares.

    Raises:
        ValueError: it declares more than ``most``, or holds another number of bytes, or is packed in a way that cannot
            be unpacked within bounds.
    """
    if info.file_size > most:
        raise ValueError(f"{info.filename[:80]!r} claims {info.file_size} bytes")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename[:80]!r} is packed in an unknown way")
    with archive.open(info) as member:
        # A size must be given: without one, zipfile unpacks all that is there before it looks at what was declared.
        found = bytearray()
        while len(found) < info.file_size and (block := member.read(min(1 << 20, info.file_size - len(found)))):
            found += block
    if len(found) != info.file_size:
        raise ValueError(f"{info.filename[:80]!r} is shorter than it claims")
    return bytes(found)
