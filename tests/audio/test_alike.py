"""Channels with one sound are told from those of two parties."""

import numpy as np
import pytest

from diarist.audio.alike import group_alike
from diarist.audio.audio import Audio

RATE = 16_000


def noise(seed, seconds=12):
    return np.random.default_rng(seed).normal(0, 0.1, seconds * RATE)


def groups(*channels):
    return group_alike([Audio(channel.astype(np.float32)) for channel in channels], 9)


@pytest.mark.parametrize(("correlation", "number"), [(0.99, 1), (0.95, 1), (0.85, 2), (0.75, 2), (0.0, 2)])
def test_one_sound_is_alike_by_nine_tenths(correlation, number):
    sound, other = noise(1), noise(2)
    assert len(groups(sound, correlation * sound + (1 - correlation**2) ** 0.5 * other)) == number


@pytest.mark.parametrize(("decibels", "number"), [(0, 1), (2.7, 1), (3.3, 2), (9, 2)])
def test_one_sound_is_always_as_much_louder_within_three_decibels(decibels, number):
    """Bleed is louder now in one channel, now in the other."""
    sound = noise(1)
    turns = np.repeat([decibels, -decibels] * 3, 2 * RATE)
    assert len(groups(sound, sound * 10 ** (turns / 20))) == number


@pytest.mark.parametrize(("decibels", "number"), [(0, 1), (11, 1), (13, 2), (40, 2)])
def test_a_copy_more_than_twelve_decibels_quieter_is_bleed(decibels, number):
    sound = noise(1)
    assert len(groups(sound, sound * 10 ** (-decibels / 20))) == number
    assert len(groups(sound * 10 ** (-decibels / 20), sound)) == number
