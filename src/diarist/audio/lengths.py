"""The length that a recording's own header declares, found where the format puts it and nowhere else.

A declared length can be wrong: it may warn, and it may tell how far decoding is; it refuses nothing. FFmpeg does not
say whether an MP3's length was read or guessed, so its first frame is read here.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from diarist.audio.headers import Header

_OWN_HEADER: Final = frozenset({"wav", "w64", "aiff", "caf", "au"})
_DECLARED: Final = _OWN_HEADER | {"mov", "flac", "wv", "tta"}
"""Containers whose header states the exact length of the sound; elsewhere it may be an estimate."""
_SEARCH_BYTES: Final = 1 << 16  # FFmpeg looks as far for the first frame of an MP3
_VBRI: Final = 36  # offset of Fraunhofer's header in the first frame
_KBITS_MPEG1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_MPEG2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def declared_seconds(
    container: InputContainer, stream: AudioStream, header: Header, file: BinaryIO, start: int
) -> float | None:
    """Length by the recording's own exact word, in seconds; None where there is none.

    Args:
        container: the opened recording.
        stream: the track that is decoded.
        header: what was read of the header already.
        file: the recording's bytes; comes back where it was.
        start: where in ``file`` the recording starts.
    """
    demuxer = container.format.name.split(",")[0]
    if header.seconds is not None and demuxer in _OWN_HEADER:
        return header.seconds
    if demuxer == "matroska" and len(container.streams) == 1 and container.duration is not None:
        return container.duration / av.time_base
    if stream.duration is None or stream.time_base is None:
        return None
    seconds = float(stream.duration * stream.time_base)
    if demuxer == "mp3":
        back = file.tell()
        try:
            return seconds if mp3_counts_frames(file, start) else None
        finally:
            file.seek(back)
    return seconds if demuxer in _DECLARED else None


def mp3_counts_frames(file: BinaryIO, start: int = 0) -> bool:
    """Whether the first frame of an MP3 holds a Xing, Info or VBRI header with the number of frames."""
    at = start
    file.seek(at)
    head = file.read(10)
    while head[:3] == b"ID3" and len(head) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        at += 10 + size + (10 if head[5] & 0x10 else 0)
        file.seek(at, os.SEEK_SET)
        head = file.read(10)
    file.seek(at)
    data = file.read(_SEARCH_BYTES)
    found = data.find(b"\xff")
    while found >= 0:
        length, tag = _frame(data[found : found + 4])
        follows = data[found + length : found + length + 2]
        if length and (not follows or (follows[:1] == b"\xff" and follows[1:] == data[found + 1 : found + 2])):
            here = data[found + tag : found + tag + 8]
            if here[:4] in (b"Xing", b"Info"):
                return len(here) == 8 and bool(here[7] & 1)
            return data[found + _VBRI : found + _VBRI + 4] == b"VBRI"
        found = data.find(b"\xff", found + 1)
    return False


def _frame(header: bytes) -> tuple[int, int]:
    """Length of a layer III frame and where in it a Xing header stands, in bytes; (0, 0) where this is no frame."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0, 0
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits, rate, padding, mono = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1, header[3] >> 6 == 3
    if version == 1 or layer != 1 or kbits in (0, 15) or rate == 3:
        return 0, 0
    mpeg1 = version == 3
    hertz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = (_KBITS_MPEG1 if mpeg1 else _KBITS_MPEG2)[kbits] * 1000
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    return (144 if mpeg1 else 72) * bits // hertz + padding, 4 + side
