"""How sure a mean over clips is: percentile bootstrap intervals (Efron 1979), clips drawn with replacement.

Frames of a clip are not independent of each other, so clips are drawn, never frames. The draws depend on the seed and
the number of clips alone: every method and every metric is seen through the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.errors import MetricError
from lightning_modules.metrics.summed_metric import SummedMetric


class Interval(NamedTuple):
    """A mean and the interval about it."""

    value: float
    """Mean of the figures."""
    low: float | None
    """Lower end; None where one clip alone has a figure."""
    high: float | None
    """Upper end; None likewise."""
    clips: int
    """How many clips have a figure."""


def bootstrap_mean(
    figures: Sequence[float] | NDArray[np.floating], *, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """The mean of a figure over clips with its percentile interval.

    Args:
        figures: one a clip; those that are NaN (a clip that failed) are left out.
        level: share of the draws' means that lie within, between 0 and 1.
        draws: how often the clips are drawn anew.
        seed: of the draws.

    Raises:
        MetricError: no clip has a figure, or one is infinite.
        ValueError: the level or the number of draws is out of range.
    """
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"the level is between 0 and 1 and there are draws, got {level} and {draws}")
    values = np.asarray(figures, np.float64)
    if np.isinf(values).any():
        raise MetricError("a clip has an infinite figure", "leave it out, as NaN, or find out why")
    values = values[~np.isnan(values)]
    count = len(values)
    if not count:
        raise MetricError(f"none of {np.size(figures)} clips has a figure", "look at why the clips failed")
    if count == 1:
        return Interval(float(values[0]), None, None, 1)
    generator = np.random.default_rng((seed, count))
    means = values[generator.integers(0, count, (draws, count))].mean(1)
    low, high = np.quantile(means, (0.5 - level / 2, 0.5 + level / 2))
    # Summed exactly, so that the order of the clips leaves no trace.
    return Interval(math.fsum(values) / count, float(low), float(high), count)


def bootstrap_difference(
    first: Sequence[float] | NDArray[np.floating],
    second: Sequence[float] | NDArray[np.floating],
    *,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The mean of ``first - second`` over the clips that both have: an interval without 0 tells two methods apart.

    Args:
        first: figures of a method, one a clip, NaN where it failed.
        second: those of another, of the same clips in the same order.
        level: see :func:`bootstrap_mean`.
        draws: see :func:`bootstrap_mean`.
        seed: see :func:`bootstrap_mean`.

    Raises:
        MetricError: no clip has both figures, or one is infinite.
        ValueError: the numbers of clips differ, or an argument is out of range.
    """
    one, other = (np.asarray(figures, np.float64) for figures in (first, second))
    if one.shape != other.shape:
        raise ValueError(f"methods are compared on the same clips, got {one.shape} and {other.shape}")
    for figures in (one, other):
        if np.isinf(figures).any():
            raise MetricError("a clip has an infinite figure", "leave it out, as NaN, or find out why")
    return bootstrap_mean(one - other, level=level, draws=draws, seed=seed)


class ClipMean(SummedMetric):
    """Mean of a figure over the clips of a set with its bootstrap interval, whichever rank measured which clip.

    Args:
        clips: how many there are in the set.
        level: see :func:`bootstrap_mean`.
        draws: see :func:`bootstrap_mean`.
        seed: see :func:`bootstrap_mean`.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = None
    figures: Tensor
    times: Tensor

    def __init__(self, clips: int, *, level: float = 0.95, draws: int = 10_000, seed: int = 0, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.level, self.draws, self.seed = level, draws, seed
        self.add_sum("figures", clips)
        self.add_sum("times", clips)

    def update(self, number: int, figure: float | Tensor) -> None:
        """Add a clip.

        Args:
            number: of the clip in the set, from 0; one that comes twice, because ranks share clips unevenly, counts
                once.
            figure: NaN where it failed.
        """
        self.figures[number] += figure
        self.times[number] += 1

    def compute(self) -> dict[str, Tensor]:
        """Over the clips of all ranks, float64 scalars.

        Returns:
            ``"value"``, ``"low"``, ``"high"`` (NaN for one clip alone) and ``"clips"``, how many have a figure.

        Raises:
            MetricError: no clip has a figure, or one is infinite.
        """
        self.require(self.times.sum(), 1, "clips")
        each = self.figures / self.times  # NaN for a clip that never came
        found = bootstrap_mean(each.cpu().numpy(), level=self.level, draws=self.draws, seed=self.seed)
        numbers = [math.nan if value is None else float(value) for value in found]
        return dict(zip(Interval._fields, torch.tensor(numbers, dtype=torch.float64), strict=True))
