"""What the headers of uncompressed recordings tell of their length, and what they should have told.

WAV, W64, AIFF, CAF and AU put the number of bytes of sound before the sound. A recorder that lost power, a program that
writes into a pipe and a file that outgrew 32 bits leave a wrong number there, and FFmpeg then refuses the recording or
stops in the middle of it. Here the number is read, held against the file, and replaced on the way to FFmpeg where it is
wrong. (Python's ``wave`` knows plain WAV only, and refuses float samples; libsndfile does not say what it found.)
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal, NamedTuple

_PIPED: Final = 0x7FFF0000  # programs that write into a pipe put this or more where a size of 32 bits belongs
_STRAY_SECONDS: Final = 0.05  # what stands behind the sound and is this short is filling, or a tag
_MAX_CHUNKS: Final = 10_000
_UNCOMPRESSED_WAV: Final = frozenset({1, 3, 6, 7})
_UNCOMPRESSED_AIFC: Final = (b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
_AU_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # a sample, by encoding


@dataclass(frozen=True, slots=True)
class Header:
    """What a header tells.

    Attributes:
        seconds: the length that it declares; None where it leaves that open, or where the codec is a compressed one.
        mended: bytes to be read in place of the recording's own, by their offset from its start.
    """

    seconds: float | None = None
    mended: Mapping[int, bytes] = field(default_factory=dict)


class _Layout(NamedTuple):
    """How a format lays out its chunks."""

    first: int  # offset of the first chunk
    outer_at: int  # offset of the size of the whole; 0 where FFmpeg does not heed it
    sound: bytes  # what the chunk of sound is called
    order: Literal["little", "big"]
    id_bytes: int = 4
    size_bytes: int = 4
    align: int = 2
    size_of_header: int = 0  # a chunk's size is with that of its own header
    before_sound: int = 0  # bytes in the chunk of sound that are none


_WAV: Final = _Layout(12, 0, b"data", "little")
_AIFF: Final = _Layout(12, 4, b"SSND", "big", before_sound=8)
_CAF: Final = _Layout(8, 0, b"data", "big", size_bytes=8, align=1, before_sound=4)
_W64: Final = _Layout(40, 16, b"data", "little", id_bytes=16, size_bytes=8, align=8, size_of_header=24)


class _Chunk(NamedTuple):
    id: bytes
    body: int  # offset
    size: int  # of the body, as declared


def read_header(file: BinaryIO, start: int = 0) -> Header:
    """Read the header of a recording; that of any other format tells nothing.

    Args:
        file: the recording's bytes; comes back where it was.
        start: where in ``file`` the recording starts.
    """
    back = file.tell()
    try:
        end = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        head = file.read(40)
        if head[:4] == b".snd" and len(head) >= 24:
            return _au(head, end)
        layout = _layout(head)
        return _Reader(file, start, end, layout).header() if layout else Header()
    finally:
        file.seek(back)


def _layout(head: bytes) -> _Layout | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    if head[:4] == b"caff":
        return _CAF
    return _W64 if head[:8] == b"riff\x2e\x91\xcf\x11" and head[24:28] == b"wave" else None


def _au(head: bytes, end: int) -> Header:
    offset, size, encoding, rate, channels = struct.unpack(">5I", head[4:24])
    left_open = size == 0 or size >= _PIPED
    wrong = size != 0xFFFFFFFF and (left_open or size > end - offset)
    a_second = _AU_BYTES.get(encoding, 0) * rate * channels
    seconds = None if left_open or not a_second else size / a_second
    # FFmpeg reads to the end in any case, but refuses some sizes. This one leaves the length open.
    return Header(seconds, {8: b"\xff" * 4} if wrong and end > offset else {})


class _Reader:
    """Walks the chunks of a recording up to its sound. Offsets are from its start."""

    def __init__(self, file: BinaryIO, start: int, end: int, layout: _Layout) -> None:
        self._file, self._start, self._end, self._layout = file, start, end, layout
        self._mended: dict[int, bytes] = {}
        self._rate = 0.0  # bytes of sound a second; 0 where that is a mean, or not known
        self._long: tuple[int, int] | None = None  # 64 bits for the size of the sound, and where they stand

    def header(self) -> Header:
        at = self._layout.first
        for _ in range(_MAX_CHUNKS):
            chunk = self._chunk(at)
            if chunk is None:
                break
            if chunk.id == self._layout.sound:
                return self._sound(chunk)
            self._learn(chunk, self._read(chunk.body, min(max(chunk.size, 0), 40)))
            at = self._aligned(chunk.body + max(chunk.size, 0))
        return Header()

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(self._start + at)
        return self._file.read(size)

    def _chunk(self, at: int) -> _Chunk | None:
        layout = self._layout
        length = layout.id_bytes + layout.size_bytes
        head = self._read(at, length) if at + length <= self._end else b""
        if len(head) < length:
            return None
        size = int.from_bytes(head[layout.id_bytes :], layout.order, signed=layout.size_bytes == 8)
        return _Chunk(head[:4], at + length, size - layout.size_of_header)

    def _aligned(self, at: int) -> int:
        return -(-at // self._layout.align) * self._layout.align

    def _starts_chunk(self, at: int) -> bool:
        """Whether a chunk starts at ``at``, rather than that sound goes on there."""
        chunk = self._chunk(at)
        named = chunk is not None and all(32 <= byte < 127 for byte in chunk.id)
        return named and chunk is not None and 0 <= chunk.size <= self._end - chunk.body

    def _learn(self, chunk: _Chunk, body: bytes) -> None:
        if chunk.id == b"ds64" and len(body) >= 16:
            self._long = int.from_bytes(body[8:16], "little"), chunk.body + 8
        elif chunk.id == b"fmt " and len(body) >= 16:
            kind, channels_rate, width = int.from_bytes(body[:2], "little"), body[4:8], body[12:14]
            if kind == 0xFFFE and len(body) >= 26:
                kind = int.from_bytes(body[24:26], "little")
            if kind in _UNCOMPRESSED_WAV:
                self._rate = int.from_bytes(channels_rate, "little") * int.from_bytes(width, "little")
        elif chunk.id == b"desc" and len(body) >= 24:
            hertz, packet, samples = struct.unpack(">d8x2I", body[:24])
            self._rate = hertz * packet / samples if samples and 0 < hertz < math.inf else 0.0
        elif chunk.id == b"COMM" and len(body) >= 18:
            channels, samples, bits, exponent, mantissa = struct.unpack(">HIHHQ", body[:18])
            width = channels * -(-bits // 8)
            if (len(body) < 22 or body[18:22] in _UNCOMPRESSED_AIFC) and 0 <= exponent - 16_383 < 32:
                self._rate = width * math.ldexp(mantissa, exponent - 16_446)
            if samples > self._end:  # more samples than bytes: FFmpeg takes the highest for an error
                self._mended[chunk.body + 2] = (self._end // max(width, 1)).to_bytes(4, "big")

    def _sound(self, chunk: _Chunk) -> Header:
        """Hold the size of the sound against the file."""
        layout = self._layout
        size, width = chunk.size, layout.size_bytes
        size_at = chunk.body - width
        if self._long is not None:
            long, size_at = self._long
            width, size = 8, long if size == 0xFFFFFFFF else size
        there = self._end - chunk.body
        left_open = size <= layout.before_sound or (size > there and size >= (_PIPED if width == 4 else 1 << 62))
        declared = None if left_open or not self._rate else (size - layout.before_sound) / self._rate
        ends_early = left_open or (self._rate and there - size > _STRAY_SECONDS * self._rate)
        after = chunk.body + max(size, 0)
        if there > layout.before_sound and (
            size > there or (ends_early and not (self._starts_chunk(self._aligned(after)) or self._starts_chunk(after)))
        ):
            most = (1 << 8 * width - (width == 8)) - 1
            self._mended[size_at] = min(there + layout.size_of_header, most).to_bytes(width, layout.order)
        if layout.outer_at:
            outer = self._read(layout.outer_at, layout.size_bytes)
            if not chunk.body <= int.from_bytes(outer, layout.order) <= self._end:
                whole = min(self._end - (0 if layout.size_of_header else 8), (1 << 8 * layout.size_bytes) - 1)
                self._mended[layout.outer_at] = whole.to_bytes(layout.size_bytes, layout.order)
        return Header(declared, self._mended)
