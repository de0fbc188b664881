"""The shape of the face parts: every landmark against the middle of its neighbours (paper §3.2; reference stage1 §9).

``L(p) = p - (p_before + p_after) / 2`` along eight parts: open chains are the jaw, both brows and the nose (27 to 35,
one chain); closed rings are both eyes, the outer and the inner lip contour. At an open end both neighbours are the one
there is. The loss is ``mean |L(p) - L(t)|``: published L1, printed squared.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from torch import Tensor, nn

from lightning_modules.geometry import landmark_groups as groups
from lightning_modules.losses.landmark_displacement import as_points
from lightning_modules.losses.precision import in_full_precision

OPEN_CHAINS: Final = (groups.JAW, groups.RIGHT_BROW, groups.LEFT_BROW, groups.NOSE)
CLOSED_RINGS: Final = (groups.RIGHT_EYE, groups.LEFT_EYE, groups.OUTER_LIP, groups.INNER_LIP)


@lru_cache(maxsize=1)
def landmark_neighbours() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The points before and after each of the 68."""
    before, after = [0] * groups.POINT_COUNT, [0] * groups.POINT_COUNT
    for part in (*OPEN_CHAINS, *CLOSED_RINGS):
        closed = part in CLOSED_RINGS
        for place, point in enumerate(part):
            last = len(part) - 1
            before[point] = part[place - 1] if place or closed else part[1]
            after[point] = part[(place + 1) % len(part)] if place < last or closed else part[last - 1]
    return tuple(before), tuple(after)


def graph_laplacian(landmarks: Tensor) -> Tensor:
    """L: (..., 204) or (..., 68, 3) to (..., 68, 3), in the same unit; a shift of a part does not change it."""
    points = as_points(landmarks)
    before, after = landmark_neighbours()
    return points - (points[..., list(before), :] + points[..., list(after), :]) / 2


@in_full_precision
def graph_laplacian_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L1 distance of the Laplacians.

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
    return graph_laplacian(predicted - target.detach()).abs().mean()  # L is linear


class GraphLaplacianLoss(nn.Module):
    """:func:`graph_laplacian_loss` as a module."""

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """See :func:`graph_laplacian_loss`."""
        return graph_laplacian_loss(predicted, target)
