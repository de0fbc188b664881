"""How landmarks move from frame to frame: L1 of the frame differences (reference stage1 §9, published off)."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.losses.landmark_displacement import as_points
from lightning_modules.losses.precision import in_full_precision


@in_full_precision
def landmark_motion_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """``mean |(p_t+1 - p_t) - (t_t+1 - t_t)|``.

    Args:
        predicted: consecutive frames (..., N, 204) or (..., N, 68, 3), face units.
        target: the true ones, the same shape; without gradient.

    Returns:
        A scalar, face units a frame, 0 or more; 0 for a single frame.

    Raises:
        ValueError: if shapes do not fit.
    """
    if predicted.shape != target.shape:
        raise ValueError(f"landmarks {tuple(predicted.shape)} do not go with {tuple(target.shape)}")
    error = as_points(predicted) - as_points(target).detach()
    if error.ndim < 3:
        raise ValueError(f"motion needs frames (..., N, 204), got {tuple(predicted.shape)}")
    if error.shape[-3] < 2:
        return error.sum() * 0
    return error.diff(dim=-3).abs().mean()


class LandmarkMotionLoss(nn.Module):
    """:func:`landmark_motion_loss` as a module."""

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """See :func:`landmark_motion_loss`."""
        return landmark_motion_loss(predicted, target)
