"""The parts of the pitch tracker against slow and simple reckonings of the same."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lightning_modules.audio.pitch_candidates import MOST, Candidates, SearchRange, find_candidates
from lightning_modules.audio.pitch_noise import PublishedNoise
from lightning_modules.audio.pitch_path import PitchPath
from lightning_modules.audio.stationarity import compare_frames

SEARCH = SearchRange(50.0, 250.0)


def test_the_noise_is_that_of_the_published_generator():
    state, expected = 1, []

    def draw() -> float:
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**64
        return 2.0 * (state // 65536 % 32768 / 32767.0) - 1.0

    while len(expected) < 120000:
        x, y = draw(), draw()
        square = x * x + y * y
        if 0.0 < square <= 1.0:
            scale = math.sqrt(-2.0 * math.log(square) / square)
            expected += [x * scale, y * scale]
    noise = PublishedNoise()
    parts = np.concatenate([noise.draw(count) for count in (1, 0, 99, 70000, 49900)])
    np.testing.assert_allclose(parts, expected[: len(parts)], rtol=1e-12)
    assert abs(parts.mean()) < 0.01
    assert parts.std() == pytest.approx(1.0, abs=0.01)


def test_frames_are_compared_by_their_linear_predictors():
    """Against a Toeplitz solver, and residual energies measured by filtering with the other frame's predictor."""
    from scipy.linalg import solve_toeplitz, toeplitz

    rng = np.random.default_rng(3)
    windows = 1000.0 * rng.standard_normal((4, 480))
    windows[1:] = np.cumsum(windows[1:], axis=1)
    windows[3] = 2.0 * windows[2]
    steadiness, growth, statistics = compare_frames(windows, None)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(479) + 0.5) / 479)
    models = []
    for window in windows:
        x = hann * (window[1:] - 0.4 * window[:-1])
        r = np.array([x[: 479 - lag] @ x[lag:] for lag in range(19)])
        r = r / r[0] / np.concatenate([[1.0], np.full(18, 1.0 + 10**-1.5)])
        predictor = np.concatenate([[1.0], solve_toeplitz(r[:-1], -r[1:])])
        models.append((predictor, toeplitz(r)))
    assert (steadiness[0], growth[0]) == (0.02, 1.0)
    for t in (1, 2, 3):
        (before, correlation), (here, _) = models[t - 1], models[t]
        distance = (here @ correlation @ here) / (before @ correlation @ before)
        assert steadiness[t] == pytest.approx(0.2 / (distance - 0.8), rel=1e-6)
    assert steadiness[3] == pytest.approx(1.0, rel=1e-9), "the shape is the same, whatever the loudness"
    assert growth[3] == pytest.approx(2.0, rel=1e-5)
    later, rise, _ = compare_frames(windows[2:], _single(statistics, 1))
    np.testing.assert_allclose(later, steadiness[2:])
    np.testing.assert_allclose(rise, growth[2:])


def _single(statistics, index):
    place = slice(index, index + 1)
    return type(statistics)(statistics.correlation[place], statistics.residual[place], statistics.loudness[place])


def test_silent_frames_are_alike():
    steadiness, growth, _ = compare_frames(np.zeros((3, 480)), None)
    np.testing.assert_allclose(steadiness[1:], 1.0)
    assert np.isfinite(growth).all()


def test_candidates_are_peaks_of_the_correlation():
    """Height and place of the highest candidate of a tone of 100 samples, reckoned lag by lag."""
    rng = np.random.default_rng(0)
    t = np.arange(2000)
    signal = 3000.0 * sum(np.sin(2 * np.pi * k * t / 100.0) / k for k in range(1, 6)) + 50.0 * rng.standard_normal(2000)
    found = find_candidates(signal, 80, 4, SEARCH)
    assert found.lag.shape == found.height.shape == found.period.shape == (4, MOST)
    for frame in range(4):
        x = signal[80 + 256 * frame :]
        x = x - x[:120].mean()
        energy = [float(x[lag : lag + 120] @ x[lag : lag + 120]) for lag in range(321)]
        correlation = [
            float(x[:120] @ x[lag : lag + 120]) / math.sqrt(1e4 + energy[0] * energy[lag]) for lag in range(321)
        ]
        used = found.lag[frame] > 0
        assert (np.diff(found.lag[frame][used]) > 0).all()
        for lag, height in zip(found.lag[frame][used], found.height[frame][used], strict=True):
            assert height == pytest.approx(correlation[lag], rel=1e-9)
        best = int(np.argmax(correlation[64:])) + 64
        assert found.highest[frame] == pytest.approx(correlation[best], rel=1e-9)
        assert best in found.lag[frame]
        nearest = np.abs(found.period[frame][used] - 100.0).min()
        assert nearest < 0.3
    assert not find_candidates(np.zeros(2000), 80, 4, SEARCH).lag.any()


def test_the_path_is_the_cheapest_of_all():
    """Every path through five frames with two or three candidates and silence, reckoned one by one."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        lag = np.zeros((5, MOST), np.int16)
        height = np.zeros((5, MOST))
        for frame in range(5):
            count = int(rng.integers(2, 4))
            lag[frame, :count] = np.sort(rng.choice(np.arange(64, 320), count, replace=False))
            height[frame, :count] = rng.uniform(0.3, 0.9, count)
        highest = height.max(axis=1)
        steadiness, growth = rng.uniform(0.0, 0.2, 5), rng.uniform(0.5, 2.0, 5)

        def change(frame, a, b, steadiness=steadiness, growth=growth):
            if a and b:
                ratio = math.log(b / a)
                octave = min(abs(ratio + math.log(2)), abs(ratio - math.log(2)))
                return 0.02 * 62.5 * min(abs(ratio), 0.35 + octave)
            fixed = 0.005 + 0.5 * steadiness[frame]
            if b:
                return fixed + 0.5 / growth[frame]
            return fixed + 0.5 * growth[frame] if a else 0.0

        def local(frame, choice, lag=lag, height=height, highest=highest):
            if choice is None:
                return highest[frame]
            return 1.0 - height[frame, choice] * (1.0 - 0.3 / 320 * lag[frame, choice])

        choices = [[None, *np.flatnonzero(lag[frame])] for frame in range(5)]
        costs = {}
        for path in itertools.product(*choices):
            lags = [0 if choice is None else int(lag[frame, choice]) for frame, choice in enumerate(path)]
            cost = sum(local(frame, choice) for frame, choice in enumerate(path))
            costs[tuple(lags)] = cost + sum(change(t, lags[t - 1], lags[t]) for t in range(1, 5))
        expected = min(costs, key=costs.get)
        tracker = PitchPath(SEARCH, 7)
        for part in (slice(0, 2), slice(2, 5)):
            candidates = Candidates(lag[part], height[part], lag[part].astype(np.float32), highest[part])
            tracker.extend(candidates, steadiness[part], growth[part])
        assert tuple(tracker.finish()[:5]) == expected
        assert not tracker.finish()[5:].any()
