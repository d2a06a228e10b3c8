"""A clip that makes every engine do all of its work, before the first job and after a failure."""

from __future__ import annotations

from typing import Final

from diarist.audio.audio import SAMPLE_RATE, Audio

SECONDS: Final = 1.2
_PITCH: Final = 120.0
_VOWELS: Final = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410))  # ah, ee, aw
_VOWELS_PER_SECOND: Final = 4


def voice_like() -> Audio:
    """Make a second of sound that passes for a voice: vowels on a gliding pitch.

    Noise would not do: the detector of voice hears none in it, and neither Whisper's nor Parakeet's networks nor those
    that tell speakers apart would be run.
    """
    import numpy as np

    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = _PITCH * (1 + 0.08 * np.sin(2 * np.pi * 1.3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = np.array(_VOWELS, float)[(time * _VOWELS_PER_SECOND).astype(int) % len(_VOWELS)]
    sound = np.zeros_like(time)
    for harmonic in range(1, 30):
        far = (harmonic * pitch[:, None] - formants) / (90, 130, 170)
        loudness = (np.exp(-(far**2)) / (1, 2, 3)).sum(axis=1)
        sound += loudness * np.sin(harmonic * phase) / harmonic**0.3
    sound *= np.clip(1.5 * np.sin(2 * np.pi * _VOWELS_PER_SECOND * time) + 0.5, 0, 1)
    sound *= 0.3 / np.abs(sound).max()
    sound += np.random.default_rng(0).normal(0, 0.001, len(time))
    return Audio((np.round(sound * 32768) / 32768).astype(np.float32))
