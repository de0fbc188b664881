"""The published loudness step: 16-bit arithmetic that was worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio.loudness import normalize_loudness, to_int16


def steps(values) -> np.ndarray:
    """Integer samples in, integer samples out."""
    given = (np.array(values) / 32768.0).astype(np.float32)
    kept = given.copy()
    result = normalize_loudness(given)
    np.testing.assert_array_equal(given, kept)
    assert result.dtype == np.float32
    scaled = result.astype(np.float64) * 32768.0
    np.testing.assert_array_equal(scaled, np.round(scaled))
    return scaled.astype(int)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # rms √(5·10⁵) = 707.1 -> 707; gain 3276.8/707 = 4.634795: 4634.79, rounded downwards
        ([1000, 0, -1000, 0], [4634, 0, -4635, 0]),
        # rms 10; gain 327.68: 3276.8
        ([10, -10, 10, -10], [3276, -3277, 3276, -3277]),
        # rms 20000/√2 = 14142.1 -> 14142; gain 0.231707: 4634.14
        ([20000, -20000, 0, 0], [4634, -4635, 0, 0]),
        # rms √(10⁶/100) = 100; gain 32.768: 1000 -> 32768 is clipped to 32767, -1000 -> -32768
        ([1000] + [0] * 99, [32767] + [0] * 99),
        ([-1000] + [0] * 99, [-32768] + [0] * 99),
        # rms of one sample of 1 among four is 0.5 -> 0: silence keeps its level
        ([1, 0, 0, 0], [1, 0, 0, 0]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_by_hand(given, expected):
    assert steps(given).tolist() == expected


def test_the_level_reached():
    """But for rounding the root mean square down: here 231.7 to 231, which is 0.027 dB."""
    tone = (0.01 * np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)).astype(np.float32)
    level = 20 * np.log10(np.sqrt(np.mean(normalize_loudness(tone).astype(np.float64) ** 2)))
    assert level == pytest.approx(-20.0, abs=0.03)
    level = 20 * np.log10(np.sqrt(np.mean(normalize_loudness(tone, -30.0).astype(np.float64) ** 2)))
    assert level == pytest.approx(-30.0, abs=0.03)


def test_blocks_are_one_recording(monkeypatch):
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.standard_normal(1000)).astype(np.float32)
    whole = normalize_loudness(sound)
    monkeypatch.setattr("lightning_modules.audio.loudness._BLOCK", 64)
    np.testing.assert_array_equal(normalize_loudness(sound), whole)


def test_rounding_to_16_bits():
    given = np.array([-1.0, 1.0, 0.5, 1.49 / 32768, 2.5 / 32768, -3.5 / 32768])
    assert to_int16(given).tolist() == [-32768, 32767, 16384, 1, 2, -4]
    every = np.arange(-32768, 32768, dtype=np.int16)
    np.testing.assert_array_equal(to_int16((every / 32768.0).astype(np.float32)), every)


@pytest.mark.parametrize("bad", [np.array([0.0, np.nan]), np.array([np.inf, 0.0]), np.zeros((2, 4))])
def test_what_is_no_recording(bad):
    with pytest.raises(ValueError, match="speech"):
        normalize_loudness(bad)
