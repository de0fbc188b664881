"""Landmarks as pictures: the crisp disc image fed to the generator and the disc maps fed to the flow network.

Convention: landmarks (B, N, 2 | 3), order (x, y[, z]), in pixels of a ``size`` frame, pixel centres at integers.
Pixel (x, y) belongs to a disc when its centre does: ``(x - px)^2 + (y - py)^2 <= radius^2``. Discs may lie outside
the frame or cross its border. Points that are not finite leave no disc. No gradient flows to the landmarks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_modules.geometry.points import Size, constant, frame_size, plane_points


def _disc_maps(points: Tensor, present: Tensor, size: Size, radius: float, *, merged: bool) -> Tensor:
    """Discs around ``points`` (B, N, 2) where ``present`` (B, N): bool (B, 1 | N, H, W).

    Only the square neighbourhood of each point is looked at, so time and memory go with the discs' area, not with
    N times the frame.
    """
    height, width = frame_size(size)
    batch, count = points.shape[:2]
    reach = math.ceil(radius) + 1
    high = constant((width - 1 + reach, height - 1 + reach), points)
    present = present & torch.isfinite(points).all(-1) & ((points >= -reach) & (points <= high)).all(-1)
    points = torch.where(present[..., None], points, torch.zeros_like(points))

    steps = torch.arange(-reach, reach + 1, device=points.device)
    nearest = torch.floor(points).long()
    columns = nearest[..., 0, None] + steps  # (B, N, K)
    rows = nearest[..., 1, None] + steps
    across = (columns - points[..., 0, None]).square()
    down = (rows - points[..., 1, None]).square()
    inside = down[..., :, None] + across[..., None, :] <= radius**2  # (B, N, K, K)
    inside &= ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[..., None, :]
    inside &= present[..., None, None]

    layers = 1 if merged else count
    layer = torch.arange(batch, device=points.device)[:, None] * layers
    if not merged:
        layer = layer + torch.arange(count, device=points.device)
    index = (layer[..., None, None] * height + rows[..., :, None]) * width + columns[..., None, :]
    maps = torch.zeros(batch * layers * height * width + 1, dtype=torch.bool, device=points.device)
    maps[torch.where(inside, index, maps.numel() - 1)] = True  # the extra last entry takes what is not in a disc
    return maps[:-1].view(batch, layers, height, width)


def landmark_discs(
    landmarks: Tensor,
    size: Size = 256,
    radius: int = 3,
    *,
    merged: bool = True,
    value_range: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """Crisp filled discs as OpenCV draws them, at positions rounded half to even (stage 2, section 1.9).

    Equal to ``cv2.circle(..., thickness=-1)`` pixel for pixel; radius 3 gives 29 pixels.

    Args:
        landmarks: (B, N, 2 | 3) pixels of the frame.
        size: frame size; the published network works at 256.
        radius: whole pixels, at least 0.
        merged: True: all discs in one layer. False: one layer a point.
        value_range: (background, disc); (-1, 1) is what the generator is fed.

    Returns:
        (B, 1, H, W) or (B, N, H, W) float32.

    Raises:
        ValueError: if the landmarks' shape is wrong or the radius negative.
    """
    points = plane_points(landmarks)
    if radius < 0:
        raise ValueError(f"a radius cannot be negative, got {radius}")
    everywhere = torch.ones(points.shape[:2], dtype=torch.bool, device=points.device)
    with torch.no_grad():
        discs = _disc_maps(torch.round(points), everywhere, size, radius, merged=merged)
        background, foreground = value_range
        return discs.to(torch.float32) * (foreground - background) + background


def landmark_heat_maps(landmarks: Tensor, size: Size = 224, radius: float = 4.0) -> Tensor:
    """One binary disc map a point around *unrounded* positions (stage 2, section 2.1 step 1).

    The published flow network is fed landmarks of the 256 frame times 7/8. As there, a point with x or y equal to -1 is
    taken for missing and its map stays empty.

    Args:
        landmarks: (B, N, 2 | 3) pixels of the frame.
        size: frame size; the published network works at 224.
        radius: pixels.

    Returns:
        (B, N, H, W) float32 of 0 and 1.

    Raises:
        ValueError: if the landmarks' shape is wrong or the radius negative.
    """
    points = plane_points(landmarks)
    if radius < 0:
        raise ValueError(f"a radius cannot be negative, got {radius}")
    with torch.no_grad():
        return _disc_maps(points, (points != -1).all(-1), size, radius, merged=False).to(torch.float32)
