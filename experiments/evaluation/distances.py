"""Distances between whole sets of drawings, with intervals over clips by the jackknife.

A bootstrap would show the same clip twice and so make features that occur twice, which moves both distances; leaving
each clip out in turn does not (Efron and Tibshirani 1993, chapter 11).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.metrics.bootstrap import Interval
from lightning_modules.metrics.frechet_distance import FrechetDistance
from lightning_modules.metrics.kernel_distance import kernel_distance

Features = NDArray[np.float32]
Distance = Callable[[Features, Features], float]

_NORMAL: Final = 1.959964  # 95 % of a normal distribution
_LEAST: Final = 3


def frechet(real: Features, generated: Features) -> float:
    """Fréchet distance of features (M, D) and (N, D)."""
    metric = FrechetDistance(real.shape[1])
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(generated), real=False)
    return float(metric.compute())


def kernel(real: Features, generated: Features) -> float:
    """Kernel distance of features (M, D) and (N, D), in thousandths."""
    return 1000 * float(kernel_distance(torch.from_numpy(real), torch.from_numpy(generated)).value)


def distance_over_clips(
    distance: Distance,
    real: Sequence[Features] | Features,
    generated: Sequence[Features],
    *,
    least: float = -math.inf,
) -> Interval | None:
    """A distance and its 95 % interval.

    Args:
        distance: of two sets of features.
        real: features of each clip as it should be, in the order of ``generated``; or those of other drawings, which
            stay when a clip is left out.
        generated: features of each clip.
        least: what the distance cannot be below.

    Returns:
        None where there are fewer than three drawings on a side; no interval for one clip alone.
    """
    fixed = real if isinstance(real, np.ndarray) else None

    def of(clips: Sequence[int]) -> float | None:
        one = fixed if fixed is not None else np.concatenate([real[clip] for clip in clips])
        other = np.concatenate([generated[clip] for clip in clips])
        return distance(one, other) if min(len(one), len(other)) >= _LEAST else None

    everything = list(range(len(generated)))
    value = of(everything) if everything else None
    if value is None:
        return None
    count = len(everything)
    without = [of([clip for clip in everything if clip != left_out]) for left_out in everything] if count > 1 else []
    known = [one for one in without if one is not None]
    if len(known) < count or count < 2:
        return Interval(value, None, None, count)
    spread = (count - 1) / count * sum((one - sum(known) / count) ** 2 for one in known)
    reach = _NORMAL * math.sqrt(spread)
    return Interval(value, max(value - reach, least), value + reach, count)
