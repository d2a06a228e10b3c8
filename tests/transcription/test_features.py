"""What Parakeet hears."""

import numpy as np
import pytest

from diarist.transcription.features import batch, features, mel_filters


def tone(frequency, seconds=2.0):
    time = np.arange(int(16_000 * seconds)) / 16_000
    quiet = np.random.default_rng(0).normal(0, 1e-3, len(time))
    return (0.5 * np.sin(2 * np.pi * frequency * time) * (time > seconds / 2) + quiet).astype(np.float32)


def test_each_band_has_zero_mean_and_unit_deviation():
    found = features(tone(1000))
    assert found.shape == (128, 200)
    assert found.dtype == np.float32
    assert np.allclose(found.mean(1), 0, atol=1e-4)
    assert np.allclose(found.std(1, ddof=1), 1, atol=1e-3)


@pytest.mark.parametrize("frequency", [500, 1000, 3000, 6000])
def test_a_tone_lights_the_band_it_lies_in(frequency):
    found = features(tone(frequency))
    lit = found[:, 110:190].mean(1) - found[:, 10:90].mean(1)
    centres = mel_filters(128).argmax(1) * 8000 / 256
    assert abs(centres[lit.argmax()] - frequency) < 0.06 * frequency + 32


def test_filters_are_slaney_s_of_equal_area():
    filters = mel_filters(128)
    assert filters.shape == (128, 257)
    assert np.allclose(filters[64:].sum(1) * 8000 / 256, 1, atol=0.15)


def test_a_batch_is_each_window_padded_with_zeros():
    windows = [tone(500, 1.0), tone(500, 0.6)]
    padded, lengths = batch(windows)
    assert lengths.tolist() == [100, 60]
    assert np.array_equal(padded[1, :, :60], features(windows[1]))
    assert not padded[1, :, 60:].any()
