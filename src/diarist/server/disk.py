"""How much the server keeps, and what goes first where that is too much."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from diarist.model.errors import DiaristError
from diarist.server.desk import Desk
from diarist.server.errors import Busy

log = logging.getLogger("diarist.server")

_LOOK_SECONDS: Final = 5.0


class Disk:
    """Holds what is kept within a bound.

    What goes first is what can be made again; then recordings of jobs that ended, then such jobs, the oldest first.

    Args:
        state: the folder of all that is kept.
        desk: whose recordings they are.
        most_bytes: what everything may take; None for no bound.

    Attributes:
        let_go: recordings and jobs that went before their time since the server began.
    """

    def __init__(self, state: Path, desk: Desk, most_bytes: int | None = None) -> None:
        self.state: Final = state
        self.most_bytes: Final = most_bytes
        self.let_go = 0
        self._desk = desk

    def taken(self) -> int:
        """Bytes of all files below the state folder; call it in a thread."""
        found = 0
        for path in self.state.rglob("*"):
            with contextlib.suppress(OSError):  # it may go meanwhile
                found += path.lstat().st_size if not path.is_dir() else 0
        return found

    async def room(self) -> None:
        """Refuse what there is no room for.

        Raises:
            Busy: all that could go has gone, and it is still too much.
        """
        if self.most_bytes is None or await self._desk.call(self.taken) <= self.most_bytes:
            return
        await self.tidy()
        if await self._desk.call(self.taken) > self.most_bytes:
            hint = "Wait until jobs are done; whoever runs the server can give it more with --disk-gb."
            raise Busy("disk_full", "The server keeps as much as it may.", hint, retry_after=30)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while self.most_bytes is not None:
            try:
                await self.tidy()
            except DiaristError as error:
                log.warning("disk: %s", error.code)
            await anyio.sleep(_LOOK_SECONDS)

    async def tidy(self) -> None:
        """Let go what is too much, as far as it may go."""
        if self.most_bytes is None:
            return
        over = await self._desk.call(self.taken) - self.most_bytes
        if over > 0:
            over -= await self._desk.call(self._drop_made, over)
        while over > 0:
            names = await self._desk.call(self._desk.store.evict, over)
            await self._desk.call(self._desk.unlink, names)
            self.let_go += len(names)
            before, over = over, await self._desk.call(self.taken) - self.most_bytes
            if over >= before:
                return  # what is left is under way, or is not the desk's

    def _drop_made(self, num_bytes: int) -> int:
        """Remove sound that was made to listen to, the oldest first; returns how many bytes that gave."""
        found = []
        made = (path for path in self._desk.folder.glob("*.*") if path.suffix != ".part")  # that is being written
        for path in made:
            with contextlib.suppress(OSError):
                stat = path.lstat()
                found.append((stat.st_mtime, stat.st_size, path))
        freed = 0
        for _, size, path in sorted(found):
            if freed >= num_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                freed += size
        return freed
