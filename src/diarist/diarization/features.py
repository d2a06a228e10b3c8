"""Log-mel filterbank features as Kaldi defines them, which speaker embedding networks are trained on.

Equal to ``torchaudio.compliance.kaldi.fbank`` without dither (the tests hold the difference below 1e-3 of a log unit).
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

FRAME_SHIFT = 160  # samples: 10 ms
FRAME_LENGTH = 400  # samples: 25 ms
NUM_MEL_BINS = 80
_FFT = 512


def fbank(samples: Float, window: Literal["hamming", "povey"] = "hamming") -> Float:
    """Compute log-mel energies.

    Args:
        samples: ``(num_samples,)`` float32 in [-1, 1), 16 kHz.
        window: ``"hamming"`` for WeSpeaker, ``"povey"`` (Kaldi's own) for 3D-Speaker.

    Returns:
        ``(num_frames, 80)`` float32; frame ``t`` sees samples ``[160 t, 160 t + 400)``.
    """
    if len(samples) < FRAME_LENGTH:
        return np.zeros((0, NUM_MEL_BINS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_LENGTH)[::FRAME_SHIFT]
    # Kaldi reads 16-bit integers: the scale of the energies is that of int16 samples.
    frames = frames * np.float32(1 << 15)
    frames -= frames.mean(axis=1, keepdims=True)
    emphasised = np.empty_like(frames)
    np.multiply(frames[:, :-1], np.float32(-0.97), out=emphasised[:, 1:])
    emphasised[:, 1:] += frames[:, 1:]
    emphasised[:, 0] = frames[:, 0] * np.float32(1 - 0.97)
    emphasised *= _window(window)
    spectrum = np.fft.rfft(emphasised, _FFT, axis=1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return np.log(np.maximum(power @ _mel_weights(), np.finfo(np.float32).eps))


@cache
def _window(kind: str) -> Float:
    phase = 2 * np.pi * np.arange(FRAME_LENGTH) / (FRAME_LENGTH - 1)
    if kind == "hamming":
        return np.asarray(0.54 - 0.46 * np.cos(phase), np.float32)
    return np.asarray((0.5 - 0.5 * np.cos(phase)) ** 0.85, np.float32)


@cache
def _mel_weights() -> Float:
    """Triangles evenly spaced on the mel scale from 20 Hz to 8 kHz: ``(257, 80)``."""

    def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127 * np.log1p(hertz / 700)

    edges = np.linspace(float(mel(np.array(20.0))), float(mel(np.array(8000.0))), NUM_MEL_BINS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = mel(np.arange(_FFT // 2) * 16_000 / _FFT)[:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.vstack([np.maximum(triangles, 0), np.zeros(NUM_MEL_BINS)]), np.float32)
