"""Who may use a server: keys that are shown once and kept as hashes, and the sessions of browsers.

A key has 256 random bits, so that a plain SHA-256 is enough to keep it: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from diarist.files import user_folder, why
from diarist.model.errors import InputError

SESSION_SECONDS: Final = 7 * 86400.0
"""How long a browser stays signed in."""

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, created REAL NOT NULL,
    rpm INTEGER, concurrent INTEGER, audio_hours_per_day REAL
) STRICT;
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY, key TEXT NOT NULL REFERENCES keys ON DELETE CASCADE, expires REAL NOT NULL
) STRICT;
"""
_MOST_SESSIONS: Final = 100  # of one key; the oldest go first
_MOST_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may use; None is no limit.

    Attributes:
        rpm: requests that begin work, in a minute.
        concurrent: jobs that wait or run at a time.
        audio_hours_per_day: hours of recordings in 24 hours.
    """

    rpm: int | None = None
    concurrent: int | None = None
    audio_hours_per_day: float | None = None

    def __post_init__(self) -> None:
        for name in ("rpm", "concurrent", "audio_hours_per_day"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= _MOST:
                raise InputError("bad_limit", f"A limit of {value} for {name} cannot be.", "Give more than 0.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        id: the key's, for owners of jobs; empty where the server has no keys.
        name: for people.
        limits: the key's.
    """

    id: str = ""
    name: str = ""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed, without what opens the door.

    Attributes:
        caller: whom it lets in.
        created: unix seconds.
    """

    caller: Caller
    created: float


def state_folder(asked: Path | None = None) -> Path:
    """Where a server keeps keys, jobs and recordings: as asked, else ``DIARIST_STATE``, else the user's state folder.

    Raises:
        InputError: there is none, as for a user without a home.
    """
    if asked is not None:
        return asked
    if named := os.environ.get("DIARIST_STATE"):
        return Path(named)
    folder = user_folder("state")
    if folder is None:
        raise InputError("no_home", "This user has no home folder to keep a server's files in.", "Give --state DIR.")
    return folder / "server"


class Keys:
    """The keys of a server, in ``keys.db`` in its state folder. Safe to call from any thread and several processes.

    What one process adds or revokes, another sees at its next question. As a context manager it lets go of the file.

    Args:
        folder: the state folder; made if it is missing, for its owner only.
        clock: gives unix seconds.

    Raises:
        InputError: the folder or file cannot be read or written, or was written by a newer diarist.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path: Final = folder / "keys.db"
        self._clock = clock
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Only where it is new: closing a file lets go of all locks that this process has on it, SQLite's too.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except (OSError, ValueError) as error:
            raise InputError("bad_state", f"Cannot use {self.path}: {why(error)}.", _HINT) from error
        self._database = sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        with self._asking() as database:
            for setting in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                database.execute(f"PRAGMA {setting}")
            database.execute("BEGIN IMMEDIATE")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                database.execute("ROLLBACK")
                raise InputError("bad_state", f"{self.path} was written by a newer diarist.", "Update diarist.")
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute("COMMIT")

    def add(self, name: str, limits: Limits = Limits()) -> str:
        """Make a key.

        Args:
            name: whose it is, for people; no other key may have it.
            limits: what it may use.

        Returns:
            The key, ``dk_…``. Only its hash is kept: nobody can show it again.

        Raises:
            InputError: the name is empty, too long, or taken.
        """
        name = " ".join(name.split())
        if not name or len(name) > _MOST_CHARACTERS or not name.isprintable():
            raise InputError("bad_name", f"A key's name has 1 to {_MOST_CHARACTERS} letters that can be printed.")
        identity = secrets.token_hex(8)
        key = f"dk_{identity}_{secrets.token_urlsafe(32)}"
        row = (identity, name, _hash(key), self._clock(), limits.rpm, limits.concurrent, limits.audio_hours_per_day)
        with self._asking() as database:
            try:
                database.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                hint = f"Take another name, or revoke it first: diarist keys revoke {name!r}"
                raise InputError("name_taken", f"There is a key {name!r} already.", hint) from error
        return key

    def list(self) -> tuple[Key, ...]:
        """Give all keys, oldest first."""
        with self._asking() as database:
            rows = database.execute(
                "SELECT id, name, rpm, concurrent, audio_hours_per_day, created FROM keys ORDER BY created, name"
            ).fetchall()
        return tuple(Key(_caller(row), row[-1]) for row in rows)

    def revoke(self, name: str) -> None:
        """Forget a key, and sign out the browsers that used it; it opens nothing from now on.

        Args:
            name: the key's name or id.

        Raises:
            InputError: there is none.
        """
        with self._asking() as database:
            gone = database.execute("DELETE FROM keys WHERE id = :it OR name = :it", {"it": _text(name)}).rowcount
        if not gone:
            hint = "diarist keys list shows those there are."
            raise InputError("no_such_key", f"There is no key {name[:_MOST_CHARACTERS]!r}.", hint)

    def find(self, key: str) -> Caller | None:
        """Say who has a key; None if nobody. The time it takes tells nothing about a key's secret part."""
        ask = "SELECT id, name, rpm, concurrent, audio_hours_per_day, hash FROM keys WHERE id = ?"
        parts = key.split("_", 2)
        identity = parts[1] if len(parts) == 3 else ""
        with self._asking() as database:
            row = database.execute(ask, (_text(identity),)).fetchone()
        same = hmac.compare_digest(row[-1] if row else _NOBODY, _hash(key))
        return _caller(row) if row and same else None

    def open_session(self, caller: Caller) -> str:
        """Sign a browser in; the token returned stands for the key until it is closed, revoked, or a week old.

        Raises:
            InputError: the key was revoked meanwhile.
        """
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._asking() as database:
            database.execute("DELETE FROM sessions WHERE expires <= ?", (now,))
            database.execute(
                "DELETE FROM sessions WHERE hash IN "
                "(SELECT hash FROM sessions WHERE key = ? ORDER BY expires DESC LIMIT -1 OFFSET ?)",
                (caller.id, _MOST_SESSIONS - 1),
            )
            row = (_hash(token), caller.id, now + SESSION_SECONDS)
            try:
                database.execute("INSERT INTO sessions VALUES (?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                raise InputError("invalid_api_key", "This key was just revoked.", http_status=401) from error
        return token

    def find_session(self, token: str) -> Caller | None:
        """Say whose browser has a token; None if nobody's."""
        ask = (
            "SELECT id, name, rpm, concurrent, audio_hours_per_day FROM sessions JOIN keys ON id = key "
            "WHERE sessions.hash = ? AND expires > ?"
        )
        with self._asking() as database:
            row = database.execute(ask, (_hash(token), self._clock())).fetchone()
        return _caller(row) if row else None

    def close_session(self, token: str) -> None:
        """Sign a browser out."""
        with self._asking() as database:
            database.execute("DELETE FROM sessions WHERE hash = ?", (_hash(token),))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.IntegrityError:
                raise
            except sqlite3.Error as error:
                raise InputError(
                    "bad_state", f"Cannot use {self.path.name}: {error}.", _HINT, http_status=500
                ) from error


def _caller(row: tuple[Any, ...]) -> Caller:
    identity, name, rpm, concurrent, hours = row[:5]
    return Caller(identity, name, Limits(rpm, concurrent, hours))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _text(found: str) -> str:
    """Fit to be asked for: half a character is refused by SQLite, and no key has one."""
    return found if found.isprintable() else ""


_NOBODY: Final = bytes(32)
_MOST: Final = 10**9
_HINT: Final = "Give another folder with --state DIR, or mend this one."
