"""One run at a time on an archive, or on each part of it: who comes second is refused.

Locks of files were rejected: buckets have none, and on network disks they fail. A lease says who holds it, and its
holder writes it anew every few seconds. No clocks are compared: one that did not change while it was watched is dead.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from diarist.cluster.manifest import FOLDER
from diarist.cluster.store import Store, StoreError
from diarist.model.errors import InputError

_BEAT: Final = 5.0  # seconds
_DEAD: Final = 20.0  # seconds without a beat
_LOOK: Final = 1.0
_held: set[str] = set()  # tokens of this process


class Lease:
    """A lease that is held.

    Attributes:
        alone: whether no other run worked on another part of the archive when it was taken.
    """

    def __init__(self, store: Store, name: str, alone: bool) -> None:
        self.alone = alone
        self._store, self._name = store, name
        self._token, self._beats = secrets.token_hex(8), 0
        self._lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="diarist-lease")

    def check(self) -> None:
        """Find out whether it is still ours; asks nobody.

        Raises:
            StoreError: another run has taken it, as this one was silent for long.
        """
        if self._lost:
            raise StoreError("lease_lost", "Another run works on this archive now.", "Leave it to that one.")

    def _content(self) -> bytes:
        about = {"host": _host(), "pid": os.getpid(), "token": self._token, "beat": self._beats}
        return json.dumps(about).encode()

    def _take(self) -> bool:
        taken = self._store.create(self._name, self._content())
        if taken:
            _held.add(self._token)
        return taken

    def _ours(self) -> bool:
        return _read(self._store, self._name).get("token") == self._token

    def _beat(self) -> None:
        while not self._over.wait(_BEAT):
            try:
                if not self._ours():
                    self._lost = True
                    return
                self._beats += 1
                self._store.write(self._name, self._content())
            except StoreError:
                continue  # the place may be back in time for the next

    def _release(self) -> None:
        self._over.set()
        self._thread.join()
        _held.discard(self._token)
        with contextlib.suppress(StoreError):
            if not self._lost and self._ours():
                self._store.delete(self._name)


@contextmanager
def holding(
    store: Store, shard: tuple[int, int] = (1, 1), *, note: Callable[[str], None] = lambda _: None
) -> Iterator[Lease]:
    """Hold the lease of an archive, or of one part of it, while the block runs.

    Args:
        store: OUT.
        shard: which part of how many.
        note: told when it takes long.

    Raises:
        InputError: another run works on it.
    """
    name = f"{FOLDER}/lease-{shard[0]}-of-{shard[1]}"
    others = [each.name for each in store.list(FOLDER) if each.name.startswith(f"{FOLDER}/lease-")]
    living = [other for other in others if other != name and _alive(store, other, note)]
    if any(not other.endswith(f"-of-{shard[1]}") for other in living):
        raise InputError(
            "archive_busy",
            "Another run works on this archive, with other shards.",
            "Give all runs the same number of shards, or wait for it.",
        )
    lease = Lease(store, name, not living)
    while not lease._take():  # noqa: SLF001  # one class, in two pieces
        if _alive(store, name, note):
            raise InputError(
                "archive_busy", "Another run works on this archive.", "Wait for it, or give each a --shard of its own."
            )
        store.delete(name)
    lease._thread.start()  # noqa: SLF001
    try:
        yield lease
    finally:
        lease._release()  # noqa: SLF001


def _alive(store: Store, name: str, note: Callable[[str], None]) -> bool:
    """Whether who holds a lease lives: at once where it is a process of this machine that has ended."""
    first = _read(store, name)
    if not first:
        return False
    if first.get("host") == _host() and (first.get("pid") == os.getpid() or not _runs(first.get("pid"))):
        # In a container that was started again, who held it had the number that this process has now.
        return first.get("token") in _held
    note("Another run may be at work on this archive: looking whether it is alive.")
    end = time.monotonic() + _DEAD
    while time.monotonic() < end:
        time.sleep(_LOOK)
        now = _read(store, name)
        if now != first:
            return bool(now)
    return False


def _read(store: Store, name: str) -> dict[str, Any]:
    try:
        found = json.loads(store.read(name) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _host() -> str:
    """This machine and, in a container, its own count of processes."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{platform.node()} {space}".strip()


def _runs(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
