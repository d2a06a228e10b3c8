"""Where an archive's recordings lie and its transcripts go, and the place that most have: a folder of this machine.

Folders are ours, since a file must be whole or not there, and fsspec writes over what it replaces.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from diarist.files import absolute, read_bounded, why, write_whole
from diarist.model.errors import DiaristError, InputError

DRAFT: Final = ".diarist-"
"""How the names of files begin that are being written (`diarist.files.write_whole`)."""


class StoreError(DiaristError):
    """A place cannot be read or written: no recording is to blame, and the work cannot go on (exit 2)."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a store.

    Attributes:
        name: its path below the store's root, with ``/``.
        size: bytes.
        version: changes when the file does: its time of change in nanoseconds, or its ETag.
    """

    name: str
    size: int
    version: str


class Store(Protocol):
    """A place with files. Its methods raise `StoreError` where the place itself fails.

    Attributes:
        url: says where it is, as `diarist.cluster.stores.open_store` takes it.
        root: the folder, if it is one of this machine.
    """

    url: str
    root: Path | None

    def list(self, below: str = "") -> Iterator[Entry]:
        """All files, or those in one folder and its folders; none where there is no such folder."""

    def stat(self, name: str) -> Entry | None:
        """One file as it is now; None if there is none."""

    def read(self, name: str) -> bytes | None:
        """All of a document; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place, whole; what was there is replaced."""

    def create(self, name: str, content: bytes) -> bool:
        """Put a file in its place if none is there; returns whether it was done."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def opened(self, name: str) -> AbstractContextManager[Path]:
        """A file of this machine with the content, for as long as the block runs.

        Raises:
            InputError: when entered: it is not there, or may not be read.
        """


class Folder:
    """A folder of this machine; see `Store`."""

    def __init__(self, path: str) -> None:
        self.root: Path | None = absolute(os.path.expanduser(path))  # noqa: PTH111  # Path's raises where nobody has a home
        self._root = self.root
        self.url = str(self._root)

    def list(self, below: str = "") -> Iterator[Entry]:
        """See `Store.list`. A folder below that may not be read fails the whole."""
        top = self._root / below if below else self._root

        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise _broken(f"Cannot read the folder {error.filename}: {why(error)}.") from error

        for where, folders, names in os.walk(top, onerror=failed):
            folders.sort()
            inside = Path(where).relative_to(self._root)
            for name in sorted(names):
                if found := self.stat((inside / name).as_posix()):
                    yield found

    def stat(self, name: str) -> Entry | None:
        """See `Store.stat`."""
        try:
            found = (self._root / name).stat()
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return Entry(name, found.st_size, str(found.st_mtime_ns))

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        try:
            return read_bounded(self._root / name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _broken(f"Cannot read {self._root / name}: {why(error)}.") from error

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""
        try:
            write_whole(self._root / name, content)
        except InputError as error:
            raise StoreError(error.code, error.message, "Free some space there, then run the same again.") from error

    def create(self, name: str, content: bytes) -> bool:
        """See `Store.create`."""
        file = self._root / name
        draft = file.parent / f"{DRAFT}{secrets.token_hex(8)}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.write_bytes(content)
                _link(draft, file)
            finally:
                draft.unlink(missing_ok=True)
        except FileExistsError:
            return False
        except OSError as error:
            raise _broken(f"Cannot write {file}: {why(error)}.") from error
        return True

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        with contextlib.suppress(OSError):
            (self._root / name).unlink()

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """See `Store.opened`: the file itself."""
        yield self._root / name


def _link(draft: Path, file: Path) -> None:
    """Give a file its name, whole, unless the name is taken."""
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with file.open("xb") as output:
            output.write(draft.read_bytes())


def _broken(message: str) -> StoreError:
    return StoreError("store_failed", message, "Check its permissions and free space, then run the same again.")
