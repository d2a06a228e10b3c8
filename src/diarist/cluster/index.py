"""What was read of an archive's records, kept in one SQLite file so that the next run need not read them again.

It holds nothing that the records do not: it may be deleted at any time, and a broken one is made anew. It never lies on
a network disk, where SQLite's locks fail, and one process writes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from diarist.cluster.store import Store
from diarist.files import user_folder

Held = Mapping[str, tuple[str, bytes]]
"""By key: the version of a record's file, and its content."""

_NETWORK: Final = frozenset("9p afs beegfs ceph cifs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 smb3 smbfs".split())  # noqa: SIM905


class Index:
    """An index of records.

    Args:
        file: where it is kept; None keeps it for as long as the process lives.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def all(self) -> Held:
        """What it holds; nothing where it cannot be read."""
        if self._file is None or not self._file.is_file():
            return {}
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._file)) as database:
            return {key: (version, content) for key, version, content in database.execute("SELECT * FROM records")}
        self._remove()
        return {}

    def keep(self, now: Held, before: Held) -> None:
        """Hold ``now`` in place of ``before``. Where that cannot be, the next run reads the records again."""
        new = [(key, *held) for key, held in now.items() if before.get(key) != held]
        gone = [(key,) for key in before.keys() - now.keys()]
        if self._file is None or not (new or gone):
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self._file)) as database, database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, version TEXT, content BLOB) STRICT"
                )
                database.executemany("DELETE FROM records WHERE key = ?", gone)
                database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", new)
            return
        self._remove()

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self._file}{end}").unlink()


def index_file(store: Store, shard: str = "") -> Path | None:
    """Where the index of an archive is kept: beside its records, or in the user's cache if that is no disk of ours.

    Args:
        store: OUT.
        shard: which part of the archive this process has; each has an index of its own.
    """
    name = f"index{shard}.sqlite3"
    if store.root is not None and not on_network(store.root):
        return store.root / ".diarist" / name
    cache = user_folder("cache")
    if cache is None or on_network(cache):
        return None
    return cache / "archives" / hashlib.sha256(store.url.encode(errors="surrogateescape")).hexdigest()[:32] / name


def on_network(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether a path is on a disk of another machine, as far as the system tells."""
    found = ("", "")
    with contextlib.suppress(OSError, UnicodeError):
        for line in mounts.read_text(encoding="utf-8").splitlines():
            _, point, kind, *_ = line.split(" ")
            point = point.encode("latin-1", "replace").decode("unicode_escape")
            if path.is_relative_to(point) and len(point) >= len(found[0]):
                found = (point, kind)
    return found[1] in _NETWORK or found[1].startswith("fuse.")
