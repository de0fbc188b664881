from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import savgol_filter

from lightning_modules.geometry.smoothing import resample_track, smooth_track, smoothing_matrix
from lightning_modules.pipeline.frame_rate import frame_count


def walk(frames, seed=0):
    """A noisy track (frames, 68, 3), float64."""
    return np.random.default_rng(seed).normal(0, 1, (frames, 68, 3)).cumsum(axis=0)


@pytest.mark.parametrize(("window", "order"), [(5, 3), (15, 3), (31, 3), (7, 2), (9, 1), (3, 0)])
@pytest.mark.parametrize("frames", [31, 32, 200])
def test_equals_scipy_with_polynomial_edges(window, order, frames):
    track = walk(frames)
    smoothed = smooth_track(track, window, order)
    assert np.abs(smoothed - savgol_filter(track, window, order, axis=0, mode="interp")).max() < 1e-9
    assert np.abs(smoothed - track).max() > 0.1


def test_kernel_by_hand():
    assert np.allclose(smoothing_matrix(5, 2)[2] * 35, [-3, 12, 17, 12, -3])
    assert np.allclose(smoothing_matrix(3, 0), 1 / 3)


def test_polynomials_pass_and_noise_shrinks():
    times = np.linspace(-1, 1, 60)[:, None, None]
    cubic = (3 * times**3 - times + 2) * np.ones((1, 68, 3))
    assert np.abs(smooth_track(cubic, 15, 3) - cubic).max() < 1e-12
    noise = np.random.default_rng(1).normal(0, 1, (500, 68, 3))
    assert smooth_track(noise, 31, 3).std() < 0.35
    assert np.abs(smooth_track(cubic**3, 15, 3) - cubic**3).max() > 1e-4


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_tracks_too_short_to_fit_come_back_unchanged(frames):
    track = walk(frames)
    smoothed = smooth_track(track, 15, 3)
    assert np.array_equal(smoothed, track)
    assert smoothed is not track


@pytest.mark.parametrize(("frames", "fitting"), [(5, 5), (8, 7), (14, 13)])
def test_short_tracks_use_the_longest_window_that_fits(frames, fitting):
    track = walk(frames)
    expected = savgol_filter(track, fitting, 3, axis=0, mode="interp")
    assert np.abs(smooth_track(track, 31, 3) - expected).max() < 1e-9


def test_mirrored_time_and_type():
    track = walk(40).astype(np.float32)
    smoothed = smooth_track(track, 7, 3)
    assert smoothed.dtype == np.float32
    assert smoothed.shape == track.shape
    assert np.allclose(smooth_track(track[::-1], 7, 3)[::-1], smoothed, atol=1e-5)


@pytest.mark.parametrize(("window", "order"), [(4, 2), (5, 5), (0, 0), (5, -1)])
def test_impossible_windows_are_refused(window, order):
    with pytest.raises(ValueError, match="window"):
        smooth_track(walk(50), window, order)


@pytest.mark.parametrize("fps", [24, 25, 30000 / 1001, 30, 50, 60, 62.5])
@pytest.mark.parametrize("frames", [1, 7, 625, 3000])
def test_frame_counts_are_exact(fps, frames):
    track = np.arange(frames, dtype=np.float64)[:, None, None]
    resampled = resample_track(track, 62.5, fps)
    assert len(resampled) == frame_count(frames / 62.5, fps) == max(1, math.floor(frames / 62.5 * fps + 0.5))
    assert len(resample_track(track, 62.5, fps, 123)) == 123


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_values_are_read_at_their_time(method):
    line = np.arange(100.0)[:, None, None] * np.ones((1, 68, 3))
    resampled = resample_track(line, 62.5, 25, method=method)
    assert np.allclose(resampled[:, 0, 0], np.arange(40) * 2.5, atol=1e-12)
    longer = resample_track(line, 25, 50, 210, method=method)
    assert np.allclose(longer[:199, 0, 0], np.arange(199) / 2, atol=1e-12)
    assert (longer[199:] == 99).all()  # beyond the last frame the last value is held


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_the_same_rate_changes_no_bit(method):
    track = walk(37).astype(np.float32)
    assert np.array_equal(resample_track(track, 29.97, 29.97, method=method), track)
    assert np.array_equal(resample_track(track, 25, 75, method=method)[::3], track)


def test_cubic_is_exact_on_parabolas_where_linear_is_not():
    times = np.arange(50.0)[:, None, None]
    parabola = 0.3 * times**2 - times + 4
    wanted = np.arange(200) / 4
    inner = (wanted >= 1) & (wanted <= 48)
    expected = 0.3 * wanted**2 - wanted + 4
    cubic = resample_track(parabola, 25, 100, method="cubic")[:, 0, 0]
    assert np.abs(cubic - expected)[inner].max() < 1e-9
    linear = resample_track(parabola, 25, 100)[:, 0, 0]
    assert np.abs(linear - expected)[inner].max() > 0.05


def test_single_frames_and_bad_requests():
    track = walk(1)
    for method in ("linear", "cubic"):
        assert np.array_equal(resample_track(track, 25, 25, 4, method=method), np.repeat(track, 4, axis=0))
    assert len(resample_track(walk(2), 25, 60, method="cubic")) == 5
    for bad in ({"fps_in": 0, "fps_out": 25}, {"fps_in": 25, "fps_out": 25, "frames": 0}):
        with pytest.raises(ValueError, match="resample"):
            resample_track(track, **bad)
    with pytest.raises(ValueError, match="method"):
        resample_track(track, 25, 25, method="nearest")
    with pytest.raises(ValueError, match="frame"):
        smooth_track(walk(1)[:0], 5, 3)
