"""Flow map B: piecewise-linear interpolation of the landmark motion over a triangulation of the target points.

Convention: landmarks (B, N, 2 | 3), order (x, y[, z]), pixels of the frame, pixel centres at integers. The result is a
backward sampling map (B, H, W, 2), order (x, y), pixels: the picture that shows ``source`` is read so that it shows
``target``. Points of the frame border ("anchors") stay where they are.

Source: stage 2, section 2.2 (there: SciPy ``griddata``, linear). Triangulation by Qhull on the CPU in float64; it may
be done beforehand (:func:`triangulated_targets`), where the landmarks still are on the CPU. Everything after it runs on
the device of the landmarks, positions in float64 where there is one, and then waits for nothing.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.geometry.landmark_groups import INNER_LIP, LEFT_EYE, POINT_COUNT, RIGHT_EYE
from lightning_modules.geometry.points import (
    Size,
    constant,
    frame_size,
    paired_points,
    picked,
    plane_points,
    require_finite,
    solving_dtype,
)
from lightning_modules.geometry.sampling import normalize_map
from lightning_modules.geometry.triangle_raster import rasterised_flow

Anchors = Literal["frame", "official"]

TIE_DISTANCE: Final = 0.25
"""Target points closer than this (pixels) count as one place, so landmarks there are met to an eighth of a pixel."""

_CONTOURS: Final = (RIGHT_EYE, LEFT_EYE, INNER_LIP)
_STARTS: Final = (*RIGHT_EYE, *LEFT_EYE, *INNER_LIP)
_ENDS: Final = tuple(following for group in _CONTOURS for following in (*group[1:], group[0]))
_CONTOUR_PIECES: Final = 3

_BATCH_AT_ONCE: Final = 4  # bounds memory, and keeps the working set in the processor's cache


def frame_anchors(size: Size, anchors: Anchors, like: Tensor) -> Tensor:
    """Points of the frame border that do not move.

    Args:
        size: frame size.
        anchors: ``"official"``: the four corner pixels. ``"frame"``: corners and the middles of the edges.
        like: gives dtype and device.

    Returns:
        (4 | 8, 2) pixels, order (x, y).

    Raises:
        ValueError: if the choice is unknown or the frame has no area between its pixel centres.
    """
    height, width = frame_size(size)
    if min(height, width) < 2:
        raise ValueError(f"a frame of {height}x{width} pixels has no corners to hold on to")
    right, bottom = float(width - 1), float(height - 1)
    corners = [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
    if anchors == "frame":
        corners += [(right / 2, 0.0), (right / 2, bottom), (0.0, bottom / 2), (right, bottom / 2)]
    elif anchors != "official":
        raise ValueError(f'anchors must be "frame" or "official", got {anchors!r}')
    return constant(tuple(number for corner in corners for number in corner), like).view(-1, 2)


def contour_points(landmarks: Tensor) -> Tensor:
    """Further points on the straight pieces of the lid and inner-lip contours, which divide each piece evenly.

    A triangulation knows nothing of contours: where lips are thin its edges cross the lip line, and a closing mouth
    shows teeth through them. Points this close together on the line make it a chain of edges.

    Args:
        landmarks: (B, 68, 2) pixels.

    Returns:
        (B, 40, 2) pixels: two for each of the 20 pieces.
    """
    share = torch.arange(1, _CONTOUR_PIECES, device=landmarks.device, dtype=landmarks.dtype)[:, None] / _CONTOUR_PIECES
    starts, ends = picked(landmarks, _STARTS)[:, :, None], picked(landmarks, _ENDS)[:, :, None]
    between = starts * (1 - share) + ends * share
    return between.flatten(1, 2)


def merge_coincident(target: Tensor) -> tuple[Tensor, Tensor]:
    """Targets with points of (nearly) one place laid exactly on one place, their mean.

    Args:
        target: (B, N, 2) pixels.

    Returns:
        (B, N, 2) targets, those without a partner within :data:`TIE_DISTANCE` unchanged; and which points share a
        place, (B, N, N) bool, true on the diagonal.
    """
    near = torch.cdist(target.detach(), target.detach(), compute_mode="donot_use_mm_for_euclid_dist") < TIE_DISTANCE
    shared = near.sum(-1, keepdim=True)
    place = (near.to(target.dtype) @ target) / shared
    first = near.to(torch.uint8).argmax(-1, keepdim=True)  # all read the same number, so that no bit can differ
    place = place.gather(1, first.expand(-1, -1, 2))
    return torch.where(shared > 1, place, target), near


def _facing_points(triangles: Tensor, sites: Tensor, source: Tensor, near: Tensor) -> Tensor:
    """For each triangle corner the point of its place whose source lies on the side of the triangle.

    When a mouth closes, upper and lower lip points meet in the target while their sources lie apart. With one
    source for both, the lips would show a piece of the open mouth. So triangles above the lip line take the upper
    source and triangles below the lower one: the map jumps at the line, and the cavity is gone.

    Args:
        triangles: (B, T, 3) site numbers.
        sites: (B, M, 2) target positions, pixels.
        source: (B, M, 2) source positions.
        near: (B, M, M) which points share a place.

    Returns:
        (B, T, 3) point numbers; those of ``triangles`` where a place has one point only.
    """
    samples = torch.arange(len(sites), device=sites.device)[:, None, None]
    sharing = near.to(source.dtype)
    away = source - (sharing @ source) / sharing.sum(-1, keepdim=True)
    corners = sites[samples, triangles]
    side = corners.mean(2, keepdim=True) - corners
    agreement = (side @ away.transpose(1, 2)[:, None]).masked_fill(~near[samples, triangles], -torch.inf)
    return agreement.argmax(-1)


def delaunay_triangles(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Corner numbers of the Delaunay triangulation of points in the plane.

    Args:
        points: (N, 2), order (x, y), any unit. Handed to Qhull as (row, column) in float64, as the published code does.

    Returns:
        (T, 3) point numbers.
    """
    from scipy.spatial import Delaunay

    triangles: NDArray[np.int64] = Delaunay(np.asarray(points, dtype=np.float64)[:, ::-1]).simplices.astype(np.int64)
    return triangles


def _triangulated(points: Tensor) -> Tensor:
    """Triangles of each sample, (B, 2 N - 5, 3) on the device of the points; filled up with empty ones (0, 0, 0)."""
    found = [delaunay_triangles(sample) for sample in points.detach().cpu().numpy()]
    triangles = np.zeros((len(found), 2 * points.shape[1] - 5, 3), np.int64)  # there cannot be more
    for row, one in zip(triangles, found, strict=True):
        row[: len(one)] = one
    return torch.from_numpy(triangles).to(points.device)


def _with_contours(points: Tensor, anchors: Anchors, *, contours: bool) -> Tensor:
    if contours and anchors == "frame" and points.shape[1] == POINT_COUNT:
        return torch.cat((points, contour_points(points)), dim=1)
    return points


def _sites(goal: Tensor, anchors: Anchors, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
    """What is triangulated, (B, M, 2), and with frame anchors which points share a place."""
    border = frame_anchors(size, anchors, goal).expand(len(goal), -1, -1)
    sites = torch.cat((goal, border), dim=1)
    return merge_coincident(sites) if anchors == "frame" else (sites, None)


def triangulated_targets(
    target: Tensor, size: Size = 256, *, anchors: Anchors = "frame", contours: bool = True
) -> Tensor:
    """The part of flow map B that needs the CPU, for :func:`interpolated_flow_map` with the same options.

    Args:
        target: (B, N, 2 | 3) landmarks in the picture to make, pixels of the frame.
        size: frame size.
        anchors: see :func:`interpolated_flow_map`.
        contours: see :func:`interpolated_flow_map`.

    Returns:
        (B, T, 3) int64 numbers of points, anchors and contour points counted; T depends on N and the options only, what
        is not needed of it is (0, 0, 0).

    Raises:
        ValueError: if a shape does not fit or a value is not finite.
    """
    points = plane_points(target, "target")
    require_finite(points, "target landmarks")
    points = _with_contours(points, anchors, contours=contours).to(solving_dtype(points.device))
    return _triangulated(_sites(points, anchors, frame_size(size))[0])


def _interpolated(
    start: Tensor,
    goal: Tensor,
    given: Tensor | None,
    anchors: Anchors,
    size: tuple[int, int],
    dtype: torch.dtype,
) -> Tensor:
    """:func:`interpolated_flow_map` for a part of the batch, its points in solving precision."""
    sites, near = _sites(goal, anchors, size)
    values = torch.cat((start, frame_anchors(size, anchors, goal).expand(len(goal), -1, -1)), dim=1)
    triangles = _triangulated(sites) if given is None else given
    points = triangles
    # Off the CPU it is cheaper to do it always than to ask whether it is needed.
    if near is not None and (near.device.type != "cpu" or bool((near.sum(-1) > 1).any())):
        points = _facing_points(triangles, sites.detach(), values.detach(), near)
    samples = torch.arange(len(goal), device=goal.device)[:, None, None]
    corners = sites[samples, triangles]
    # Flow is interpolated, not position: its small slopes keep float32 exact enough (1e-4 px).
    return rasterised_flow(corners, values[samples, points] - corners, size, dtype)


def interpolated_flow_map(
    source: Tensor,
    target: Tensor,
    size: Size = 256,
    *,
    anchors: Anchors = "frame",
    contours: bool = True,
    triangles: Tensor | None = None,
) -> Tensor:
    """Flow map B as a sampling map; differentiable in the source, and in the target within each triangle.

    Landmarks may lie outside the frame. With ``anchors="frame"``, where target points coincide each side keeps its own
    source (a closing mouth shows no cavity, a closed eye no eyeball); with ``"official"`` they are left to Qhull, as in
    the published code.

    Args:
        source: (B | 1, N, 2 | 3) landmarks in the picture to read from, pixels of the frame.
        target: (B | 1, N, 2 | 3) landmarks in the picture to make.
        size: frame size of both pictures.
        anchors: ``"frame"``: four corners and four mid-edges stay put. ``"official"``: the four corners only.
        contours: keep lids and inner lips whole (:func:`contour_points`). Only for 68 landmarks and frame anchors;
            no effect otherwise.
        triangles: what :func:`triangulated_targets` gave for the same target and options, (B, T, 3) on the device of
            the target. Nothing is then checked, and no device is waited for.

    Returns:
        (B, H, W, 2) sampling map, order (x, y), pixels, in the dtype of the target (at least float32).

    Raises:
        ValueError: if shapes do not match or, without ``triangles``, a value is not finite.
    """
    source, target = paired_points(source, target)
    if triangles is None:
        require_finite(source, "source landmarks")
        require_finite(target, "target landmarks")
    elif len(triangles) != len(target):
        raise ValueError(f"triangles of {len(triangles)} samples do not go with {len(target)} targets")
    precise, frame = solving_dtype(target.device), frame_size(size)
    source, target = (_with_contours(points, anchors, contours=contours) for points in (source, target))
    maps = []
    for first in range(0, len(target), _BATCH_AT_ONCE):
        part = slice(first, first + _BATCH_AT_ONCE)
        given = None if triangles is None else triangles[part]
        start, goal = source[part].to(precise), target[part].to(precise)
        maps.append(_interpolated(start, goal, given, anchors, frame, target.dtype))
    return torch.cat([part.movedim(-1, 1) for part in maps]).movedim(1, -1) if len(maps) != 1 else maps[0]


def official_flow_grid(source: Tensor, target: Tensor, size: Size = 256) -> Tensor:
    """Flow map B exactly as the published generator takes it: four anchors, normalised (``x / 127.5 - 1`` at 256).

    Args:
        source: (B | 1, N, 2 | 3) landmarks of the photo, pixels of the frame.
        target: (B | 1, N, 2 | 3) landmarks to show.
        size: frame size; the published networks know 256 only.

    Returns:
        (B, H, W, 2) in [-1, 1], order (x, y), ``align_corners=True``.
    """
    return normalize_map(interpolated_flow_map(source, target, size, anchors="official"), size)
