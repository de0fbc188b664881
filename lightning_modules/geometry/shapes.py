"""Anti-aliased polygons and strokes, batched, exact and differentiable.

Convention: vertices (B, E, 2), order (x, y), pixels of the frame, pixel centres at integers; a pixel is the unit square
around its centre. Shapes may lie partly or wholly outside the frame.

Everything is computed in the smallest window that holds the shapes of the whole batch, in float64 where the device has
it; finding the window waits for the device once, unless the whole frame is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lightning_modules.geometry.points import Size, frame_size, plane_points, require_finite, solving_dtype

Paint = Callable[[Tensor, Tensor], Tensor]
"""From pixel columns (B, w) and rows (B, h) to values (B, h, w)."""


def paint_window(points: Tensor, margin: float, size: Size, paint: Paint, *, whole: bool = False) -> Tensor:
    """Evaluate ``paint`` in a window around the points of each sample and put it into an empty frame.

    Args:
        points: (B, K, 2) everything that the shape spans, pixels.
        margin: how far the shape reaches beyond the points, pixels.
        size: frame size.
        paint: called with the pixel columns and rows of the windows, which have one size for the whole batch.
        whole: paint the whole frame: more work, but no device is waited for; points are then not checked.

    Returns:
        (B, 1, H, W) in the dtype of the points, 0 outside the windows; differentiable through ``paint``.

    Raises:
        ValueError: if a point is not finite.
    """
    height, width = frame_size(size)
    if whole:
        across = torch.arange(width, device=points.device, dtype=points.dtype).expand(len(points), -1)
        down = torch.arange(height, device=points.device, dtype=points.dtype).expand(len(points), -1)
        return paint(across, down).to(points.dtype)[:, None]
    require_finite(points, "points of a shape")
    with torch.no_grad():
        frame = points.new_tensor((width, height))
        low = torch.minimum((points.amin(1) - margin).floor().clamp(min=0), frame).long()
        high = torch.minimum((points.amax(1) + margin).ceil().clamp(min=-1) + 1, frame).long()
        window_width, window_height = (high - low).clamp(min=0).amax(0).tolist()
        # A window that would stick out is pushed back inside, so that all windows of the batch have one size.
        left = torch.minimum(low[:, 0], low.new_tensor(width - window_width))
        top = torch.minimum(low[:, 1], low.new_tensor(height - window_height))
    canvas = points.new_zeros((len(points), height, width))
    if window_width == 0 or window_height == 0:
        return canvas[:, None]
    columns = left[:, None] + torch.arange(window_width, device=points.device)
    rows = top[:, None] + torch.arange(window_height, device=points.device)
    values = paint(columns.to(points.dtype), rows.to(points.dtype)).to(points.dtype)
    batch = torch.arange(len(points), device=points.device)[:, None, None]
    return canvas.index_put((batch, rows[:, :, None], columns[:, None, :]), values)[:, None]


def _clamped_integral(upper: Tensor) -> Tensor:
    """Integral of clamp(t, 0, 1) from 0 to ``upper``."""
    return 0.5 * upper.clamp(0, 1).square() + (upper - 1).clamp(min=0)


def fill_polygon(vertices: Tensor, size: Size, *, oriented: bool = False) -> Tensor:
    """Filled polygons with exact area coverage (Green's theorem, edge by edge); differentiable in the vertices.

    Args:
        vertices: (B, E, 2 | 3) corners in order, pixels; the last is joined to the first.
        size: frame size.
        oriented: True keeps only what runs clockwise on screen, so that a polygon turned inside out (lips that cross)
            is empty. False fills either orientation.

    Returns:
        (B, 1, H, W) in the dtype of the vertices (at least float32): the share of each pixel's unit square inside.

    Raises:
        ValueError: if the shape is wrong or a vertex is not finite.
    """
    given = plane_points(vertices, "vertices")
    points = given.to(solving_dtype(given.device))
    ahead = points.roll(-1, dims=1)

    def coverage(columns: Tensor, rows: Tensor) -> Tensor:
        # Each edge, cut to the pixel row, covers everything right of it: added where the edge runs upwards, taken away
        # where it runs downwards.
        begin, end = points[:, None, :, 1], ahead[:, None, :, 1]
        top, bottom = rows[:, :, None] - 0.5, rows[:, :, None] + 0.5
        cut_begin = torch.minimum(torch.maximum(begin, top), bottom)  # (B, h, E)
        cut_end = torch.minimum(torch.maximum(end, top), bottom)
        rise = end - begin
        level = rise.abs() < 1e-12
        slope = (ahead - points)[:, None, :, 0] / torch.where(level, torch.ones_like(rise), rise)
        slope = torch.where(level, torch.zeros_like(slope), slope)
        right = columns[:, None, :, None] + 0.5
        first = right - (points[:, None, :, 0] + (cut_begin - begin) * slope)[:, :, None, :]  # (B, h, w, E)
        last = right - (points[:, None, :, 0] + (cut_end - begin) * slope)[:, :, None, :]
        change = last - first
        steep = change.abs() < 1e-4  # the quotient would be 0 / 0; the middle is exact to 1e-4 / 8
        mean = (_clamped_integral(last) - _clamped_integral(first)) / torch.where(
            steep, torch.ones_like(change), change
        )
        mean = torch.where(steep, ((first + last) / 2).clamp(0, 1), mean)
        winding = ((cut_begin - cut_end)[:, :, None, :] * mean).sum(-1)
        return (winding if oriented else winding.abs()).clamp(0, 1)

    return paint_window(points, 1.0, size, coverage).to(given.dtype)


def segment_distance(columns: Tensor, rows: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Distance of pixel centres to the nearest of several line segments.

    Args:
        columns: (B, w) x of the pixel centres.
        rows: (B, h) y of the pixel centres.
        starts: (B, E, 2) first end points, pixels.
        ends: (B, E, 2) second end points; equal to the first for a dot.

    Returns:
        (B, h, w) pixels; the gradient is finite everywhere (0 on the segment itself).
    """
    x, y = columns[:, None, :, None], rows[:, :, None, None]  # against (B, 1, 1, E)
    start_x, start_y = starts[:, None, None, :, 0], starts[:, None, None, :, 1]
    run_x, run_y = (ends - starts)[:, None, None, :, 0], (ends - starts)[:, None, None, :, 1]
    length = (run_x.square() + run_y.square()).clamp(min=1e-12)
    along = (((x - start_x) * run_x + (y - start_y) * run_y) / length).clamp(0, 1)
    squared = (x - start_x - along * run_x).square() + (y - start_y - along * run_y).square()
    return squared.amin(-1).clamp(min=1e-24).sqrt()


def stroke_segments(starts: Tensor, ends: Tensor, size: Size, radius: Tensor | float) -> Tensor:
    """Round strokes of half-width ``radius`` along line segments, with a one-pixel soft edge.

    Args:
        starts: (B, E, 2) first end points, pixels.
        ends: (B, E, 2) second end points.
        size: frame size.
        radius: half-width, pixels, one number or (B,).

    Returns:
        (B, 1, H, W) in the dtype of the points (at least float32): ``clamp(radius + 0.5 - distance, 0, 1)``.

    Raises:
        ValueError: if a shape is wrong or a point is not finite.
    """
    given, dtype = plane_points(starts, "starts"), solving_dtype(starts.device)
    first, second = given.to(dtype), plane_points(ends, "ends").to(dtype)
    require_finite(first, "starts")
    half = torch.as_tensor(radius, dtype=dtype, device=starts.device).expand(len(first))

    def soft(columns: Tensor, rows: Tensor) -> Tensor:
        return (half[:, None, None] + 0.5 - segment_distance(columns, rows, first, second)).clamp(0, 1)

    reach = math.ceil(float(half.max())) + 1.0
    return paint_window(torch.cat((first, second), dim=1), reach, size, soft).to(given.dtype)


def dilated_polygon(vertices: Tensor, size: Size, radius: Tensor | float) -> Tensor:
    """Filled polygons grown by ``radius`` on all sides (rounded corners), with a one-pixel soft edge.

    Args:
        vertices: (B, E, 2 | 3) corners in order, pixels.
        size: frame size.
        radius: growth, pixels, one number or (B,).

    Returns:
        (B, 1, H, W) in [0, 1], in the dtype of the vertices (at least float32).
    """
    points = plane_points(vertices, "vertices")
    outline = stroke_segments(points, points.roll(-1, dims=1), size, radius)
    return torch.maximum(fill_polygon(points, size), outline)
