"""When a recording's level loses something in 16 bits, and the one gain that keeps it."""

from __future__ import annotations

import math
from typing import Final

SILENT: Final = 2 / 32768
"""A recording whose peak is no higher is silent: that is how far rounding and dither reach."""
_QUIET: Final = 0.01  # -40 dBFS
_TARGET: Final = 10 ** (-3 / 20)


def gain_for(peak: float, share_over: float, lossless: bool) -> float:
    """Return the factor for a whole recording; 1 for all but very quiet ones and those beyond full scale.

    Codecs overshoot full scale a little, and lone wild samples are damage: both are clipped and not followed.

    Args:
        peak: the largest magnitude; 1 is full scale.
        share_over: share of the samples beyond full scale.
        lossless: whether the samples are as they were stored.
    """
    if peak > (1.1 if lossless else 1.5) and share_over > (1e-5 if lossless else 1e-3):
        return _TARGET / peak
    return _TARGET / peak if SILENT < peak < _QUIET else 1.0


def gain_warning(name: str, peak: float, gain: float) -> str:
    """Say in one line what was done."""
    what = "is very quiet" if gain > 1 else "has samples beyond full scale"
    done = "louder" if gain > 1 else "quieter"
    return f"{name} {what} (peak {_db(peak)} dBFS): it was made {abs(20 * math.log10(gain)):.0f} dB {done}."


def _db(value: float) -> str:
    return f"{20 * math.log10(value):+.0f}"
