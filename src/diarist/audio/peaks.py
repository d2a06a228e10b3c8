"""How loud a recording is over time, for drawing it: a page cannot decode two hours itself."""

from __future__ import annotations

from typing import Final

import numpy as np

from diarist.audio.audio import SAMPLE_RATE, Audio

PER_SECOND: Final = 50
"""Pairs of peaks for each second."""

_BLOCK: Final = 60 * SAMPLE_RATE


def peaks(audio: Audio) -> tuple[bytes, bytes]:
    """Find the least and the greatest sample of each stretch of 20 ms, in blocks.

    Returns:
        The least and the greatest, an int8 for each stretch, -128 to 127; the last stretch may be shorter. They are
        rounded outwards, so that what is not silent is never drawn as silence.
    """
    lows, highs = bytearray(), bytearray()
    size = SAMPLE_RATE // PER_SECOND
    for start in range(0, len(audio.samples), _BLOCK):
        block = audio.samples[start : start + _BLOCK]
        places = np.arange(0, len(block), size)
        lows += _int8(np.floor(np.minimum.reduceat(block, places) * 128))
        highs += _int8(np.ceil(np.maximum.reduceat(block, places) * 128))
    return bytes(lows), bytes(highs)


def _int8(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    return np.clip(values, -128, 127).astype(np.int8).tobytes()
