"""What a caller may hand in, opened as a seekable stream of bytes for `diarist.audio.decode`.

Two doors. A caller who knows what it holds calls `as_source`. A string that came from a user goes through
`parse_source` together with the kinds that this face accepts, so that a worker can never be talked into reading a
local file. Nothing here imports numpy, PyAV or an HTTP client before it is needed.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote_to_bytes

from diarist.audio.download import download
from diarist.audio.url_rules import UrlRules, url_name
from diarist.model.errors import InputError

MAX_STREAM_BYTES: Final = 4 << 30
"""A stream without an end (standard input, a named pipe) is refused beyond this many bytes."""
SPOOL_BYTES: Final = 8 << 20
"""What is not seekable is kept in memory up to here, in a temporary file beyond."""


class Kind(StrEnum):
    """The kinds of string that may name a recording."""

    PATH = "a path"
    STDIN = "- for standard input"
    URL = "an https URL"
    DATA_URL = "a data URL"
    BASE64 = "base64 text"
    VOLUME = "a volume: path"


CLI_KINDS: Final = frozenset({Kind.PATH, Kind.STDIN, Kind.URL})
"""What a person at a terminal may name."""
WORKER_KINDS: Final = frozenset({Kind.URL, Kind.DATA_URL, Kind.BASE64, Kind.VOLUME})
"""What a job from elsewhere may name: never a path on the worker."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that is not open yet.

    Attributes:
        name: short name for messages: a file name without folders, a host and file name without the query.
        open: gives the recording's bytes as a seekable stream at its start, and cleans up afterwards. Entering raises
            `InputError` when the recording cannot be had.
    """

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


def as_source(value: Source | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO) -> Source:
    """Make a source of something the caller already holds.

    Strings are not accepted: whether one is a path, a URL or base64 is for `parse_source` to decide under rules.

    Args:
        value: a path, the bytes of a recording, or a binary file. A file stays open and is read from where it stands.
    """
    if isinstance(value, Source):
        return value
    if isinstance(value, os.PathLike):
        return _path_source(Path(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return Source("recording", lambda: nullcontext(io.BytesIO(data)))
    if isinstance(value, str) or not hasattr(value, "read"):
        raise TypeError(f"as_source takes a path object, bytes or a binary file, not {type(value).__name__}")
    name = getattr(value, "name", None)
    file: BinaryIO = value
    return Source(Path(name).name if isinstance(name, str) else "recording", lambda: _seekable(file))


def parse_source(
    text: str,
    allowed: frozenset[Kind],
    *,
    volume: Path | None = None,
    rules: UrlRules = UrlRules(),
    max_bytes: int = MAX_STREAM_BYTES,
) -> Source:
    """Make a source of a string that a user wrote. Nothing is read, resolved or fetched before the source is opened.

    Args:
        text: a path, ``-``, an https URL, a data URL, base64 or ``volume:FOLDER/FILE``.
        allowed: the kinds this caller accepts, e.g. `CLI_KINDS` or `WORKER_KINDS`. Paths and base64 cannot be told
            apart, so at most one of them.
        volume: the folder that ``volume:`` paths start from; None refuses them.
        rules: what URLs may reach, and their limits.
        max_bytes: the most that base64 or a data URL may decode to.

    Raises:
        InputError: the string is of a kind that is not accepted here, or is malformed (``audio_source_refused``,
            ``bad_data_url``, ``bad_base64``, ``url_refused``, ``volume_refused``, ``audio_too_large``).
    """
    if {Kind.PATH, Kind.BASE64} <= allowed:
        raise ValueError("paths and base64 text cannot both be accepted")
    kind = _kind(text, allowed)
    if kind not in allowed:
        accepted = [str(each) for each in Kind if each in allowed]
        raise InputError(
            "audio_source_refused",
            f"The recording was given as {kind}, which is not accepted here.",
            f"Give {' or '.join([', '.join(accepted[:-1]), accepted[-1]] if len(accepted) > 1 else accepted)}.",
        )
    match kind:
        case Kind.STDIN:
            return Source("standard input", _standard_input)
        case Kind.URL:
            return Source(url_name(text, rules), lambda: _downloaded(text, rules))
        case Kind.DATA_URL:
            data = _decode_data_url(text, max_bytes)
            return Source("data URL", lambda: nullcontext(io.BytesIO(data)))
        case Kind.BASE64:
            data = _decode_base64(text, max_bytes)
            return Source("base64 audio", lambda: nullcontext(io.BytesIO(data)))
        case Kind.VOLUME:
            return _volume_source(text.removeprefix("volume:"), volume)
        case Kind.PATH:
            return _path_source(Path(text))


def _kind(text: str, allowed: frozenset[Kind]) -> Kind:
    if text == "-":
        return Kind.STDIN
    if text[:5].lower() == "data:":
        return Kind.DATA_URL
    if text.startswith("volume:"):
        return Kind.VOLUME
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return Kind.URL
    return Kind.BASE64 if Kind.BASE64 in allowed else Kind.PATH


def _path_source(path: Path) -> Source:
    return Source(path.name or str(path), lambda: _opened_path(path, path.name or str(path)))


@contextmanager
def _opened_path(path: Path, name: str) -> Iterator[BinaryIO]:
    try:
        mode = path.stat().st_mode
        usable = stat.S_ISREG(mode) or stat.S_ISFIFO(mode)
        file = path.open("rb") if usable else None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("audio_not_found", f"{name} does not exist.", "Check the path.") from None
    except PermissionError:
        raise InputError("audio_unreadable", f"{name} may not be read.", "Check its permissions.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError("audio_unreadable", f"{name!r} cannot be opened: {reason or 'not a valid path'}.") from None
    if file is None:
        if stat.S_ISDIR(mode):
            raise InputError("audio_is_folder", f"{name} is a folder.", "Name a recording inside it.")
        raise InputError("audio_unreadable", f"{name} is a device, not a file.", "Name a recording.")
    with file, _seekable(file) as stream:
        yield stream


def _volume_source(relative: str, volume: Path | None) -> Source:
    name = relative.rpartition("/")[2] or "volume: path"
    if volume is None:
        raise InputError("volume_refused", "volume: paths need a network volume, and none is attached here.")
    try:
        root = volume.resolve()
        path = (root / relative).resolve()
        inside = path.is_relative_to(root) and not relative.startswith("/")
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null byte
        inside = False
    if not inside:
        raise InputError("volume_refused", f"{name!r} is not inside the volume.", "Name a file below its root.")
    return Source(name, lambda: _opened_path(path, name))


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("audio_not_found", "Standard input is a terminal.", "Pipe a recording into it: … | diarist")
    with _seekable(sys.stdin.buffer) as stream:
        yield stream


@contextmanager
def _downloaded(url: str, rules: UrlRules) -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        download(url, spool, rules)
        spool.seek(0)
        yield spool  # type: ignore[misc]  # typeshed: SpooledTemporaryFile is not a BinaryIO, though it acts as one


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """``file`` itself where it can seek, else its bytes in a temporary file that goes away."""
    if file.seekable():
        yield file
        return
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        size = 0
        while block := file.read(1 << 16):
            size += len(block)
            if size > MAX_STREAM_BYTES:
                raise InputError(
                    "audio_too_large",
                    f"The stream does not end after {MAX_STREAM_BYTES >> 30} GiB.",
                    "Save it to a file and name that.",
                    http_status=413,
                )
            spool.write(block)
        spool.seek(0)
        yield spool  # type: ignore[misc]


def _decode_data_url(text: str, max_bytes: int) -> bytes:
    header, comma, payload = text.partition(",")
    if not comma:
        raise InputError("bad_data_url", "The data URL has no comma.", "Write data:audio/wav;base64,…")
    if header.lower().rstrip().endswith(";base64"):
        return _decode_base64(unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload, max_bytes)
    _check_size(len(payload) - 2 * payload.count("%"), max_bytes)
    return unquote_to_bytes(payload)


def _decode_base64(text: str, max_bytes: int) -> bytes:
    """Decode standard or URL-safe base64, with or without line breaks and padding."""
    _check_size(len(text) * 3 // 4 - 2, max_bytes)
    try:
        raw = b"".join(text.encode("ascii").split()).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise InputError(
            "bad_base64", "The recording is neither a URL nor valid base64.", "Encode the file's bytes as base64."
        ) from None


def _check_size(num_bytes: int, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise InputError(
            "audio_too_large",
            f"The recording is {num_bytes / 1e6:.0f} MB, and {max_bytes / 1e6:.0f} MB are allowed here.",
            "Send a URL instead.",
            http_status=413,
        )
