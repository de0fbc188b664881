"""The published front end: golden values, an independent reference, and memory that does not grow."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from lightning_modules.audio.conditioning import condition
from lightning_modules.audio.log_mel import log_mel, mel_basis


def whole_recording_at_once(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same recipe with library functions on the whole signal: conditioned signal and log-mel."""
    import librosa
    from scipy.signal import butter, filtfilt, get_window

    x = samples.astype(np.float64)
    if len(x) % 256 == 0:
        x = np.append(x, 1e-6)
    b, a = butter(5, 30.0 / 8000.0, btype="highpass")
    conditioned = 0.95 * filtfilt(b, a, x) + (np.random.RandomState(0).rand(len(x)) - 0.5) * 1e-6
    padded = np.pad(conditioned, 512, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::256]
    magnitude = np.abs(np.fft.rfft(frames * get_window("hann", 1024, fftbins=True)))
    basis = librosa.filters.mel(sr=16000, n_fft=1024, fmin=90, fmax=7600, n_mels=80, dtype=np.float64)
    return conditioned, (20 * np.log10(np.maximum(1e-5, magnitude @ basis.T)) - 16 + 100) / 100


def test_golden_values():
    n = np.arange(24000)
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.5 * n / 16000)) / 16000
    x = sum(np.sin(k * phase) / k for k in range(1, 11))
    x = 0.3 * x / np.abs(x).max()
    x[16000:20000] = 0
    mel = log_mel(x)
    assert mel.shape == (94, 80)
    assert mel.dtype == np.float32
    statistics = [mel.mean(dtype=np.float64), mel.std(dtype=np.float64), mel.min(), mel.max()]
    np.testing.assert_allclose(statistics, [0.198179, 0.385907, -0.16, 0.894480], atol=1e-6)
    np.testing.assert_allclose(mel[30, [0, 10, 20, 40, 79]], [0.868457, 0.619893, 0.490324, -0.16, -0.16], atol=1e-6)


def test_the_mel_basis():
    import librosa

    basis = mel_basis()
    assert basis.sum() == pytest.approx(5.120939, abs=1e-6)
    assert np.flatnonzero(basis[:, 0]).tolist() == [6, 7, 8, 9, 10]
    expected = librosa.filters.mel(sr=16000, n_fft=1024, fmin=90, fmax=7600, n_mels=80, dtype=np.float64)
    np.testing.assert_allclose(basis, expected.T, atol=1e-12)


@pytest.mark.parametrize("count", [513, 514, 768, 1000, 16000, 16128, 255999, 256000, 256001, 271999, 272018, 600001])
def test_blocks_give_what_the_whole_gives(count):
    rng = np.random.default_rng(count)
    samples = (0.1 * rng.standard_normal(count) + 0.05).astype(np.float32)
    before = samples.copy()
    conditioned, expected = whole_recording_at_once(samples)
    np.testing.assert_allclose(np.concatenate(list(condition(samples))), conditioned, atol=1e-6)
    mel = log_mel(samples)
    assert mel.shape == (count // 256 + 1, 80) == expected.shape
    np.testing.assert_allclose(mel, expected, atol=1e-6)
    np.testing.assert_array_equal(samples, before)


def test_a_quiet_place_keeps_its_dither():
    """The dither alone, 120 dB down, lies under the floor: digital silence is the floor everywhere."""
    np.testing.assert_array_equal(log_mel(np.zeros(16000)), np.float32(-0.16))


@pytest.mark.parametrize("samples", [np.zeros(512), np.zeros((2, 1000))])
def test_too_short_or_not_one_row(samples):
    with pytest.raises(ValueError, match="513"):
        log_mel(samples)


def test_memory_does_not_grow_with_the_length():
    import scipy.signal  # noqa: F401  its own memory is not what is measured

    def above_result(seconds: int) -> int:
        samples = np.random.default_rng(0).standard_normal(seconds * 16000, dtype=np.float32)
        tracemalloc.start()
        result = log_mel(samples)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - result.nbytes

    short, long = above_result(40), above_result(240)
    assert long < 40e6
    assert long < 1.1 * short
