"""Files that are written whole or not at all, files that are read within bounds, and questions that never raise."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import IO, Final, Literal

from diarist.model.errors import InputError

MAX_DOCUMENT_BYTES: Final = 128 << 20
"""More than this is no document: twelve hours of talk are some 30 MB of JSON."""


def read_bounded(source: str | os.PathLike[str] | IO[bytes], most: int = MAX_DOCUMENT_BYTES) -> bytes:
    """Read all of a file that anybody may have written.

    Args:
        source: the file's path, or an open file.
        most: bytes; whatever claims more is not read to its end, so that a device or a pipe without end is refused.

    Raises:
        OSError: it cannot be read, or it is larger (`errno.EFBIG`).
    """
    try:
        if isinstance(source, str | os.PathLike):
            with Path(source).open("rb") as file:
                found = file.read(most + 1)
        else:
            found = source.read(most + 1)
    except ValueError as error:  # a null byte or half a character in the path
        raise OSError(errno.EINVAL, "no such file") from error
    if len(found) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return found


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
        kept = mode
        if mode is None and target.exists():
            kept = target.stat().st_mode & 0o777
        # The draft's name is short whatever the file's is: with an addition, a long one would be refused.
        draft = target.parent / f".diarist-{secrets.token_hex(8)}"
        # Where permissions are asked for, only the owner can read it until it has them: nobody sees more than they
        # allow, at any time. Where none are, the kernel takes the user's default from 0o666.
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666 if kept is None else 0o600)
        try:
            with os.fdopen(handle, "wb") as output:
                output.write(content)
            if kept is not None:
                draft.chmod(kept)
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
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


_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
