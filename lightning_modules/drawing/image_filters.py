"""Small filters on pictures: Gaussian blur, gradients, 3×3 minimum and maximum, reading at moved positions.

Convention: pictures are (B, C, H, W) float32. Lengths are in pixels of that picture. Borders repeat the edge pixels, so
a constant picture stays constant. All filters are symmetric: they commute with mirroring and quarter turns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def gaussian_weights(sigma: float, radius: int) -> list[float]:
    """Half of a symmetric Gaussian kernel, normalised over both halves.

    Args:
        sigma: standard deviation, pixels, positive.
        radius: last tap, pixels.

    Returns:
        ``radius + 1`` weights ``w[0..radius]`` with ``w[0] + 2 * sum(w[1:]) == 1``.
    """
    half = [math.exp(-(tap * tap) / (2.0 * sigma * sigma)) for tap in range(radius + 1)]
    total = half[0] + 2.0 * sum(half[1:])
    return [value / total for value in half]


def gaussian_blur(picture: Tensor, sigma: float) -> Tensor:
    """Separable Gaussian blur, truncated at 3 sigma.

    Args:
        picture: (B, C, H, W).
        sigma: standard deviation, pixels; 0 or less returns the picture.

    Returns:
        (B, C, H, W).
    """
    if sigma <= 0:
        return picture
    radius = max(1, math.ceil(3.0 * sigma))
    half = gaussian_weights(sigma, radius)
    kernel = picture.new_tensor([*reversed(half[1:]), *half])
    batch, channels, height, width = picture.shape
    flat = picture.reshape(batch * channels, 1, height, width)
    flat = functional.pad(flat, (radius, radius, 0, 0), mode="replicate")
    flat = functional.conv2d(flat, kernel.view(1, 1, 1, -1))
    flat = functional.pad(flat, (0, 0, radius, radius), mode="replicate")
    flat = functional.conv2d(flat, kernel.view(1, 1, -1, 1))
    return flat.view(batch, channels, height, width)


def wide_gaussian_blur(picture: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with a sigma of many pixels, computed on a picture reduced four times.

    Args:
        picture: (B, C, H, W), sides of at least 8 pixels.
        sigma: standard deviation, pixels of ``picture``.

    Returns:
        (B, C, H, W).
    """
    height, width = picture.shape[-2:]
    small = resized(picture, (max(2, round(height / 4)), max(2, round(width / 4))), "area")
    return resized(gaussian_blur(small, sigma / 4.0), (height, width), "bilinear")


def resized(picture: Tensor, size: tuple[int, int], mode: str = "bicubic") -> Tensor:
    """A picture in another size; pixel edges, not pixel centres, coincide at the border (``align_corners=False``).

    Args:
        picture: (B, C, H, W).
        size: (height, width) wanted.
        mode: ``"bicubic"`` (antialiased where it shrinks; overshoots), ``"bilinear"`` or ``"area"`` (plain mean).

    Returns:
        (B, C, height, width); the picture itself where the size is the same.
    """
    if tuple(picture.shape[-2:]) == size:
        return picture
    if mode == "area":
        return functional.interpolate(picture, size=size, mode="area")
    shrinks = size[0] < picture.shape[-2] or size[1] < picture.shape[-1]
    return functional.interpolate(picture, size=size, mode=mode, align_corners=False, antialias=shrinks)


def scharr_gradient(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives with the 3×3 Scharr filter, whose direction is right to about a degree for any edge.

    Args:
        picture: (B, C, H, W).

    Returns:
        (B, C, H, W) derivative along x (right) and along y (down), per pixel.
    """
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    down = (3.0 * (padded[..., :-2, :] + padded[..., 2:, :]) + 10.0 * padded[..., 1:-1, :]) / 32.0
    right = (3.0 * (padded[..., :-2] + padded[..., 2:]) + 10.0 * padded[..., 1:-1]) / 32.0
    return down[..., 2:] - down[..., :-2], right[..., 2:, :] - right[..., :-2, :]


def maximum_3x3(picture: Tensor) -> Tensor:
    """Largest value among each pixel and its eight neighbours: (B, C, H, W) to (B, C, H, W)."""
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    row = torch.maximum(torch.maximum(padded[..., :-2], padded[..., 2:]), padded[..., 1:-1])
    return torch.maximum(torch.maximum(row[..., :-2, :], row[..., 2:, :]), row[..., 1:-1, :])


def minimum_3x3(picture: Tensor) -> Tensor:
    """Smallest value among each pixel and its eight neighbours: (B, C, H, W) to (B, C, H, W)."""
    return -maximum_3x3(-picture)


def ramp(values: Tensor, low: float, high: float) -> Tensor:
    """Smooth step: 0 at or below ``low``, 1 at or above ``high``, cubic in between, of any shape."""
    part = ((values - low) / (high - low)).clamp(0.0, 1.0)
    return part * part * (3.0 - 2.0 * part)


def pixel_grid(picture: Tensor) -> Tensor:
    """Pixel positions of a picture (B, C, H, W) in [-1, 1], ``align_corners=True``: (1, H, W, 2), order (x, y)."""
    height, width = picture.shape[-2:]
    rows = torch.linspace(-1.0, 1.0, height, device=picture.device, dtype=picture.dtype)
    columns = torch.linspace(-1.0, 1.0, width, device=picture.device, dtype=picture.dtype)
    return torch.stack((columns.expand(height, width), rows[:, None].expand(height, width)), dim=-1)[None]


def pixel_steps(picture: Tensor) -> Tensor:
    """One pixel of a picture (B, C, H, W) in the units of :func:`pixel_grid`: (2,), order (x, y)."""
    height, width = picture.shape[-2:]
    return picture.new_tensor((2.0 / (width - 1), 2.0 / (height - 1)))


def read_at(picture: Tensor, grid: Tensor) -> Tensor:
    """Bilinear values of a picture (B, C, H, W) at positions (B, H, W, 2) in [-1, 1], ``align_corners=True``.

    The inner loops of the drawing call this some hundred times per picture, so positions stay in the units that
    ``grid_sample`` takes, and nothing is checked.
    """
    return functional.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)
