"""What mixing channels into one loses, and which channels to mix so that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

_BESIDE: Final = 0.25  # -12 dB: what the channels around the centre of a film are mixed with
_LOW_HERTZ: Final = 250.0  # a channel for low tones holds none above
_FAINT: Final = 1e-3  # power, as a share of the loudest channel's, below which a channel says nothing
_LOST: Final = 0.1  # power of a sum below this share of its loudest part: the parts cancel each other
_FEWEST: Final = 100  # samples: among fewer, unlike channels cancel each other by chance
_TOO_MUCH: Final = 0.05  # share of the recording, weighted by loudness, that may be lost


def mix_weights(places: Sequence[str]) -> tuple[float, ...]:
    """Return the weight of each channel in a mix; they sum up to 1.

    All are alike, but in a film: there the centre holds the dialogue, and music and noise play around it.

    Args:
        places: where FFmpeg says that each channel's loudspeaker stands, e.g. ``FL``, ``FC``, ``LFE``.
    """
    if not _is_film(places):
        return (1 / len(places),) * len(places)
    weights = [1.0 if place == "FC" else 0.0 if place.startswith("LFE") else _BESIDE for place in places]
    return tuple(weight / sum(weights) for weight in weights)


def _is_film(places: Sequence[str]) -> bool:
    return "FC" in places and "LFE" in places


class Balance:
    """Compares the mix of all channels, and the mixes of fewer, with the loudest channel. Constant memory.

    Finds out, too, whether what is laid out as a film is one: six microphones are often written down as such.
    """

    def __init__(self) -> None:
        self._low = 0.0
        self._not_low = 0.0
        self._num = 0
        self._total = 0.0
        self._lost: NDArray[np.float64] = np.zeros(0)

    def add(self, block: NDArray[np.float32], places: Sequence[str], rate: int) -> None:
        """Take ``(num_samples, num_channels)``, some tenths of a second, at ``rate`` Hz."""
        heard: NDArray[np.float64] = np.where(np.abs(block) < 2.0**33, block, 0).astype(np.float64)
        if _is_film(places):
            self._hear_low(heard, places.index("LFE"), rate)
            heard *= mix_weights(places)
        if not self._num:
            self._num = heard.shape[1]
            self._lost = np.zeros(1 + 2 * self._num)
        if heard.shape[1] != self._num or len(heard) < _FEWEST:
            return
        powers = np.einsum("ij,ij->j", heard, heard)
        loudest = powers.max()
        if loudest <= 0:
            return
        whole = heard.sum(axis=1)
        without = whole @ whole - 2 * (whole @ heard) + powers
        weight = float(np.sqrt(loudest / len(heard)))
        self._total += weight
        self._lost += weight * (np.concatenate([[whole @ whole], without, powers]) < _LOST * loudest)

    def better(self) -> tuple[int, ...] | Literal["even"] | None:
        """Channels whose even mix keeps what the mix loses; ``"even"`` for all of them; None where it loses nothing."""
        if self._not_low > 0.1 * (self._low + self._not_low):
            return "even"
        if not self._total or self._lost[0] <= _TOO_MUCH * self._total:
            return None
        best = int(self._lost.argmin())
        if self._lost[best] > 0.5 * self._lost[0]:
            return None
        everyone = tuple(range(self._num))
        return (best - 1 - self._num,) if best > self._num else tuple(c for c in everyone if c != best - 1)

    def _hear_low(self, block: NDArray[np.float64], channel: int, rate: int) -> None:
        """Note whether the channel for low tones holds others: then somebody speaks into it."""
        power = float(block[:, channel] @ block[:, channel])
        if len(block) < _FEWEST or power <= _FAINT * float(np.einsum("ij,ij->j", block, block).max()):
            return
        steps = np.diff(block[:, channel])
        hertz = rate / (2 * np.pi) * np.sqrt(float(steps @ steps) / power)  # of a tone, its own frequency
        if hertz > _LOW_HERTZ:
            self._not_low += power**0.5
        else:
            self._low += power**0.5
