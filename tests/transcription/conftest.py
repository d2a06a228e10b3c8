"""Real speech, and sounds that are none."""

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.weights.fetch import ensure


@pytest.fixture(scope="session")
def call():
    """A telephone call of 30 s between two people."""
    return decode(ensure("sample-telephone") / "sample.wav")


@pytest.fixture(scope="session")
def reading():
    """44 s of one reader: the opening of A Tale of Two Cities."""
    return decode(ensure("sample-reader") / "two_cities.wav")


def sixteen_bit(samples):
    return Audio((np.clip(np.round(samples * 32767), -32768, 32767) / 32768).astype(np.float32))


def sounds():
    """Name and 20 s of everything that is not speech."""
    rng = np.random.default_rng(7)
    time = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    chords = sum(
        np.sin(2 * np.pi * tone * np.where(time % 4 < 2, 1, 1.335) * time) / (1 + k)
        for k, tone in enumerate((261.6, 329.6, 392.0, 523.2, 784.0))
    ) * (0.2 * np.exp(-(time % 0.5) * 3))
    return {
        "digital silence": sixteen_bit(time * 0),
        "a quiet room": sixteen_bit(rng.normal(0, 0.0008, len(time))),
        "white noise": sixteen_bit(rng.normal(0, 0.2, len(time))),
        "mains hum": sixteen_bit(0.2 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 150 * time)),
        "a tone": sixteen_bit(0.5 * np.sin(2 * np.pi * 440 * time)),
        "a dial tone": sixteen_bit(0.2 * np.sin(2 * np.pi * 350 * time) + 0.2 * np.sin(2 * np.pi * 440 * time)),
        "chords": sixteen_bit(chords),
        "a sweep": sixteen_bit(0.4 * np.sin(2 * np.pi * (50 + 180 * time) * time)),
        "clicks": sixteen_bit((np.arange(len(time)) % 8000 < 40) * 0.8),
        "engine rumble": sixteen_bit(np.cumsum(rng.normal(0, 0.01, len(time))) % 0.4 - 0.2),
    }
