"""Files that are written whole or not at all, and questions about paths that never raise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from diarist.model.errors import InputError


def write_whole(
    file: Path, content: bytes, *, mode: int | None = None, hint: str = "Free some space or choose another place."
) -> None:
    """Write a file, making its folder; what was there stays until all is written, and nothing partial is left behind.

    Where ``file`` is a link, what it points to is written, and the link stays.

    Args:
        file: where to.
        content: all of it.
        mode: permissions; None keeps those of the file that was there, else takes the user's default.
        hint: what to do if it cannot be written.

    Raises:
        InputError: it cannot be written, e.g. the disk is full.
    """
    try:
        target = Path(os.path.realpath(file))
        target.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes files that only their owner can read: nobody sees more than ``mode`` allows, at any time.
        # The draft's name is short whatever the file's is: with an addition, a long one would be refused.
        handle, draft = tempfile.mkstemp(prefix=".diarist-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as output:
                output.write(content)
            if mode is None:
                mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
            Path(draft).chmod(mode)
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise InputError("cannot_write", f"Cannot write {file}: {why(error)}.", hint) from error


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file is there; False where nobody can tell, where `Path.is_file` may raise."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is there; False where nobody can tell."""
    return os.path.isdir(path)  # noqa: PTH112


def user_folder(kind: Literal["cache", "data", "state"]) -> Path | None:
    """Where the user's files of a kind go on this platform; None where the user has no home."""
    import platformdirs

    ask = {
        "cache": platformdirs.user_cache_dir,
        "data": platformdirs.user_data_dir,
        "state": platformdirs.user_state_dir,
    }
    try:
        return Path(ask[kind]("diarist")).expanduser()
    except RuntimeError:  # from either, by the version of platformdirs
        return None


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path from the root, without ``..``; links stay links, and nothing is looked up."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def why(error: Exception) -> str:
    """What went wrong with a file, in a few words, without its path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
