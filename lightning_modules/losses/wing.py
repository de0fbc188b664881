"""The wing loss of landmark regression (Feng et al. 2018, Eq. 5): small errors count more than their squares would.

``wing(x) = w ln(1 + |x| / c)`` for ``|x| < w``, else ``|x| - C`` with ``C = w - w ln(1 + w / c)``, so that the two
pieces meet. Here errors are in percent of the face's own outer-eye distance: a face counts the same whatever share of
its crop it takes, and ``w`` and ``c`` are in the unit that landmarks are judged by.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_modules.geometry.landmark_groups import JAW, LEFT_EYE, LIPS, POINT_COUNT, RIGHT_EYE
from lightning_modules.geometry.points import constant
from lightning_modules.losses.precision import in_full_precision
from lightning_modules.metrics.lip_landmark_distance import outer_eye_distance


@in_full_precision
def wing_loss(
    predicted: Tensor, target: Tensor, width: float = 10.0, curvature: float = 2.0, weights: Tensor | None = None
) -> Tensor:
    """Weighted mean of ``wing`` over samples, points and both coordinates.

    Args:
        predicted: (B, 68, 2), any unit of length.
        target: (B, 68, 2) in the same unit; no gradient.
        width: w, percent of the outer-eye distance of the target.
        curvature: c, percent likewise.
        weights: (68,) of the points, relative to one another; None for equal ones.

    Returns:
        A scalar, 0 or more; percent of the outer-eye distance for large errors.

    Raises:
        ValueError: if shapes do not fit, or width or curvature are not positive.
    """
    if predicted.shape != target.shape or predicted.shape[1:] != (POINT_COUNT, 2):
        raise ValueError(f"landmarks must both be (B, 68, 2), got {tuple(predicted.shape)} and {tuple(target.shape)}")
    if width <= 0 or curvature <= 0:
        raise ValueError(f"width and curvature must be positive, got {width} and {curvature}")
    target = target.detach()
    error = (100 * (predicted - target) / outer_eye_distance(target)[:, None, None]).abs()
    offset = width - width * math.log1p(width / curvature)
    # Clamped, so that the logarithm's gradient stays finite where the other piece is taken.
    near = width * torch.log1p(error.clamp(max=width) / curvature)
    wing = torch.where(error < width, near, error - offset).mean(-1)
    if weights is None:
        return wing.mean()
    return (wing * (weights / weights.mean())).mean()


class WingLoss(nn.Module):
    """The wing loss with weights of the points.

    Args:
        width: w, percent of the outer-eye distance.
        curvature: c, percent likewise.
        lips: weight of the points of the lips, relative to brows and nose.
        eyes: weight of those of the lids.
        jaw: weight of those of the jaw, whose place along the outline is nobody's truth.

    Raises:
        ValueError: if a weight is negative or width or curvature are not positive.
    """

    def __init__(
        self,
        width: float = 10.0,
        curvature: float = 2.0,
        *,
        lips: float = 1.5,
        eyes: float = 1.5,
        jaw: float = 0.6,
    ) -> None:
        super().__init__()
        if min(lips, eyes, jaw) < 0 or width <= 0 or curvature <= 0:
            found = f"width {width}, curvature {curvature}, lips {lips}, eyes {eyes}, jaw {jaw}"
            raise ValueError(f"the wing loss takes positive numbers, got {found}")
        self.width, self.curvature = width, curvature
        weights = dict.fromkeys(range(POINT_COUNT), 1.0)
        for points, weight in (((*LIPS,), lips), ((*RIGHT_EYE, *LEFT_EYE), eyes), ((*JAW,), jaw)):
            weights.update(dict.fromkeys(points, weight))
        self.weights = tuple(weights[point] for point in range(POINT_COUNT))

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """See :func:`wing_loss`."""
        weights = constant(self.weights, target, torch.float32)
        return wing_loss(predicted, target, self.width, self.curvature, weights)
