"""Measures of mouths that follow speech, on tracks whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.metrics.speech_motion import (
    best_lag,
    closures_reached,
    lip_error,
    mouth_opening,
    opening_correlation,
)

GAP = float(mouth_opening(frontal_face()[None])[0])  # of the closed lips


def talking(opening: np.ndarray) -> np.ndarray:
    """A face whose lower lip is ``opening`` below its closed place."""
    track = np.repeat(frontal_face()[None], len(opening), axis=0)
    track[:, [55, 56, 57, 58, 59, 65, 66, 67], 1] += (opening - GAP)[:, None]
    return track


def test_the_opening_is_the_mean_gap():
    np.testing.assert_allclose(mouth_opening(talking(np.array([0.0, 0.1, -0.05]))), [0.0, 0.1, -0.05], atol=1e-12)


def test_the_error_of_the_lips_is_in_percent_of_the_eye_distance():
    one, other = talking(np.zeros(4)), talking(np.full(4, 0.1))
    assert lip_error(one, other) == pytest.approx(100 * 0.1 * 8 / 20)
    moved = one + np.array([0.03, 0.04, 9.0])  # depth does not count, place does
    moved[:, :48] += 1
    assert lip_error(moved, one) == pytest.approx(5.0)
    with pytest.raises(ValueError, match="4 and 3"):
        lip_error(one, other[:3])


def test_a_closure_is_reached_in_one_frame_at_least():
    opening = np.full(100, 0.1)
    opening[[20, 41]] = 0.009
    opening[60] = 0.011
    closures = [(0.30, 0.36), (0.50, 0.55), (0.95, 0.97), (0.66, 0.67), (1.7, 1.8)]
    # Frames 19 to 22: yes; 32 to 34: no; 60: nearly; 41.25 to 41.9 lies between frames, 42 is nearest: no; 106: beyond.
    assert closures_reached(talking(opening), closures, 62.5) == (1, 4)
    opening[42] = 0.0
    assert closures_reached(talking(opening), closures, 62.5) == (2, 4)
    assert closures_reached(talking(opening), (), 62.5) == (0, 0)


@pytest.mark.parametrize("late", [-7, 0, 3])
def test_the_lag_is_found_and_its_sign_says_late(late):
    random = np.random.default_rng(0)
    steps = np.convolve(random.standard_normal(900), np.hanning(25), mode="same")
    truth = talking(0.1 + 0.02 * steps[100:600])
    shifted = talking(0.05 + 0.03 * steps[100 - round(late * 2.5) : 600 - round(late * 2.5)])
    assert best_lag(shifted, truth, 62.5) == late


def test_correlation_does_not_see_size_and_place():
    opening = 0.1 + 0.05 * np.sin(np.arange(200) / 7)
    assert opening_correlation(talking(0.4 * opening + 0.2), talking(opening)) == pytest.approx(1.0)
    assert opening_correlation(talking(-opening), talking(opening)) == pytest.approx(-1.0)
    assert opening_correlation(talking(np.full(200, 0.1)), talking(opening)) is None
    assert best_lag(talking(np.full(200, 0.1)), talking(opening), 62.5) is None
    assert best_lag(talking(opening[:50]), talking(opening[:50]), 62.5) is None
