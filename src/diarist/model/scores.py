"""Speaker scores as a job's result carries them: differences down each column, deflated. Nothing is lost.

Speakers are silent most of the time, and a probability is near that of the frame before, so differences are mostly
zero: `benchmarks/result_size.py` measures what that saves. zlib is in Python, so the orchestrator, which has no numpy,
reads them too.
"""

from __future__ import annotations

import binascii
import operator
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final

MAX_BYTES: Final = 192 << 20
"""Twelve hours of 64 speakers are 164 MB. What says that it holds more is not inflated."""


def packed(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Turn scores whose ``values`` are base64 into those whose ``deltas`` are; what has no rows stays as it is."""
    values = b64decode(scores["values"])
    columns = len(scores["speakers"])
    if not columns or len(values) % columns or not 0 < len(values) <= MAX_BYTES:
        return dict(scores)
    differences = b"".join(_differences(values[column::columns]) for column in range(columns))
    others = {name: value for name, value in scores.items() if name != "values"}
    frames = len(values) // columns
    return {**others, "frames": frames, "deltas": b64encode(zlib.compress(differences, 9)).decode()}


def unpacked(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what `packed` gave back; scores that have ``values``, as older workers send them, stay as they are.

    Raises:
        ValueError: the deltas are damaged, or not as many as the rest says. No more than that is ever inflated.
    """
    if "deltas" not in scores:
        return dict(scores)
    frames, speakers, deltas = (scores.get(name) for name in ("frames", "speakers", "deltas"))
    if not isinstance(speakers, (list, tuple)) or not isinstance(deltas, str) or type(frames) is not int:
        raise ValueError("deltas need frames and speakers")
    columns = len(speakers)
    size = frames * columns
    if not 0 < size <= MAX_BYTES:
        raise ValueError(f"{frames} frames of {columns} speakers are not taken")
    values = bytearray(size)
    inflater = zlib.decompressobj()
    try:
        rest = b64decode(deltas, validate=True)
        for column in range(columns):
            differences = inflater.decompress(rest, frames)
            rest = inflater.unconsumed_tail
            if len(differences) != frames:
                raise ValueError("deltas are fewer than frames and speakers say")
            values[column::columns] = bytes(value & 255 for value in accumulate(differences))
        more = inflater.decompress(rest, 1)
    except (zlib.error, binascii.Error):
        raise ValueError("deltas are damaged") from None
    if more or not inflater.eof or inflater.unused_data:
        raise ValueError("deltas are more than frames and speakers say")
    others = {name: value for name, value in scores.items() if name not in ("deltas", "frames")}
    return {**others, "values": bytes(values)}


def _differences(column: bytes) -> bytes:
    return column[:1] + bytes(step & 255 for step in map(operator.sub, column[1:], column))
