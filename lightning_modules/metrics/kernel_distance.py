"""Kernel distance between two sets of drawings in a feature space; with Inception's features it is the KID.

The unbiased squared maximum mean discrepancy under ``k(x, y) = (x·y / D + 1)³`` (Bińkowski et al. 2018). It has no
bias at any N, unlike the Fréchet distance, and may come out slightly negative. The usual KID averages it over random
subsets; here it is taken over *all* pairs at once, which is what that average tends to, needs no random numbers, and
does not depend on the order of images or on the number of ranks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.metrics.summed_metric import SummedMetric

_ROWS = 1024  # kernel values are made for this many images at a time


class KernelDistanceResult(NamedTuple):
    """What :func:`kernel_distance` gives."""

    value: Tensor
    """Squared maximum mean discrepancy, float64 scalar; 0 for one distribution, lower is better."""
    standard_error: Tensor
    """Its standard error by the jackknife over images, float64 scalar, at least 0."""


def _row_sums(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the kernel over each image of the first set (M,), and over each of the second (N,)."""
    over_second, over_first = [], second.new_zeros(len(second))
    for start in range(0, len(first), _ROWS):
        block = first[start : start + _ROWS]
        kernel = (block @ second.mT / first.shape[1] + 1) ** 3
        over_second.append(kernel.sum(1))
        over_first += kernel.sum(0)
    return torch.cat(over_second), over_first


def _self_sums(features: Tensor) -> Tensor:
    """Sum of the kernel of each image with all others (N,)."""
    itself = (features.square().sum(1) / features.shape[1] + 1) ** 3
    return _row_sums(features, features)[0] - itself


def _spread(estimates: Tensor) -> Tensor:
    count = len(estimates)
    return (estimates - estimates.mean()).square().sum() * (count - 1) / count


def kernel_distance(real: Tensor, generated: Tensor) -> KernelDistanceResult:
    """Unbiased squared maximum mean discrepancy with the cubic kernel; see the module's docstring.

    Args:
        real: (M, D) features, M at least 3.
        generated: (N, D) features, N at least 3.

    Returns:
        The distance and its standard error. Frames of one clip are not independent; the standard error takes them to
        be, and is too small there.

    Raises:
        ValueError: another shape, or fewer than three.
    """
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise ValueError(f"features are (M, D) and (N, D), got {tuple(real.shape)} and {tuple(generated.shape)}")
    if min(len(real), len(generated)) < 3:
        raise ValueError(f"three features of each kind are needed, got {len(real)} and {len(generated)}")
    x, y = real.double(), generated.double()
    m, n = len(x), len(y)
    xx, yy = _self_sums(x), _self_sums(y)
    xy, yx = _row_sums(x, y)
    within_x, within_y, between = xx.sum(), yy.sum(), xy.sum()
    value = within_x / (m * (m - 1)) + within_y / (n * (n - 1)) - 2 * between / (m * n)
    # The same value with each image left out in turn, from the row sums.
    without_x = (within_x - 2 * xx) / ((m - 1) * (m - 2)) - 2 * (between - xy) / ((m - 1) * n)
    without_y = (within_y - 2 * yy) / ((n - 1) * (n - 2)) - 2 * (between - yx) / (m * (n - 1))
    return KernelDistanceResult(value, (_spread(without_x) + _spread(without_y)).sqrt())


class KernelDistance(SummedMetric):
    """Kernel distance of real and generated drawings, fed with their features.

    The one measure here whose state grows: the kernel needs all pairs, so the features themselves are kept (8 kB an
    image at 2048 features) and gathered from the ranks.

    Args:
        num_features: D.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False
    real_features: list[Tensor]
    generated_features: list[Tensor]

    def __init__(self, num_features: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_features = num_features
        self.add_state("real_features", [], dist_reduce_fx="cat")
        self.add_state("generated_features", [], dist_reduce_fx="cat")

    def update(self, features: Tensor, *, real: bool) -> None:
        """Add drawings.

        Args:
            features: (B, D), floating point of any precision.
            real: whether they are of real drawings, or of generated ones.

        Raises:
            ValueError: another shape.
        """
        if features.ndim != 2 or features.shape[1] != self.num_features or not features.is_floating_point():
            raise ValueError(f"features are floating point (B, {self.num_features}), got {tuple(features.shape)}")
        (self.real_features if real else self.generated_features).append(features.detach().float())

    def compute(self) -> dict[str, Tensor]:
        """Distance and standard error over everything that was added, on all ranks.

        Returns:
            ``"value"``: float64 scalar, 0 for one distribution, slightly negative by chance, lower is better;
            ``"standard_error"``: float64 scalar, at least 0.

        Raises:
            MetricError: fewer than three real or three generated drawings.
        """
        real, generated = self._joined(self.real_features), self._joined(self.generated_features)
        self.require(torch.tensor(len(real)), 3, "real drawings")
        self.require(torch.tensor(len(generated)), 3, "generated drawings")
        return kernel_distance(real, generated)._asdict()

    def _joined(self, features: list[Tensor] | Tensor) -> Tensor:
        if isinstance(features, Tensor):  # already joined over the ranks
            return features
        return torch.cat(features) if features else torch.zeros(0, self.num_features, device=self.device)

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        """Gather; a rank without data must bring an empty matrix, or the ranks would not agree on its axes."""
        self.real_features = [self._joined(self.real_features)]
        self.generated_features = [self._joined(self.generated_features)]
        super()._sync_dist(*args, **kwargs)
