"""The main loss of stage 1: L1 between landmarks, lips weighted by how closed they should be (reference stage1 §9).

``mean |p - t| w`` over windows and coordinates. For the 60 numbers of the mouth (points 48 to 67)
``w = 1 / (4 o + 0.1)`` with o = |y_66 - y_62|, the opening of the true mouth: 10 for a closed mouth, 1 at an opening
of 0.225. Elsewhere w = 1. The paper prints squared distances; published is L1. No gradient flows to the targets.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.geometry.landmark_groups import LIPS
from lightning_modules.losses.precision import in_full_precision

_TOP, _BOTTOM = 62, 66  # middle of the upper and of the lower inner lip
_SLOPE, _OFFSET = 4.0, 0.1


def as_points(landmarks: Tensor) -> Tensor:
    """Landmarks point by point: (..., 204) to (..., 68, 3); (..., 68, 3) stays.

    Raises:
        ValueError: if they are neither.
    """
    if landmarks.shape[-1] == 204:
        return landmarks.unflatten(-1, (68, 3))  # type: ignore[no-any-return, no-untyped-call]
    if landmarks.ndim < 2 or landmarks.shape[-2:] != (68, 3):
        raise ValueError(f"landmarks are (..., 204) or (..., 68, 3), got {tuple(landmarks.shape)}")
    return landmarks


def lip_weight(target: Tensor) -> Tensor:
    """What an error of the lips counts: (..., 204) or (..., 68, 3), face units, to (...), above 0 and at most 10."""
    height = as_points(target)[..., 1]
    return 1 / (_SLOPE * (height[..., _BOTTOM] - height[..., _TOP]).abs() + _OFFSET)


@in_full_precision
def landmark_displacement_loss(predicted: Tensor, target: Tensor, *, weigh_lips: bool = True) -> Tensor:
    """Weighted L1 distance.

    Args:
        predicted: landmarks (..., 204) or (..., 68, 3), face units.
        target: the true ones, the same shape.
        weigh_lips: see the module's docstring; False: plain L1.

    Returns:
        A scalar, face units, 0 or more.

    Raises:
        ValueError: if shapes do not fit.
    """
    if predicted.shape != target.shape:
        raise ValueError(f"landmarks {tuple(predicted.shape)} do not go with {tuple(target.shape)}")
    target = as_points(target).detach()
    error = (as_points(predicted) - target).abs()
    if not weigh_lips:
        return error.mean()
    mouth = torch.zeros(68, dtype=torch.bool, device=error.device)
    mouth[list(LIPS)] = True
    weight = torch.where(mouth, lip_weight(target)[..., None], torch.ones_like(error[..., 0]))
    return (error * weight[..., None]).mean()


class LandmarkDisplacementLoss(nn.Module):
    """The options of :func:`landmark_displacement_loss`.

    Args:
        weigh_lips: see there.
    """

    def __init__(self, *, weigh_lips: bool = True) -> None:
        super().__init__()
        self.weigh_lips = weigh_lips

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """See :func:`landmark_displacement_loss`."""
        return landmark_displacement_loss(predicted, target, weigh_lips=self.weigh_lips)
