"""Triangles that tile a frame, turned into one linear function a pixel; torch, batched, any device.

Convention: corners (B, T, 3, 2), order (x, y), pixels, pixel centres at integers. The triangles must tile the frame
without gaps or overlaps, as a Delaunay triangulation whose points include the frame's corners does.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_HAIR: Final = 1e-6  # of the frame: 1e-4 px at its border


def label_map(corners: Tensor, size: tuple[int, int], *, everywhere: bool | None = None) -> Tensor:
    """Which triangle each pixel lies in, for triangles that tile the frame.

    Each triangle marks, in every pixel row it crosses, the first pixel at or right of its left border; the marks are
    then carried to the right. Crossings of a shared edge are computed from the same numbers in the same order for both
    of its triangles and spans are half-open, so marks never collide and no hole can open.

    Args:
        corners: (B, T, 3, 2) pixels; empty triangles mark nothing.
        size: (height, width).
        everywhere: look at all rows of all triangles, not only at those that they cross: more work, but how much is
            known beforehand, so that no device is waited for. None: on a CPU False, elsewhere True.

    Returns:
        (B, H, W) int32 triangle numbers.
    """
    height, width = size
    batch, count = corners.shape[:2]
    order = corners[..., 1].argsort(dim=-1)
    high, middle, low = corners.gather(2, order[..., None].expand(-1, -1, -1, 2)).unbind(2)  # by row, downwards

    # Pixels on the border of the tiling would fall out of half-open spans: look a hair towards the frame's centre.
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    rows = torch.arange(height, device=corners.device, dtype=corners.dtype)
    rows = center_y + (rows - center_y) * (1 - _HAIR)
    crossed = (rows >= high[..., None, 1]) & (rows < low[..., None, 1])  # (B, T, H)
    if everywhere if everywhere is not None else crossed.device.type != "cpu":
        along = [torch.arange(length, device=corners.device) for length in crossed.shape]
        sample, triangle, row = torch.meshgrid(*along, indexing="ij")
    else:
        sample, triangle, row = crossed.nonzero(as_tuple=True)
        crossed = crossed.new_ones(())
    at = rows[row]

    def slope(a: Tensor, b: Tensor) -> Tensor:
        rise = b[..., 1] - a[..., 1]
        return torch.where(rise > 0, (b[..., 0] - a[..., 0]) / torch.where(rise > 0, rise, torch.ones_like(rise)), 0.0)

    # One line of numbers a triangle: x, y, slope of each of its edges from the upper end.
    ends = ((high, low), (high, middle), (middle, low))
    edges = torch.cat([torch.cat((a, slope(a, b)[..., None]), dim=-1) for a, b in ends], dim=-1)
    edge = edges[sample, triangle]
    upper = at < edge[..., 7]
    short = torch.where(upper[..., None], edge[..., 3:6], edge[..., 6:9])
    long_x = edge[..., 0] + (at - edge[..., 1]) * edge[..., 2]
    short_x = short[..., 0] + (at - short[..., 1]) * short[..., 2]

    def first_column(border: Tensor) -> Tensor:
        return torch.ceil((border - center_x) * (1 / (1 - _HAIR)) + center_x).clamp(0, width).long()

    start, stop = first_column(torch.minimum(long_x, short_x)), first_column(torch.maximum(long_x, short_x))

    # A mark holds its column in the high bits, so that the running maximum along a row is the last mark so far.
    bits = count.bit_length()
    start = torch.where((start < stop) & crossed, start, width)  # spans without a pixel go to an extra column
    codes = torch.zeros((batch, height, width + 1), dtype=torch.int32, device=corners.device)
    codes[sample, row, start] = ((start << bits) | triangle).to(torch.int32)
    return codes[..., :width].cummax(dim=-1).values & ((1 << bits) - 1)


def _affine_pieces(corners: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient (B, T, 2, 2), as [d/dx, d/dy], of the linear function on each triangle, and its value (B, T, 2) at 0.

    Args:
        corners: (B, T, 3, 2) pixels.
        values: (B, T, 3, 2) the function at the corners.
    """
    origin, first_value = corners[:, :, 0], values[:, :, 0]
    edges = corners[:, :, 1:] - origin[:, :, None]
    rises = values[:, :, 1:] - first_value[:, :, None]
    area = edges[..., 0, 0] * edges[..., 1, 1] - edges[..., 0, 1] * edges[..., 1, 0]
    flat = area.abs() < 1e-9
    scale = torch.where(flat, torch.zeros_like(area), 1 / torch.where(flat, torch.ones_like(area), area))[..., None]
    by_x = (rises[..., 0, :] * edges[..., 1, 1, None] - rises[..., 1, :] * edges[..., 0, 1, None]) * scale
    by_y = (rises[..., 1, :] * edges[..., 0, 0, None] - rises[..., 0, :] * edges[..., 1, 0, None]) * scale
    gradient = torch.stack((by_x, by_y), dim=-2)
    return gradient, first_value - (origin[..., None] * gradient).sum(-2)


def rasterised_flow(corners: Tensor, flow: Tensor, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Sampling map of a flow that is linear on each of the triangles that tile the frame.

    Args:
        corners: (B, T, 3, 2) pixels.
        flow: (B, T, 3, 2) pixels, at the corners.
        size: (height, width).
        dtype: of the evaluation and the result.

    Returns:
        (B, H, W, 2).
    """
    height, width = size
    batch, count = corners.shape[:2]
    gradient, constant = _affine_pieces(corners, flow)
    with torch.no_grad():
        first = torch.arange(batch, device=corners.device, dtype=torch.int32)[:, None, None] * count
        labels = (label_map(corners, size) + first).flatten()
    columns = torch.arange(width, device=corners.device, dtype=dtype)
    rows = torch.arange(height, device=corners.device, dtype=dtype)[:, None]

    def spread(per_triangle: Tensor) -> Tensor:
        return per_triangle.to(dtype).flatten().index_select(0, labels).view(batch, height, width)

    def position(axis: int, own: Tensor) -> Tensor:
        by_row = torch.addcmul(spread(constant[..., axis]), spread(gradient[..., 1, axis]), rows)
        return torch.addcmul(by_row, spread(gradient[..., 0, axis]), columns) + own

    # One plane after the other in memory: interleaving x and y would cost a quarter of the time.
    return torch.stack((position(0, columns), position(1, rows)), dim=1).movedim(1, -1)
