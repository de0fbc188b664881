"""The high-pass before spectra and pitch, against SciPy's filters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, lfilter, lfilter_zi, sosfilt, sosfilt_zi, sosfiltfilt

from lightning_modules.audio import conditioning
from lightning_modules.audio.conditioning import condition, high_passed


def noise(count: int, seed: int = 0) -> np.ndarray:
    return 0.3 * np.random.default_rng(seed).standard_normal(count) + 0.1


@pytest.mark.parametrize("count", [1, 2, 513, 16000, 50000])
def test_the_high_pass_is_the_butterworth_filter_at_rest_on_the_first_value(count):
    sections = butter(5, 30 / 8000, btype="highpass", output="sos")
    signal = noise(count)
    expected, _ = sosfilt(sections, signal, zi=sosfilt_zi(sections) * signal[0])
    assert np.abs(high_passed(signal) - expected).max() < 1e-12


def test_the_published_recursion_differs_by_its_rounding_errors():
    numerator, denominator = butter(5, 30 / 8000, btype="highpass")
    signal = noise(50000)
    published, _ = lfilter(numerator, denominator, signal, zi=lfilter_zi(numerator, denominator) * signal[0])
    assert 1e-9 < np.abs(high_passed(signal) - published).max() < 1e-6


def test_a_constant_does_not_pass():
    assert np.abs(high_passed(np.full(4000, 0.7))).max() < 1e-14


@pytest.mark.parametrize("count", [513, 40001, 60 * 256])
@pytest.mark.parametrize("block", [16384, conditioning._BLOCK])
def test_forward_and_backward_in_blocks_is_the_whole_at_once(count, block, monkeypatch):
    monkeypatch.setattr(conditioning, "_BLOCK", block)
    signal = noise(count, seed=1)
    whole = np.append(signal, 1e-6) if count % 256 == 0 else signal
    passed = sosfiltfilt(butter(5, 30 / 8000, btype="highpass", output="sos"), whole, padlen=18)
    dither = (np.random.RandomState(0).rand(len(whole)) - 0.5) * 1e-6
    found = np.concatenate(list(condition(signal)))
    assert np.abs(found - (0.95 * passed + dither)).max() < 1e-11
