"""How far two pictures are apart at several sizes, without a trained network: the stand-in for LPIPS."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision

SIZES: Final = 4
"""Full size and up to three halvings."""

_SMALLEST: Final = 16  # side below which no window of 11 pixels says anything


@in_full_precision
def structural_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean over the sizes of ``(1 - SSIM) / 2 + mean |a - b| / 2``, both of grey levels in [0, 1].

    Structural similarity (Wang et al. 2004) with a Gaussian window of 11 pixels. The small sizes see lines that lie
    side by side as near, which full size does not.

    Args:
        first: (B, C, H, W) in [-1, 1], sides at least 16.
        second: the same shape.

    Returns:
        (B,), 0 for equal pictures.

    Raises:
        ValueError: if the shapes differ or the pictures are too small.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    if first.shape != second.shape or first.ndim != 4 or min(first.shape[-2:]) < _SMALLEST:
        found = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"pictures must be of one shape (B, C, H, W) from 16 x 16, got {found}")
    first, second = (first + 1.0) / 2.0, (second + 1.0) / 2.0
    found_at = []
    for size in range(SIZES):
        if size:
            first, second = functional.avg_pool2d(first, 2), functional.avg_pool2d(second, 2)
        if min(first.shape[-2:]) < _SMALLEST:
            break
        alike = structural_similarity_index_measure(first, second, sigma=1.5, data_range=1.0, reduction="none")
        apart = (first - second).abs().mean((1, 2, 3))
        found_at.append(0.5 * (1.0 - torch.as_tensor(alike).reshape(-1)) + 0.5 * apart)
    return torch.stack(found_at).mean(0)


class StructuralDistance(nn.Module):
    """:func:`structural_distance` as a network without weights, called as LPIPS is."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances (B,) of pictures (B, C, H, W) in [-1, 1]."""
        return structural_distance(first, second)
