"""From a line response to pen strokes: valleys of the response, inked with a width that does not depend on blur.

A difference of Gaussians alone draws a soft edge as a broad line. Here the response only says *where* a line runs and
how sure it is; the stroke is laid along the valley of the response, at sub-pixel precision, as wide as the pen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.drawing.image_filters import (
    gaussian_weights,
    maximum_3x3,
    minimum_3x3,
    pixel_grid,
    pixel_steps,
    ramp,
    read_at,
    resized,
    scharr_gradient,
)

FLATTEST_RIM: Final = 0.004
"""Slope per pixel below which the rim of a region is drawn softly, so that noise cannot move it far."""


class Valley(NamedTuple):
    """Where the valleys of a response run.

    Attributes:
        slope: (B, 2, H, W) derivative across the line as a vector (x, y), so that it has no sign to lose.
        bend: (B, 1, H, W) second derivative across the line; positive in valleys.
    """

    slope: Tensor
    bend: Tensor


def profiles(picture: Tensor, normal: Tensor, sigmas: list[float]) -> Tensor:
    """Gaussian means across the edges, several widths in one pass.

    Args:
        picture: (B, 1, H, W).
        normal: (B, H, W, 2) unit vectors across the edges.
        sigmas: standard deviations, pixels.

    Returns:
        (B, len(sigmas), H, W); each kernel is normalised and cut at 2.45 sigma.
    """
    radii = [max(1, int(2.45 * sigma + 0.999)) for sigma in sigmas]
    halves = [gaussian_weights(sigma, radius) for sigma, radius in zip(sigmas, radii, strict=True)]
    grid, offset = pixel_grid(picture), normal * pixel_steps(picture)
    means = [half[0] * picture for half in halves]
    for tap in range(1, max(radii) + 1):
        both = read_at(picture, grid + tap * offset) + read_at(picture, grid - tap * offset)
        for index, half in enumerate(halves):
            if tap < len(half):
                means[index] = means[index] + half[tap] * both
    return torch.cat(means, dim=1)


def valley(response: Tensor, normal: Tensor) -> Valley:
    """First and second derivative of a response (B, 1, H, W) along the normals (B, H, W, 2), one pixel apart."""
    grid, offset = pixel_grid(response), normal * pixel_steps(response)
    ahead, behind = read_at(response, grid + offset), read_at(response, grid - offset)
    slope = 0.5 * (ahead - behind) * normal.permute(0, 3, 1, 2)
    return Valley(slope, ahead + behind - 2.0 * response)


def stroke_coverage(line: Valley, width: Tensor, size: tuple[int, int]) -> Tensor:
    """Ink of strokes along valleys, on a larger picture.

    Args:
        line: valleys on the board, (B, ..., h, w).
        width: (B, 1, h, w) stroke width, board pixels; fades below half a pixel, 0 away from lines. Strokes nearly as
            wide as their valley come out up to a fifth narrower.
        size: (H, W) of the picture to ink, at least the size of the board where lines are to be crisp.

    Returns:
        (B, 1, H, W) in [0, 1], 1 = ink: the share of each pixel that the stroke covers.
    """
    scale = (size[0] * size[1] / (width.shape[-2] * width.shape[-1])) ** 0.5
    fields = resized(torch.cat((line.slope, line.bend, width), dim=1), size)
    bend, wide = fields[:, 2:3], fields[:, 3:4]
    distance = torch.sqrt(fields[:, :1] ** 2 + fields[:, 1:2] ** 2) / bend.clamp_min(1e-3)
    inked = ((0.5 * wide - distance) * scale + 0.5).clamp(0.0, 1.0)
    return torch.where(bend > 0, inked, 0.0) * ramp(wide, 0.0, 0.6)


def swollen(ink: Tensor, radius: float) -> Tensor:
    """Ink grown by a distance on all sides.

    Args:
        ink: (B, 1, H, W) in [0, 1], 1 = ink.
        radius: how far, pixels; 0 or less returns the ink.

    Returns:
        (B, 1, H, W) in [0, 1]. Squares and crosses in turn make an octagon; a fraction of a pixel makes a grey rim.
    """
    whole = int(max(radius, 0.0))
    for index in range(whole):
        ink = maximum_3x3(ink) if index % 2 else _maximum_cross(ink)
    part = max(radius, 0.0) - whole
    return ink if part == 0.0 else ink + part * (_maximum_cross(ink) - ink)


def _maximum_cross(ink: Tensor) -> Tensor:
    padded = functional.pad(ink, (1, 1, 1, 1), mode="replicate")
    row = torch.maximum(padded[..., 1:-1, :-2], padded[..., 1:-1, 2:])
    column = torch.maximum(padded[..., :-2, 1:-1], padded[..., 2:, 1:-1])
    return torch.maximum(torch.maximum(row, column), ink)


def region_coverage(height: Tensor, size: tuple[int, int]) -> Tensor:
    """Ink of the region where a height field is positive, with a crisp rim on a larger picture.

    Args:
        height: (B, 1, h, w), signed; its zero line is the rim.
        size: (H, W) of the picture to ink.

    Returns:
        (B, 1, H, W) in [0, 1]: 1 inside; the rim is one pixel soft however flat the field is there.
    """
    field = resized(height, size)
    along_x, along_y = scharr_gradient(field)
    steepness = torch.sqrt(along_x * along_x + along_y * along_y).clamp_min(0.5 * FLATTEST_RIM)
    return (field / steepness + 0.5).clamp(0.0, 1.0)


def opened(height: Tensor, radius: int) -> Tensor:
    """The parts of a region that a square of ``2 radius + 1`` pixels fits in, and one pixel around them.

    Args:
        height: (B, 1, h, w), signed; positive inside the region.
        radius: half the side of the square, pixels.

    Returns:
        (B, 1, h, w), signed.
    """
    for _ in range(radius):
        height = minimum_3x3(height)
    for _ in range(radius + 1):
        height = maximum_3x3(height)
    return height


def without_islands(height: Tensor, radius: int, reach: int) -> Tensor:
    """Take away the parts of a region that are too small to hold a disc, and keep the others as they are.

    Args:
        height: (B, 1, h, w), signed; positive inside the region.
        radius: parts that a square of ``2 radius + 1`` pixels does not fit in are islands.
        reach: how far a kept part may stretch beyond such a square, pixels.

    Returns:
        (B, 1, h, w), nowhere above ``height``. Grey-scale opening by reconstruction.
    """
    kept = height
    for _ in range(radius):
        kept = minimum_3x3(kept)
    for _ in range(radius + reach):
        kept = torch.minimum(maximum_3x3(kept), height)
    return kept
