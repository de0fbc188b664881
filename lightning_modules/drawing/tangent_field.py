"""The edge tangent field: at every pixel, the direction along which the picture changes least.

Convention: directions are unit vectors (B, H, W, 2), order (x, y), y down. A direction and its opposite mean the same.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.drawing.image_filters import gaussian_blur, pixel_grid, pixel_steps, read_at, scharr_gradient


class TangentField(NamedTuple):
    """Directions along and across the edges, and how far they can be trusted.

    Attributes:
        tangent: (B, H, W, 2) unit vectors along the edges.
        normal: (B, H, W, 2) unit vectors across them; the tangent is the normal turned by a quarter.
        coherence: (B, 1, H, W) in [0, 1]: 0 where no direction stands out, 1 where all gradients are parallel.
    """

    tangent: Tensor
    normal: Tensor
    coherence: Tensor


def structure_tensor(picture: Tensor) -> Tensor:
    """Products of the gradient: (B, 1, H, W) to (B, 3, H, W) with channels ``(gx², gx gy, gy²)``."""
    along_x, along_y = scharr_gradient(picture)
    return torch.cat((along_x * along_x, along_x * along_y, along_y * along_y), dim=1)


def field_of_tensor(tensor: Tensor) -> TangentField:
    """Directions from a smoothed structure tensor: eigenvectors of the 2×2 matrices.

    Args:
        tensor: (B, 3, H, W), channels ``(E, F, G)`` of the matrix ``[[E, F], [F, G]]``.

    Returns:
        The field. Where the tensor is zero the tangent points down the picture and the coherence is 0.

    Source:
        Kang, Lee, Chui 2007, with the structure tensor in place of the iterated kernel (Kyprianidis and Döllner 2008).
    """
    first, mixed, second = tensor.unbind(1)
    angle = 0.5 * torch.atan2(2.0 * mixed, first - second)
    normal = torch.stack((torch.cos(angle), torch.sin(angle)), dim=-1)
    tangent = torch.stack((-normal[..., 1], normal[..., 0]), dim=-1)
    spread = torch.sqrt((first - second) ** 2 + 4.0 * mixed * mixed)
    coherence = spread / (first + second).clamp_min(1e-12)
    return TangentField(tangent, normal, coherence[:, None].clamp(0.0, 1.0))


def tangent_field(picture: Tensor, sigma: float) -> TangentField:
    """Tangent field of a picture.

    Args:
        picture: (B, 1, H, W).
        sigma: how far each gradient speaks for its neighbours, pixels.

    Returns:
        The field of the structure tensor blurred by ``sigma``.
    """
    return field_of_tensor(gaussian_blur(structure_tensor(picture), sigma))


def flow_bilateral(picture: Tensor, field: TangentField, sigma: float, tolerance: float, rounds: int) -> Tensor:
    """Smooth away texture but keep edges: bilateral filters across, then along the edges, in turn.

    Args:
        picture: (B, 1, H, W).
        field: its tangent field.
        sigma: standard deviation in space, pixels.
        tolerance: tone differences well above it are edges and stay.
        rounds: how often both are applied.

    Returns:
        (B, 1, H, W).

    Source:
        Flow-based bilateral filter, Kang, Lee, Chui 2009; Kyprianidis and Döllner 2008.
    """
    reach = max(2, round(1.8 * sigma))
    for _ in range(rounds):
        for direction in (field.normal, field.tangent):
            picture = _bilateral_along(picture, direction, sigma, tolerance, reach)
    return picture


def _bilateral_along(picture: Tensor, direction: Tensor, sigma: float, tolerance: float, reach: int) -> Tensor:
    grid, offset = pixel_grid(picture), direction * pixel_steps(picture)
    total, weights = picture, torch.ones_like(picture)
    for tap in range(1, reach + 1):
        nearness = -(tap * tap) / (2.0 * sigma * sigma)
        for step in (tap, -tap):
            value = read_at(picture, grid + step * offset)
            weight = torch.exp(nearness - (value - picture) ** 2 * (0.5 / tolerance**2))
            total = total + weight * value
            weights = weights + weight
    return total / weights
