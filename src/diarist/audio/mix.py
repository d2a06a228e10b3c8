"""What mixing channels into one loses, and which channels to mix so that it does not."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LOST: Final = 0.1  # power of a sum below this share of its loudest part: the parts cancel each other
_FEWEST: Final = 100  # samples: among fewer, unlike channels cancel each other by chance
_TOO_MUCH: Final = 0.05  # share of the recording, weighted by loudness, that may be lost


class Balance:
    """Compares the mix of all channels, and the mixes of fewer, with the loudest channel. Constant memory."""

    def __init__(self) -> None:
        self._num = 0
        self._total = 0.0
        self._lost: NDArray[np.float64] = np.zeros(0)

    def add(self, block: NDArray[np.float32]) -> None:
        """Take ``(num_samples, num_channels)``, some tenths of a second."""
        block = np.where(np.abs(block) < 2.0**33, block, 0).astype(np.float64)
        if not self._num:
            self._num = block.shape[1]
            self._lost = np.zeros(1 + 2 * self._num)
        if block.shape[1] != self._num or len(block) < _FEWEST:
            return
        powers = np.einsum("ij,ij->j", block, block)
        loudest = powers.max()
        if loudest <= 0:
            return
        whole = block.sum(axis=1)
        without = whole @ whole - 2 * (whole @ block) + powers
        weight = float(np.sqrt(loudest / len(block)))
        self._total += weight
        self._lost += weight * (np.concatenate([[whole @ whole], without, powers]) < _LOST * loudest)

    def better(self) -> tuple[int, ...] | None:
        """Channels whose mix keeps what the mix of all loses; None where that is as good."""
        if not self._total or self._lost[0] <= _TOO_MUCH * self._total:
            return None
        best = int(self._lost.argmin())
        if self._lost[best] > 0.5 * self._lost[0]:
            return None
        everyone = tuple(range(self._num))
        return (best - 1 - self._num,) if best > self._num else tuple(c for c in everyone if c != best - 1)
