"""What Parakeet hears: normalised log-mel spectra, as NVIDIA's models were trained on.

Written here, for both engines, rather than taken from onnx-asr or transformers: one implementation gives both engines
the same input, and it is 40 lines of numpy (onnx-asr's would bring its decoder, which drops token durations;
transformers' needs torch).

The constants are those of ``AudioToMelSpectrogramPreprocessor`` in the ``model_config.yaml`` of
nvidia/parakeet-tdt-0.6b-v2: 25 ms windows every 10 ms, 512-point FFT, Slaney mel bands over 0 to 8 kHz, pre-emphasis
0.97, natural logarithm guarded by 2**-24, each band normalised over the window to zero mean and unit deviation.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE

HOP: Final = 160
STRIDE_SECONDS: Final = HOP / SAMPLE_RATE
_FFT: Final = 512
_WINDOW: Final = 400
_PREEMPHASIS: Final = np.float32(0.97)
_LOG_GUARD: Final = np.float32(2.0**-24)
_DEVIATION_GUARD: Final = np.float32(1e-5)


def num_frames(num_samples: int) -> int:
    """Frames of features that a window of samples gives."""
    return num_samples // HOP


def features(samples: NDArray[np.float32], bands: int = 128) -> NDArray[np.float32]:
    """Log-mel features of one window.

    Args:
        samples: ``(num_samples,)`` float32 at 16 kHz, at least 160 of them.
        bands: number of mel bands.

    Returns:
        ``(bands, num_samples // 160)`` float32, normalised per band.
    """
    count = num_frames(len(samples))
    emphasised = np.empty(len(samples) + _FFT, np.float32)
    emphasised[: _FFT // 2] = emphasised[_FFT // 2 + len(samples) :] = 0
    emphasised[_FFT // 2] = samples[0]
    emphasised[_FFT // 2 + 1 : _FFT // 2 + len(samples)] = samples[1:] - _PREEMPHASIS * samples[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, _FFT)[::HOP][:count]
    spectra = scipy.fft.rfft(frames * _window(), axis=1)
    power = spectra.real**2 + spectra.imag**2
    logs = np.log(power @ mel_filters(bands).T + _LOG_GUARD).T
    centred = logs - logs.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / max(1, count - 1))
    return np.ascontiguousarray(centred / (deviation + _DEVIATION_GUARD), dtype=np.float32)


def batch(windows: list[NDArray[np.float32]], bands: int = 128) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features of several windows, padded with zeros to the longest.

    Returns:
        ``(num_windows, bands, num_frames)`` float32, and ``(num_windows,)`` int64 frames that count.
    """
    each = [features(window, bands) for window in windows]
    lengths = np.array([one.shape[1] for one in each], np.int64)
    padded = np.zeros((len(each), bands, int(lengths.max())), np.float32)
    for row, one in zip(padded, each, strict=True):
        row[:, : one.shape[1]] = one
    return padded, lengths


@functools.lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    """A symmetric Hann window of 25 ms in the middle of the FFT's length."""
    padded = np.zeros(_FFT, np.float32)
    edge = (_FFT - _WINDOW) // 2
    padded[edge : edge + _WINDOW] = np.hanning(_WINDOW)
    return padded


@functools.lru_cache(maxsize=4)
def mel_filters(bands: int) -> NDArray[np.float32]:
    """Slaney's mel filters with unit area: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998).

    Returns:
        ``(bands, 257)`` float32.
    """
    linear, corner, log_step = 200.0 / 3, 1000.0, np.log(6.4) / 27.0
    top = corner / linear + np.log(SAMPLE_RATE / 2 / corner) / log_step
    mels = np.linspace(0.0, top, bands + 2)
    edges = np.where(mels < corner / linear, linear * mels, corner * np.exp(log_step * (mels - corner / linear)))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, _FFT // 2 + 1)
    ramps = edges[:, None] - bins[None, :]
    widths = np.diff(edges)
    rising, falling = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
