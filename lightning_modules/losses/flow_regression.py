"""The objective of flow map A: end-point errors at every size, and what each pixel is (auxiliary, section 6.4).

The published loss averages the true flow over each cell of a smaller size with the background's zeros in it, and counts
every cell that touches the face. Here a cell's true flow is the mean over its face pixels, and it counts by their
share, so that nothing pulls the flow towards zero along the outline.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision

_TINY = 1e-4  # of the unit: the error's slope is finite where the error is 0


@in_full_precision
def end_point_loss(predicted: Sequence[Tensor], flow: Tensor, face: Tensor, unit: float = 20.0) -> Tensor:
    """Sum over sizes i = 0, 1, … of ``2^-i`` times the mean end-point error on the face, in units.

    Args:
        predicted: flows (B, 2, S / 2^(i+1), …) over ``unit``, the largest first.
        flow: (B, 2, S, S) true flow, pixels of S.
        face: (B, S, S) bool or float: where it is known.
        unit: pixels that 1 in ``predicted`` stands for.

    Returns:
        A scalar, 0 or more; 0 where no pixel is face.

    Raises:
        ValueError: shapes do not fit.
    """
    if flow.ndim != 4 or flow.shape[1] != 2 or face.shape != (len(flow), *flow.shape[2:]):
        raise ValueError(f"flow {tuple(flow.shape)} and face {tuple(face.shape)} do not fit")
    share = face.to(flow.dtype)[:, None]
    known = flow * share / unit
    total = flow.new_zeros(())
    for level, made in enumerate(predicted):
        known, share = functional.avg_pool2d(known, 2), functional.avg_pool2d(share, 2)
        if made.shape != known.shape:
            raise ValueError(f"flow {level} is {tuple(made.shape)}, expected {tuple(known.shape)}")
        error = ((made - known / share.clamp(min=1e-6)).square().sum(1, keepdim=True) + _TINY**2).sqrt() - _TINY
        total = total + 0.5**level * (error * share).sum() / share.sum().clamp(min=1e-6)
    return total


@in_full_precision
def visibility_loss(logits: Tensor, visibility: Tensor) -> Tensor:
    """Cross entropy of what each pixel is, at full size.

    Args:
        logits: (B, 3, S / 2, S / 2); enlarged bilinearly.
        visibility: (B, S, S) classes 0 to 2.

    Returns:
        A scalar, nats a pixel.

    Raises:
        ValueError: shapes do not fit.
    """
    if logits.ndim != 4 or visibility.shape != (len(logits), 2 * logits.shape[2], 2 * logits.shape[3]):
        raise ValueError(f"logits {tuple(logits.shape)} and visibility {tuple(visibility.shape)} do not fit")
    large = functional.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)
    return functional.cross_entropy(large, visibility.long())


class FlowObjective(nn.Module):
    """Both terms with their weights.

    Args:
        flow: weight of :func:`end_point_loss`.
        visibility: weight of :func:`visibility_loss`.
        unit: pixels that 1 in the network's flow stands for.
    """

    def __init__(self, flow: float = 1.0, visibility: float = 0.2, unit: float = 20.0) -> None:
        super().__init__()
        self.flow, self.visibility, self.unit = flow, visibility, unit

    def forward(self, flows: Sequence[Tensor], logits: Tensor, flow: Tensor, visibility: Tensor) -> dict[str, Tensor]:
        """Weighted terms ``"flow"`` and ``"visibility"``; arguments as of the functions."""
        face = visibility < torch.tensor(2, dtype=visibility.dtype, device=visibility.device)
        return {
            "flow": self.flow * end_point_loss(flows, flow, face, self.unit),
            "visibility": self.visibility * visibility_loss(logits, visibility),
        }
