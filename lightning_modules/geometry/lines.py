"""Crisp thick lines, pixel for pixel as OpenCV's ``cv2.line`` draws them (8-connected, no anti-aliasing), batched.

Convention: end points (B, E, 2), order (x, y), whole pixels, pixel centres at integers.

How such a line looks: a rectangle around the segment, its corners rounded to 1/65536 px, is filled row by row with its
corner rows rounded to whole rows; its four sides are traced once more, one pixel a step along their longer axis; and a
disc sits on either end. Hence a level line of thickness 2 is three rows high and one pixel longer at either end. The
arithmetic here is in whole 1/65536 px, so the result does not depend on device or dtype.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.geometry.points import Size, plane_points, solving_dtype
from lightning_modules.geometry.shapes import paint_window

_ONE: Final = 1 << 16
_HALF: Final = _ONE >> 1


def _nearest(fixed: Tensor) -> Tensor:
    """Whole pixels of fixed-point positions, halves up."""
    return (fixed + _HALF) >> 16


def _rectangle(starts: Tensor, ends: Tensor, thickness: int) -> Tensor:
    """Corners (B, E, 4, 2) of the rectangles around the segments, 1/65536 px."""
    run = (ends - starts).to(solving_dtype(starts.device))
    length = torch.linalg.vector_norm(run, dim=-1, keepdim=True).clamp(min=1e-6)
    half_width = (thickness + thickness % 2) / 2 * _ONE
    across = torch.round(torch.stack((run[..., 1], -run[..., 0]), dim=-1) * (half_width / length)).long()
    first, second = starts << 16, ends << 16
    return torch.stack((first + across, first - across, second - across, second + across), dim=2)


def _filled(corners: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Row-by-row fill of convex polygons: (B, E, 4, 2) corners to (B, h, w) bool."""
    ahead = corners.roll(-1, dims=2)
    downward = _nearest(corners[..., 1]) <= _nearest(ahead[..., 1])
    upper = torch.where(downward[..., None], corners, ahead)[:, None]  # (B, 1, E, 4, 2)
    lower = torch.where(downward[..., None], ahead, corners)[:, None]
    first, last = _nearest(upper[..., 1]), _nearest(lower[..., 1])
    height = last - first
    step = torch.div((lower[..., 0] - upper[..., 0]) * 2 + height, 2 * height.clamp(min=1), rounding_mode="trunc")
    row = rows[:, :, None, None]
    bottom = last.amax(-1, keepdim=True)
    active = (height > 0) & (row >= first) & ((row < last) | ((row == bottom) & (last == bottom)))
    crossing = upper[..., 0] + step * (row - first)  # (B, h, E, 4)
    far = 1 << 40
    left = _nearest(crossing.masked_fill(~active, far).amin(-1))
    right = _nearest(crossing.masked_fill(~active, -far).amax(-1))
    column = columns[:, None, :, None]
    return ((column >= left[:, :, None]) & (column <= right[:, :, None])).any(-1)


def _traced(begin: Tensor, end: Tensor, along: Tensor, beside: Tensor, axis: int) -> Tensor:
    """Sides whose longer axis is ``axis``: (B, S, 2) ends to (B, along, beside) bool."""
    run = end - begin
    size = run.abs()
    longer = size[..., axis] > size[..., 1 - axis] if axis == 0 else size[..., axis] >= size[..., 1 - axis]
    forward = (run[..., axis] >= 0)[..., None]
    first, last = torch.where(forward, begin, end), torch.where(forward, end, begin)
    slope = torch.div((last - first)[..., 1 - axis] * _ONE, size[..., axis] | 1, rounding_mode="trunc")
    steps = along[:, :, None] - _nearest(first[..., axis])[:, None]  # (B, along, S)
    level = (first[..., 1 - axis][:, None] + _HALF + steps * slope[:, None]) >> 16
    count = (last[..., axis] - first[..., axis]) >> 16
    hit = longer[:, None] & (steps >= 0) & (steps <= count[:, None])
    body = hit[:, :, None] & (level[:, :, None] == beside[:, None, :, None])
    on_last = (along[:, :, None] == _nearest(last[..., axis])[:, None]) & longer[:, None]
    tip = on_last[:, :, None] & (beside[:, :, None] == _nearest(last[..., 1 - axis])[:, None])[:, None]
    return (body | tip).any(-1)


def _dots(centers: Tensor, columns: Tensor, rows: Tensor, radius: int) -> Tensor:
    across = (columns[:, :, None] - centers[:, None, :, 0]).square()
    down = (rows[:, :, None] - centers[:, None, :, 1]).square()
    return (down[:, :, None] + across[:, None] <= radius**2).any(-1)


def thick_lines(starts: Tensor, ends: Tensor, size: Size, thickness: int = 2) -> Tensor:
    """Line segments of thickness >= 2 in one layer, equal to ``cv2.line`` on each.

    Equality holds for lines inside the frame. Where a line leaves it, OpenCV clips before it rounds and may differ by a
    pixel; here the line is the same as in a larger frame.

    Args:
        starts: (B, E, 2 | 3) floating point, first end points, pixels; rounded half to even.
        ends: (B, E, 2 | 3) second end points; equal to the first for a dot.
        size: frame size.
        thickness: as in ``cv2.line``, at least 2 (OpenCV draws odd thickness one pixel wider than its name).

    Returns:
        (B, 1, H, W) float32 of 0 and 1; no gradient.

    Raises:
        ValueError: if a shape or the thickness is wrong, or a point is not finite (off the CPU, where asking would wait
            for the device, such a point gives an arbitrary line).
    """
    if thickness < 2:
        raise ValueError(f"thickness must be at least 2, got {thickness}")
    points = torch.cat((plane_points(starts, "starts"), plane_points(ends, "ends")), dim=1).detach()
    count = starts.shape[1]
    radius = (thickness + 1) // 2

    def crisp(columns: Tensor, rows: Tensor) -> Tensor:
        column, row = columns.long(), rows.long()
        whole = torch.round(points).long()
        first, second = whole[:, :count], whole[:, count:]
        # a segment of no length keeps only its dot: its rectangle collapses to the centre pixel
        corners = _rectangle(first, second, thickness)
        begin, end = corners.flatten(1, 2), corners.roll(-1, dims=2).flatten(1, 2)
        body = _filled(corners, column, row)
        level = _traced(begin, end, column, row, axis=0).transpose(1, 2)
        upright = _traced(begin, end, row, column, axis=1)
        return body | level | upright | _dots(whole, column, row, radius)

    on_device = points.device.type != "cpu"
    return paint_window(points, radius + 1.0, size, crisp, whole=on_device).to(torch.float32)
