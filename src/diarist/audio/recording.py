"""`Recording`: what a caller has, before anything is read of it.

Two doors. Our own callers and users of the library call `as_recording` with what they hold. A string that came from a
stranger goes through `parse_recording` together with the kinds that this face accepts, so that a worker can never be
talked into reading a local file. Nothing here imports numpy, PyAV or an HTTP client before it is needed; samples are
had by `diarist.audio.decode.decode`, and kept by the recording.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import quote, unquote, unquote_to_bytes

from diarist.audio.url_rules import UrlRules, url_name
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore

if TYPE_CHECKING:
    from diarist.audio.audio import Audio

MAX_STREAM_BYTES: Final = 4 << 30
"""A stream without an end (standard input, a named pipe) is refused beyond this many bytes."""
SPOOL_BYTES: Final = 8 << 20
"""What is not seekable is kept in memory up to here, in a temporary file beyond."""
_NAME_CHARACTERS: Final = 255


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
LIBRARY_KINDS: Final = CLI_KINDS | {Kind.DATA_URL, Kind.VOLUME}
"""What a program that calls diarist may name. Only workers can read a ``volume:`` path."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a recording is meant.

    Attributes:
        start: seconds to leave out at its start.
        stop: the second to stop at; None for its end.
        track: number of the audio track, from 1; None takes the default.
    """

    start: float = 0.0
    stop: float | None = None
    track: int | None = None


WHOLE: Final = Cut()


class Recording:
    """What a caller has: a path, bytes, a binary file, a URL, a data URL, a volume path, or samples.

    Made by `as_recording`, `parse_recording` and `Recording.of`. It is read when somebody needs it, and its samples are
    kept once somebody did (`diarist.audio.decode.decode`).

    Attributes:
        name: short name for messages: a file name without folders, a host and file name without the query.
        wire: what a job's ``audio`` field may say instead of the bytes: the URL, data URL, base64 or volume path that
            this was made of; None where it was made of anything else.
        cut: the part that is meant.
    """

    __slots__ = ("_audio", "_digest", "_lock", "_opened", "cut", "name", "wire")

    def __init__(
        self,
        name: str,
        opened: Callable[[Progress], AbstractContextManager[BinaryIO]] | None,
        *,
        wire: str | None = None,
        cut: Cut = WHOLE,
        audio: Audio | None = None,
    ) -> None:
        self.name = name
        self.wire = wire
        self.cut = cut
        self._opened = opened
        self._audio = audio
        self._digest: str | None = None
        self._lock = threading.Lock()

    @staticmethod
    def of(audio: Audio, name: str = "recording") -> Recording:
        """A recording of samples that the caller has decoded or made."""
        return Recording(name, None, audio=audio)

    def __repr__(self) -> str:
        return f"<Recording {self.name!r}>"

    @property
    def by_reference(self) -> bool:
        """Whether `wire` names a place that a worker fetches it from, rather than holding it."""
        return self.wire is not None and re.match(r"volume:|https?://", self.wire, re.IGNORECASE) is not None

    @property
    def decoded(self) -> bool:
        """Whether its samples are at hand."""
        return self._audio is not None

    @property
    def has_bytes(self) -> bool:
        """Whether it has bytes to open; samples alone have none."""
        return self._opened is not None

    def part(self, start: float = 0.0, stop: float | None = None, track: int | None = None) -> Recording:
        """Return the part of it from ``start`` to ``stop`` seconds, of one audio track; itself where that is all."""
        cut = Cut(start, stop, track)
        if cut == self.cut:
            return self
        if self._audio is not None and self._opened is None:
            return Recording.of(self._audio.part(start, stop), self.name)
        return Recording(self.name, self._opened, wire=self.wire, cut=cut)

    def open(self, progress: Progress = ignore) -> AbstractContextManager[BinaryIO]:
        """Give its bytes as a seekable stream at its start, and clean up afterwards. All of it, whatever the part is.

        Args:
            progress: called while a URL is fetched, as ``progress("download", done)``; may raise `Cancelled`.

        Raises:
            InputError: when entered, where the recording cannot be had.
        """
        if self._opened is None:
            raise TypeError("a recording made of samples has no bytes")
        return self._opened(progress)

    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal; read once.

        Raises:
            InputError: it cannot be had.
        """
        if self._digest is None:
            with self.open() as file:
                self._digest = digest_of(file)
        return self._digest

    def audio(self, decoder: Callable[[], Audio]) -> Audio:
        """Return its samples, by ``decoder`` the first time; who asks meanwhile waits for that."""
        with self._lock:
            if self._audio is None:
                self._audio = decoder()
            return self._audio


def digest_of(file: BinaryIO) -> str:
    """SHA-256 of a stream from where it stands, in hexadecimal; it comes back there."""
    start = file.tell()
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(start)
    return digest.hexdigest()


def as_recording(
    value: Recording | Audio | str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
) -> Recording:
    """Make a recording of something the caller holds.

    Args:
        value: a path, the bytes of a recording, a binary file, samples; or a string with a path, an https URL, a data
            URL, ``-`` for standard input, or ``volume:PATH``. A file stays open and is read from where it stands.

    Raises:
        InputError: a string that is malformed.
    """
    if isinstance(value, Recording):
        return value
    if isinstance(value, str):
        return parse_recording(value, LIBRARY_KINDS)
    if isinstance(value, os.PathLike):
        return _of_path(Path(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return Recording("recording", lambda _: nullcontext(io.BytesIO(data)))
    if hasattr(value, "samples"):  # Audio, which is not imported here, for it needs numpy
        return Recording.of(cast("Audio", value))
    if not hasattr(value, "read"):
        raise TypeError(f"a recording is a path, a URL, bytes, a binary file or Audio, not {type(value).__name__}")
    name = getattr(value, "name", None)
    file = value
    return Recording(Path(name).name if isinstance(name, str) else "recording", lambda _: _seekable(file))


def parse_recording(
    text: str,
    allowed: frozenset[Kind],
    *,
    volume: Path | None = None,
    rules: UrlRules = UrlRules(),
    max_bytes: int = MAX_STREAM_BYTES,
) -> Recording:
    """Make a recording of a string that a user wrote. Nothing is read, resolved or fetched before it is opened.

    Args:
        text: a path, ``-``, an https URL, a data URL, base64 or ``volume:FOLDER/FILE``.
        allowed: the kinds this caller accepts, e.g. `CLI_KINDS` or `WORKER_KINDS`. Paths and base64 cannot be told
            apart, so at most one of them.
        volume: the folder that ``volume:`` paths start from; None refuses to open them.
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
            return Recording("standard input", lambda _: _standard_input())
        case Kind.URL:
            return Recording(url_name(text, rules), lambda progress: _downloaded(text, rules, progress), wire=text)
        case Kind.DATA_URL:
            data = _decode_data_url(text, max_bytes)
            return Recording(_name_in_data_url(text), lambda _: nullcontext(io.BytesIO(data)), wire=text)
        case Kind.BASE64:
            data = _decode_base64(text, max_bytes)
            return Recording("base64 audio", lambda _: nullcontext(io.BytesIO(data)), wire=text)
        case Kind.VOLUME:
            return _of_volume(text, volume)
        case Kind.PATH:
            return _of_path(Path(text))


def data_url(data: bytes, name: str) -> str:
    """Write a file and its name as a data URL, as `parse_recording` reads it."""
    return f"data:;name={quote(name, safe='')};base64,{base64.b64encode(data).decode()}"


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


def _of_path(path: Path) -> Recording:
    return Recording(path.name or str(path), lambda _: _opened_path(path, path.name or str(path)))


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


def _of_volume(text: str, volume: Path | None) -> Recording:
    relative = text.removeprefix("volume:")
    name = _printable(relative.rpartition("/")[2]) or "volume: path"
    if volume is None:
        return Recording(name, lambda _: _no_volume(), wire=text)
    try:
        root = volume.resolve()
        path = (root / relative).resolve()
        inside = path.is_relative_to(root) and not relative.startswith("/")
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null byte
        inside = False
    if not inside:
        raise InputError("volume_refused", f"{name!r} is not inside the volume.", "Name a file below its root.")
    return Recording(name, lambda _: _opened_path(path, name), wire=text)


@contextmanager
def _no_volume() -> Iterator[BinaryIO]:
    raise InputError("volume_refused", "volume: paths need a network volume, and none is attached here.")
    yield


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("audio_not_found", "Standard input is a terminal.", "Pipe a recording into it: … | diarist")
    with _seekable(sys.stdin.buffer) as stream:
        yield stream


@contextmanager
def _downloaded(url: str, rules: UrlRules, progress: Progress) -> Iterator[BinaryIO]:
    from diarist.audio.download import download

    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        download(url, spool, rules, progress)
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


def _name_in_data_url(text: str) -> str:
    """The file name that a data URL carries, for messages; without folders and what a terminal would obey."""
    given = re.search(r";name=([^;,]*)", text[: text.find(",")], re.IGNORECASE)
    name = unquote(given[1], errors="replace").replace("\\", "/").rpartition("/")[2] if given else ""
    return _printable(name) or "data URL"


def _printable(name: str) -> str:
    """A name that a stranger gave, fit for a line of a message."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_NAME_CHARACTERS]


def _decode_data_url(text: str, max_bytes: int) -> bytes:
    header, comma, payload = text.partition(",")
    if not comma:
        raise InputError("bad_data_url", "The data URL has no comma.", "Write data:audio/wav;base64,…")
    if header.lower().rstrip().endswith(";base64"):
        return _decode_base64(_unquoted(payload).decode("latin-1") if "%" in payload else payload, max_bytes)
    _check_size(len(payload) - 2 * payload.count("%"), max_bytes)
    return _unquoted(payload)


def _unquoted(payload: str) -> bytes:
    try:
        return unquote_to_bytes(payload)
    except UnicodeEncodeError:  # half of a surrogate pair
        raise InputError(
            "bad_data_url", "The data URL holds characters that are none.", "Write data:audio/wav;base64,…"
        ) from None


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
