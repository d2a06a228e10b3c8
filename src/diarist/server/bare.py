"""Bare samples, 16-bit, little-endian, mono, 16 kHz: what ``encode=false`` means to clients of whisper-asr-webservice.

Anything may be samples, so what has the first bytes of a container is taken for one, and all else for samples. Letting
the decoder try was rejected: it took a quiet recording's samples, ``00 00 01 00``, for a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from diarist.audio.audio import Audio

BYTES_PER_SECOND: Final = 32_000


def is_bare(file: BinaryIO) -> bool:
    """Whether a file has no container's first bytes; read from where it stands."""
    head = file.read(12)
    return not (head.startswith(_HEADS) or head[4:8] == b"ftyp")


def samples(file: BinaryIO) -> Audio:
    """Read all of a file as samples; half a sample at its end is left out."""
    import numpy as np

    from diarist.audio.audio import Audio

    data = file.read()
    return Audio(np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768))


_HEADS: Final = (
    b"RIFF",
    b"RF64",
    b"fLaC",
    b"OggS",
    b"ID3",
    b"\x1a\x45\xdf\xa3",
    b"FORM",
    b"caff",
    b"riff",
    b"\x30\x26\xb2\x75",
)
