"""Drawings as the measures see them: grey in [0, 1], or 8-bit RGB as it would be saved."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.errors import MetricError

ValueRange = tuple[float, float]
"""(black, white) of floating point pictures."""

MODEL_RANGE: Final[ValueRange] = (-1.0, 1.0)
"""What networks and typed batches hold."""

UNIT_RANGE: Final[ValueRange] = (0.0, 1.0)
"""What evaluated videos hold: 1 is paper."""

_LUMA: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL's mode "L"


def _unit(images: Tensor, value_range: ValueRange, dtype: torch.dtype) -> Tensor:
    if images.ndim < 4 or images.shape[-3] not in (1, 3):
        raise ValueError(f"drawings are (..., 1 | 3, H, W) with a batch axis, got {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.to(dtype) / 255
    if not images.is_floating_point():
        raise ValueError(f"drawings are floating point or uint8, got {images.dtype}")
    black, white = value_range
    unit = (images.to(dtype) - black) / (white - black)
    if not bool(torch.isfinite(unit).all()):
        raise MetricError("a drawing holds values that are not finite", "find out where the network lost its numbers")
    return unit.clamp(0, 1)


def as_grey(images: Tensor, value_range: ValueRange = MODEL_RANGE) -> Tensor:
    """Grey levels in [0, 1], float64; colours by the luma of ITU-R BT.601.

    Args:
        images: (..., 1 | 3, H, W), uint8 or floating point of any precision.
        value_range: (black, white) of floating point images; values outside are clamped.

    Returns:
        (..., 1, H, W) float64 in [0, 1].

    Raises:
        MetricError: a value is not finite.
        ValueError: another shape or type.
    """
    unit = _unit(images, value_range, torch.float64)
    if unit.shape[-3] == 1:
        return unit
    return (unit * unit.new_tensor(_LUMA)[:, None, None]).sum(-3, keepdim=True)


def as_rgb_bytes(images: Tensor, value_range: ValueRange = MODEL_RANGE) -> Tensor:
    """8-bit RGB, *rounded*: a cast would cut 0.999 to 254 and darken every drawing by half a level.

    Args:
        images: (B, 1 | 3, H, W), uint8 or floating point of any precision. One channel is repeated three times.
        value_range: (black, white) of floating point images; values outside are clamped.

    Returns:
        (B, 3, H, W) uint8.

    Raises:
        MetricError: a value is not finite.
        ValueError: another shape or type.
    """
    if images.ndim != 4:
        raise ValueError(f"drawings are (B, 1 | 3, H, W), got {tuple(images.shape)}")
    levels = images
    if images.dtype != torch.uint8 or images.shape[1] not in (1, 3):
        levels = _unit(images, value_range, torch.float32).mul(255).round().to(torch.uint8)
    return levels.expand(-1, 3, -1, -1) if levels.shape[1] == 1 else levels
