"""Bootstrap intervals against scipy, against what theory says, and over clips that failed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from lightning_modules.errors import MetricError
from lightning_modules.metrics.bootstrap import ClipMean, bootstrap_difference, bootstrap_mean


@pytest.fixture
def figures():
    return np.random.default_rng(0).gamma(2.0, 1.5, 24)


def test_against_scipy(figures):
    """Other draws of the same distribution: the ends agree within the noise of 20,000 draws."""
    expected = scipy.stats.bootstrap(
        (figures,), np.mean, n_resamples=20_000, method="percentile", random_state=np.random.default_rng(5)
    ).confidence_interval
    found = bootstrap_mean(figures, draws=20_000)
    width = expected.high - expected.low
    assert found.value == pytest.approx(figures.mean(), rel=1e-14)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02 * width)
    assert width > 0.5


def test_two_clips_by_hand():
    """Means of two draws of {0, 1} are 0, 1/2 and 1 with shares 1/4, 1/2 and 1/4."""
    assert bootstrap_mean([0.0, 1.0]) == (0.5, 0.0, 1.0, 2)
    assert bootstrap_mean([0.0, 1.0], level=0.4)[:3] == (0.5, 0.5, 0.5)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        found = bootstrap_mean(generator.normal(3.0, 1.0, 40), level=0.8, draws=400)
        held += found.low <= 3.0 <= found.high
    assert held / 300 == pytest.approx(0.8, abs=0.08)


def test_a_seed_gives_the_same_draws_for_every_figure(figures):
    assert bootstrap_mean(figures) == bootstrap_mean(figures)
    assert bootstrap_mean(figures, seed=1)[1:3] != bootstrap_mean(figures)[1:3]
    # Seen through the same draws, a figure that is twice another has an interval that is twice the other's.
    one, two = bootstrap_mean(figures), bootstrap_mean(2 * figures)
    assert (two.low, two.high) == pytest.approx((2 * one.low, 2 * one.high), rel=1e-12)


def test_a_pair_is_told_apart_where_the_intervals_overlap(figures):
    other = figures + np.random.default_rng(2).normal(0.1, 0.05, len(figures))
    one, two = bootstrap_mean(figures), bootstrap_mean(other)
    assert two.low < one.high
    difference = bootstrap_difference(other, figures)
    assert difference.value == pytest.approx((other - figures).mean(), rel=1e-12)
    assert 0 < difference.low < difference.value < difference.high


def test_clips_that_failed_are_left_out(figures):
    holes = np.insert(figures, [3, 9], np.nan)
    assert bootstrap_mean(holes) == bootstrap_mean(figures)
    assert bootstrap_mean(holes).clips == 24
    one, other = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0.5, 1.0, np.nan, 3.0])
    found = bootstrap_difference(one, other)
    assert (found.value, found.clips) == (0.75, 2)


def test_one_clip_has_no_interval():
    assert bootstrap_mean([math.nan, 2.5]) == (2.5, None, None, 1)


def test_what_cannot_be_said():
    for figures in ([], [math.nan, math.nan]):
        with pytest.raises(MetricError, match="clips has a figure"):
            bootstrap_mean(figures)
    with pytest.raises(MetricError, match="infinite"):
        bootstrap_mean([1.0, math.inf])
    with pytest.raises(MetricError, match="infinite"):
        bootstrap_difference([math.inf, 1.0], [math.inf, 0.0])
    with pytest.raises(ValueError, match="same clips"):
        bootstrap_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="level"):
        bootstrap_mean([1.0, 2.0], level=1.0)
    with pytest.raises(MetricError, match="0 clips"):
        ClipMean(3).compute()


def test_the_class_does_not_mind_order_or_repetition(figures):
    metric = ClipMean(26, draws=500)  # two of 26 clips never come
    for number in [*reversed(range(24)), 3, 7]:
        metric.update(number, figures[number])
    found = {name: float(value) for name, value in metric.compute().items()}
    assert tuple(found.values()) == pytest.approx(tuple(bootstrap_mean(figures, draws=500)))
    metric.reset()
    metric.update(0, 2.0)
    assert math.isnan(float(metric.compute()["low"]))
