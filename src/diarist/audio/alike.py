"""Which channels of a recording hold one sound: copies, apart from level, polarity and a short delay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from diarist.audio.audio import SAMPLE_RATE, Audio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALIKE: Final = 0.9  # correlation of one sound that a codec wrote twice
_STEADY_DB: Final = 3.0  # a copy is always as much louder or quieter, within this
_APART_DB: Final = 12.0  # a copy that much quieter is bleed


def group_alike(channels: Sequence[Audio], most: int) -> list[list[int]]:
    """Put the numbers of channels that hold one sound together, in the order of each group's first.

    Args:
        channels: of equal length. Silent ones are alike.
        most: stop at this many groups: the rest is not looked at.
    """
    groups: list[list[int]] = []
    for number, audio in enumerate(channels):
        for group in groups:
            if _same_sound(channels[group[0]].samples, audio.samples):
                group.append(number)
                break
        else:
            groups.append([number])
            if len(groups) == most:
                break
    return groups


def _same_sound(one: NDArray[np.float32], two: NDArray[np.float32]) -> bool:
    """Whether two channels hold one sound, apart from level, polarity and a delay of up to a tenth of a second.

    Looks at up to 60 stretches of 2 s. Bleed is no such case: it is louder now in one channel, now in the other.
    """
    import numpy as np

    if len(one) != len(two):
        return False
    block, lag = 2 * SAMPLE_RATE, SAMPLE_RATE // 10
    starts = range(0, max(1, len(one)), block)
    energies = np.array(
        [
            (np.vdot(one[s : s + block], one[s : s + block]), np.vdot(two[s : s + block], two[s : s + block]))
            for s in starts
        ],
        np.float64,
    )
    heard = [int(n) for n in np.flatnonzero(energies.max(axis=1) > 1e-3 * energies.max())]
    if not heard:
        return True
    ratios, alike = [], 0
    looked = heard[:: -(-len(heard) // 60)]
    for number in looked:
        a, b = (channel[starts[number] : starts[number] + block] for channel in (one, two))
        size = 1 << (len(a) + lag).bit_length()
        products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
        best = max(np.abs(products[: lag + 1]).max(), np.abs(products[-lag:]).max())
        first, second = energies[number]
        alike += bool(best > _ALIKE * np.sqrt(first * second) > 0)
        ratios.append(10 * np.log10((first + 1e-12) / (second + 1e-12)))
    usual = float(np.median(ratios))
    near = np.abs(np.array(ratios) - usual) < _STEADY_DB
    return abs(usual) < _APART_DB and alike >= 0.95 * len(looked) and near.mean() >= 0.95
