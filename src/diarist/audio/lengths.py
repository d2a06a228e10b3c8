"""The length that a recording's own header declares, found where the format puts it and nowhere else.

A declared length can be wrong: it may warn, and it may tell how far decoding is; it refuses nothing. FFmpeg believes
the file's size where a WAV is cut short, and says not whether an MP3's length was read or guessed, so both headers are
read here. (Python's ``wave`` refuses float and RF64 files.)
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

_DECLARED: Final = frozenset({"w64", "mov", "flac", "aiff", "caf", "au", "wv", "tta"})
"""Containers whose header states the exact length of the sound; elsewhere it may be an estimate."""
_STREAMED_WAV: Final = 0x7FFF0000  # programs that write WAV into a pipe put this or more where the size belongs
_MAX_CHUNKS: Final = 10_000
_SEARCH_BYTES: Final = 1 << 16  # FFmpeg looks as far for the first frame of an MP3
_KBITS_MPEG1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_MPEG2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def declared_seconds(container: InputContainer, stream: AudioStream, file: BinaryIO, start: int) -> float | None:
    """Length by the recording's own exact word, in seconds; None where there is none.

    Args:
        container: the opened recording.
        stream: the track that is decoded.
        file: the recording's bytes; comes back where it was.
        start: where in ``file`` the recording starts.
    """
    demuxer = container.format.name.split(",")[0]
    if demuxer == "matroska" and len(container.streams) == 1 and container.duration is not None:
        return container.duration / av.time_base
    if stream.duration is None or stream.time_base is None:
        return None
    seconds = float(stream.duration * stream.time_base)
    back = file.tell()
    try:
        if demuxer == "wav":
            return max(seconds, wav_seconds(file, start) or 0.0)
        if demuxer == "mp3":
            return seconds if mp3_counts_frames(file, start) else None
    finally:
        file.seek(back)
    return seconds if demuxer in _DECLARED else None


def wav_seconds(file: BinaryIO, start: int = 0) -> float | None:
    """Length that a RIFF, RF64 or BW64 file of uncompressed samples declares, in seconds; None where it does not."""
    file.seek(start)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    rate, long_size = 0, None
    at = start + 12
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        size = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        elif chunk[:4] == b"fmt ":
            rate = _byte_rate(file.read(min(size, 40)))
        elif chunk[:4] == b"data":
            if size == 0xFFFFFFFF and long_size is not None and head[:4] != b"RIFF":
                return long_size / rate if rate else None
            return size / rate if rate and size < _STREAMED_WAV else None
        at += 8 + size + size % 2
    return None


def _byte_rate(fmt: bytes) -> int:
    """Bytes a second of uncompressed samples; 0 where the codec is another, whose rate is a mean."""
    if len(fmt) < 16:
        return 0
    kind = int.from_bytes(fmt[:2], "little")
    if kind == 0xFFFE and len(fmt) >= 26:
        kind = int.from_bytes(fmt[24:26], "little")
    uncompressed = kind in (1, 3, 6, 7)
    return int.from_bytes(fmt[4:8], "little") * int.from_bytes(fmt[12:14], "little") if uncompressed else 0


def mp3_counts_frames(file: BinaryIO, start: int = 0) -> bool:
    """Whether the first frame of an MP3 holds a Xing or Info header with the number of frames."""
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
            return here[:4] in (b"Xing", b"Info") and len(here) == 8 and bool(here[7] & 1)
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
