"""Fréchet distance between two sets of drawings in a feature space; with Inception's features it is the FID.

``d² = |mu_1 - mu_2|² + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`` with means and unbiased covariances of the features
(Heusel et al. 2017). The estimate is biased upwards by about c / N: compare only numbers of one N (1,451 images of
*one* distribution are some 35 apart in 2048 dimensions), and print N beside it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from lightning_modules.metrics.summed_metric import SummedMetric


def _root(matrix: Tensor) -> Tensor:
    """Symmetric square root of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.mT
    return root


def frechet_distance(mean_1: Tensor, covariance_1: Tensor, mean_2: Tensor, covariance_2: Tensor) -> Tensor:
    """Squared Fréchet distance of two normal distributions; see the module's formula.

    The trace of the root is taken from the symmetric ``S_1^(1/2) S_2 S_1^(1/2)``, which has the same eigenvalues as
    ``S_1 S_2``: no complex numbers, and singular covariances (fewer images than features) do no harm.

    Args:
        mean_1: (D,).
        covariance_1: (D, D), symmetric, no negative eigenvalue.
        mean_2: (D,).
        covariance_2: (D, D), as ``covariance_1``.

    Returns:
        Scalar, float64, at least 0, lower is better.
    """
    first, second = covariance_1.double(), covariance_2.double()
    root = _root(first)
    between = root @ second @ root
    overlap = torch.linalg.eigvalsh((between + between.mT) / 2).clamp_min(0).sqrt().sum()
    shift = (mean_1.double() - mean_2.double()).square().sum()
    distance: Tensor = shift + first.trace() + second.trace() - 2 * overlap
    return distance.clamp_min(0)


class _Features(nn.Module):
    """Stands where torchmetrics wants a network: what it is fed are features already."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features: Tensor) -> Tensor:
        return features


class FrechetDistance(SummedMetric, FrechetInceptionDistance):
    """Fréchet distance of real and generated drawings, fed with their features.

    The feature network is not part of it, so that several measures share one pass. States are float64 sums of the
    features and of their products, and counts; they do not grow with the number of images (67 MB at 2048 features)
    and are added up over the ranks.

    Args:
        num_features: D.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(self, num_features: int, **kwargs: Any) -> None:
        super().__init__(feature=_Features(num_features), **kwargs)

    def update(self, features: Tensor, *, real: bool) -> None:  # type: ignore[override]
        """Add drawings.

        Args:
            features: (B, D), floating point of any precision.
            real: whether they are of real drawings, or of generated ones.

        Raises:
            ValueError: another shape.
        """
        _check_features(features, self.real_features_sum.numel())
        super().update(features.detach(), real=real)

    def compute(self) -> Tensor:
        """Squared Fréchet distance, float64 scalar, 0 (same distribution) and up; lower is better.

        Raises:
            MetricError: fewer than two real or two generated drawings.
        """
        self.require(self.real_features_num_samples, 2, "real drawings")
        self.require(self.fake_features_num_samples, 2, "generated drawings")
        real = _moments(self.real_features_sum, self.real_features_cov_sum, self.real_features_num_samples)
        fake = _moments(self.fake_features_sum, self.fake_features_cov_sum, self.fake_features_num_samples)
        return frechet_distance(*real, *fake)


def _check_features(features: Tensor, count: int) -> None:
    if features.ndim != 2 or features.shape[1] != count or not features.is_floating_point():
        raise ValueError(f"features are floating point (B, {count}), got {features.dtype} {tuple(features.shape)}")


def _moments(total: Tensor, products: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) from sums."""
    mean = total / count
    return mean, (products - count * torch.outer(mean, mean)) / (count - 1)
