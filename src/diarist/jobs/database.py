"""One SQLite file: connections for any thread, whole transactions, errors of ours, and no trace of what was erased.

SQLAlchemy and peewee were looked at: what is needed is three modes and eight pragmas, and neither knows how to erase.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from diarist.files import why
from diarist.jobs.job import StoreError
from diarist.jobs.schema import APPLICATION_ID, STEPS
from diarist.model.errors import InputError

BUSY_SECONDS: Final = 60.0
"""How long a transaction waits for that of another process; erasing all traces in a large file takes seconds."""

_OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables
_JOURNAL_BYTES: Final = 16 << 20


class Database:
    """A database whose transactions are on the disk when they end.

    Args:
        path: its file; made with its folder if it is not there, for its user alone to read.
        steps: what makes and migrates its tables.

    Raises:
        StoreError: it cannot be opened, is not ours, or a newer release wrote it.
    """

    def __init__(self, path: str | os.PathLike[str], steps: Sequence[str] = STEPS) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - links stay links
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._writer = threading.Lock()
        self._closed = False
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            hint = "Use a Python that brings SQLite 3.37 or newer."
            raise StoreError("old_sqlite", f"SQLite {sqlite3.sqlite_version} is too old to keep jobs.", hint)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # the journal takes its permissions
        except (OSError, ValueError) as error:
            raise self._unusable(why(error)) from error
        try:
            self._migrate(steps)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the database, whatever others write meanwhile; nobody waits for it."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of what the block writes, or, if it raises, nothing. Nobody else writes meanwhile."""
        with self._writer, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                _roll_back(connection)

    def scrub(self) -> None:
        """Write the file anew if something was erased, so that none of its bytes are left in it or in its journal.

        SQLite overwrites what is deleted (``secure_delete``), but not the copies that moving rows between pages left
        behind, and its search index keeps deleted words until it merges them. Others can read meanwhile, but not write.

        Raises:
            StoreError: e.g. the disk has no room for a second copy; the next call tries again.
        """
        with self._writer, self._connection() as connection:
            (last,) = connection.execute("SELECT max(seq) FROM traces").fetchone()
            if last is None:
                return
            connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
            connection.execute("VACUUM")
            (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not is_busy:
                connection.execute("DELETE FROM traces WHERE seq <= ?", (last,))

    def copy(self, target: str | os.PathLike[str]) -> None:
        """Write a copy, whole or not at all, for its user alone to read.

        Raises:
            InputError: there is a file already, or it cannot be written.
        """
        file = Path(target)
        draft = file.with_name(f".{file.name[:100]}.{os.getpid()}.part")
        hint = "Name a file that is not there yet."
        if file.exists():
            raise InputError("backup_exists", f"There is a file {file} already.", hint)
        self.scrub()
        try:
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with self._connection() as connection:
                connection.execute("VACUUM INTO ?", (str(draft),))
            with draft.open("rb+") as written:
                os.fsync(written.fileno())
            draft.replace(file)
        except (OSError, ValueError) as error:
            raise InputError("cannot_write", f"Cannot write {file}: {why(error)}.", hint) from error
        finally:
            with contextlib.suppress(OSError, ValueError):
                draft.unlink(missing_ok=True)

    def size(self) -> int:
        """Bytes of the file and its journal."""
        found = 0
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                found += Path(f"{self.path}{suffix}").stat().st_size
        return found

    def close(self) -> None:
        """Close all connections; those in use when their transaction ends."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses; SQLite's errors become ours."""
        if self._closed:
            raise StoreError("store_closed", "The store of jobs was closed.", "Open it again.", http_status=503)
        try:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._open()
            try:
                yield connection
            finally:
                self._idle.put(connection)
                if self._closed:
                    self.close()
        except sqlite3.Error as error:
            raise self._told(error) from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, steps: Sequence[str]) -> None:
        with self._connection() as connection:
            self._check(connection, len(steps))
            connection.execute("PRAGMA journal_mode = WAL")
        with self.writing() as connection:
            # Asked again: another process may have been first.
            done = self._check(connection, len(steps))
            for number, step in enumerate(steps[done:], done + 1):
                for statement in _statements(step):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _check(self, connection: sqlite3.Connection, known: int) -> int:
        """How many steps a database has had, if it is ours and not from the future."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION_ID:
            raise self._unusable("it is another program's database")
        if version > known:
            message = f"{self.path} was written by a newer diarist (its tables have version {version}, not {known})."
            raise StoreError("store_newer", message, "Install that release again, or use another folder.")
        return int(version)

    def _told(self, error: sqlite3.Error) -> StoreError:
        """What a user can do about it; never SQL, never what was to be written."""
        code = getattr(error, "sqlite_errorcode", None)
        primary = code & 0xFF if code is not None else None
        hint = "Free some space, or delete jobs; nothing that was accepted is lost."
        match primary:
            case sqlite3.SQLITE_FULL:
                return StoreError("disk_full", "There is no room on the disk to keep jobs.", hint, http_status=429)
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                message = f"Another process has held the jobs for {BUSY_SECONDS:.0f} s."
                return StoreError("store_busy", message, "Try again.", http_status=503)
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                message = f"{self.path} is damaged, or is no database."
                return StoreError("store_damaged", message, "Put a backup in its place, or use another folder.")
            case sqlite3.SQLITE_TOOBIG:
                message = "A result is larger than what can be kept (1 GB)."
                return StoreError("too_big", message, "Cut the recording into parts.", http_status=413)
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                return self._unusable("it cannot be opened for writing")
            case sqlite3.SQLITE_IOERR:
                return self._unusable("the disk failed")
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return StoreError("store_failed", f"The store of jobs failed ({name}).", "Please report this.")

    def _unusable(self, reason: str) -> StoreError:
        hint = "Choose another folder, or let this user write there."
        return StoreError("store_unusable", f"Jobs cannot be kept in {self.path}: {reason}.", hint)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _statements(script: str) -> Iterator[str]:
    """One after the other, where `executescript` would commit first."""
    statement = ""
    for piece in script.split(";")[:-1]:
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
