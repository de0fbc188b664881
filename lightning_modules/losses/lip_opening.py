"""How far the lips are open: L1 of the three inner openings, closed mouths weighted most. Ours; published has none.

The L1 of all landmarks hardly sees whether the lips touch; whoever watches sees little else.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS
from lightning_modules.losses.landmark_displacement import as_points, lip_weight
from lightning_modules.losses.precision import in_full_precision


def lip_openings(landmarks: Tensor) -> Tensor:
    """Lower less upper inner lip, downwards: (..., 204) or (..., 68, 3) to (..., 3), negative where lips cross."""
    height = as_points(landmarks)[..., 1]
    upper, lower = zip(*INNER_LIP_PAIRS, strict=True)
    return height[..., list(lower)] - height[..., list(upper)]


@in_full_precision
def lip_opening_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``mean |o(p) - o(t)| w`` with w of :func:`~lightning_modules.losses.landmark_displacement.lip_weight`.

    Args:
        predicted: landmarks (..., 204) or (..., 68, 3), face units.
        target: the true ones, the same shape; without gradient.

    Returns:
        A scalar, face units, 0 or more.

    Raises:
        ValueError: if shapes do not fit.
    """
    if predicted.shape != target.shape:
        raise ValueError(f"landmarks {tuple(predicted.shape)} do not go with {tuple(target.shape)}")
    target = target.detach()
    error = (lip_openings(predicted) - lip_openings(target)).abs()
    return torch.mean(error * lip_weight(target)[..., None])


class LipOpeningLoss(nn.Module):
    """:func:`lip_opening_loss` as a module."""

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """See :func:`lip_opening_loss`."""
        return lip_opening_loss(predicted, target)
