"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from diarist.model.errors import InputError


def write_whole(
    file: Path, content: bytes, *, mode: int | None = None, hint: str = "Free some space or choose another place."
) -> None:
    """Write a file, making its folder; what was there stays until all is written, and nothing partial is left behind.

    Args:
        file: where to.
        content: all of it.
        mode: permissions; None keeps those of the file that was there, else takes the user's default.
        hint: what to do if it cannot be written.

    Raises:
        InputError: it cannot be written, e.g. the disk is full.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes files that only their owner can read: nobody sees more than ``mode`` allows, at any time.
        handle, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as output:
                output.write(content)
            if mode is None:
                mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
            Path(draft).chmod(mode)
            Path(draft).replace(file)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError("cannot_write", f"Cannot write {file}: {error.strerror}.", hint) from error


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
