"""Open a recording for FFmpeg, which sees one stream of bytes and nothing else.

Only demuxers and decoders on a list are started (no playlists: HLS, DASH, concat, SDP and image sequences reach out to
files and hosts), and whatever a demuxer asks to open beyond the stream is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, BinaryIO, Final, NoReturn

import av
import av.error
from av.container import InputContainer

from diarist.audio.containers import DECODERS, DEMUXERS
from diarist.model.errors import InputError

_HEADERLESS: Final = {  # what telephone systems write: no header, so the file name decides, after probing has failed
    ".gsm": ("gsm", {}),
    ".g722": ("g722", {}),
    ".ulaw": ("mulaw", {"sample_rate": "8000"}),
    ".alaw": ("alaw", {"sample_rate": "8000"}),
    ".sln": ("s16le", {"sample_rate": "8000"}),
}
_PLAYLISTS: Final = (b"#EXTM3U", b"ffconcat", b"v=0", b"[playlist]", b"<?xml", b"<MPD", b"<smil", b"#EXT-X")
_TAGS: Final[dict[str, Any]] = (  # tags that are not UTF-8 must not refuse a recording; PyAV 19 sees to that itself
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
_HEAD_BYTES: Final = 4096


class _Reader:
    """The three methods FFmpeg may call: no name (it would guess formats from it), no file descriptor."""

    def __init__(self, file: BinaryIO | _Window) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _refuse_open(*_: object) -> NoReturn:
    raise InputError(
        "audio_not_recognised",
        "The file points to other files or hosts instead of holding sound.",
        "Send the recording itself.",
        http_status=415,
    )


def _head(file: BinaryIO, name: str) -> bytes:
    start = file.tell()
    head = file.read(_HEAD_BYTES)
    if not head:
        raise InputError("audio_empty", f"{name} is empty.", "Record or copy it again.", http_status=422)
    file.seek(start)
    return head


def open_container(file: BinaryIO, name: str, mended: Mapping[int, bytes]) -> InputContainer:
    """Find out what a recording is, and open it.

    Args:
        file: is read from where it stands.
        name: what the user calls it.
        mended: bytes that FFmpeg is to read in place of the recording's own, by their offset from its start.

    Raises:
        InputError: ``audio_empty``, ``audio_not_recognised`` or ``audio_damaged``.
    """
    head = _head(file, name)
    start = file.tell()
    attempts: list[tuple[str | None, dict[str, str]]] = [(None, {})]
    if (suffix := PurePath(name).suffix.lower()) in _HEADERLESS:
        attempts.append(_HEADERLESS[suffix])
    for demuxer, options in attempts:
        file.seek(start)
        # The list is a second wall before the third, io_open: a playlist's demuxer is never even started.
        allowed = DEMUXERS if demuxer is None else demuxer
        try:
            container: InputContainer = av.open(
                _Reader(_Window(file, start, mended) if start or mended else file),
                "r",
                format=demuxer,
                container_options={**options, "format_whitelist": allowed, "codec_whitelist": DECODERS},
                io_open=_refuse_open,
                **_TAGS,
            )
        except (av.error.FFmpegError, ValueError, OverflowError, MemoryError):
            continue
        return container
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_PLAYLISTS):
        raise InputError(
            "audio_not_recognised",
            f"{name} is a playlist or description, not a recording.",
            "Send the recording it points to.",
            http_status=415,
        )
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"wide", b"free"):
        raise InputError(
            "audio_damaged",
            f"{name} is an incomplete MP4: its index is missing.",
            "Copy or download it again; a recorder that was cut off may have a repair tool.",
            http_status=422,
        )
    raise InputError(
        "audio_not_recognised",
        f"{name} is not audio or video in a known format.",
        "Use WAV, FLAC, MP3, M4A, OGG, Opus, MP4, MKV, MOV or WebM; decrypt or unpack it first.",
        http_status=415,
    )


class _Window:
    """A file from its present position on, with some bytes mended."""

    def __init__(self, file: BinaryIO, start: int, mended: Mapping[int, bytes]) -> None:
        self._file, self._start, self._mended = file, start, mended
        self._mended_to = max((offset + len(value) for offset, value in mended.items()), default=0)

    def read(self, size: int = -1) -> bytes:
        at = self.tell()
        data = self._file.read(size)
        if at >= self._mended_to:
            return data
        patched = bytearray(data)
        for offset, value in self._mended.items():
            first, last = max(offset, at), min(offset + len(value), at + len(data))
            if first < last:
                patched[first - at : last - at] = value[first - offset : last - offset]
        return bytes(patched)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset + self._start if whence == os.SEEK_SET else offset, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start
