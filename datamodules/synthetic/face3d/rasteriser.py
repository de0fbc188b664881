"""Two views of one mesh: which triangle each pixel shows, and where the same point of the face lies in the other view.

Compiled by numba when first used and kept in its cache; the global lock is released meanwhile.

Convention: vertices (V, 3) float32: x, y in pixels of a square picture, pixel centres at integers, y down; z towards
the viewer in the same unit. Triangles that face the viewer run clockwise as seen.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

VISIBLE: Final = 0
OCCLUDED: Final = 1
BACKGROUND: Final = 2
"""Visibility classes, in the order in which the flow networks report them."""

_NOTHING: Final = np.float32(-1e30)
_INSIDE: Final = -1e-6  # a pixel on an edge belongs to the triangle, whatever the rounding

_compiled: Any = numba.njit(cache=True, nogil=True, fastmath=False)


@_compiled  # type: ignore[untyped-decorator]
def _draw(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], shown: NDArray[np.int32], depth: NDArray[np.float32]
) -> None:
    """Fill ``shown`` (S, S) with the nearest triangle's number and ``depth`` with its z; both are given empty."""
    size = shown.shape[0]
    for number in range(triangles.shape[0]):
        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        left = max(int(np.ceil(min(ax, bx, cx))), 0)
        right = min(int(np.floor(max(ax, bx, cx))), size - 1)
        top = max(int(np.ceil(min(ay, by, cy))), 0)
        bottom = min(int(np.floor(max(ay, by, cy))), size - 1)
        if left > right or top > bottom:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area <= 0:  # turned away: behind something of a closed surface
            continue
        inverse = 1.0 / area
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * inverse
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inverse
                w = 1.0 - u - v
                if u >= _INSIDE and v >= _INSIDE and w >= _INSIDE:
                    z = u * az + v * bz + w * cz
                    if z > depth[y, x]:
                        depth[y, x] = z
                        shown[y, x] = number


@_compiled  # type: ignore[untyped-decorator]
def _correspond(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    triangles: NDArray[np.int32],
    is_face: NDArray[np.bool_],
    shown: NDArray[np.int32],
    source_depth: NDArray[np.float32],
    tolerance: float,
    flow: NDArray[np.float32],
    visibility: NDArray[np.uint8],
) -> None:
    """Fill ``flow`` (2, S, S) and ``visibility`` (S, S) for the target view; see :func:`corresponding_flow`."""
    size = shown.shape[0]
    for y in range(size):
        for x in range(size):
            number = shown[y, x]
            if number < 0 or not is_face[number]:
                continue
            a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
            ax, ay = target[a, 0], target[a, 1]
            bx, by = target[b, 0], target[b, 1]
            cx, cy = target[c, 0], target[c, 1]
            area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
            v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
            w = 1.0 - u - v
            there_x = u * source[a, 0] + v * source[b, 0] + w * source[c, 0]
            there_y = u * source[a, 1] + v * source[b, 1] + w * source[c, 1]
            there_z = u * source[a, 2] + v * source[b, 2] + w * source[c, 2]
            flow[0, y, x] = there_x - x
            flow[1, y, x] = there_y - y
            visibility[y, x] = OCCLUDED
            facing = (source[b, 0] - source[a, 0]) * (source[c, 1] - source[a, 1]) - (source[b, 1] - source[a, 1]) * (
                source[c, 0] - source[a, 0]
            )
            column, row = int(np.rint(there_x)), int(np.rint(there_y))
            if facing <= 0 or column < 0 or row < 0 or column >= size or row >= size:
                continue
            nearest = np.float32(1e30)
            for near_row in range(max(row - 1, 0), min(row + 2, size)):
                for near_column in range(max(column - 1, 0), min(column + 2, size)):
                    nearest = min(nearest, source_depth[near_row, near_column])
            if there_z >= nearest - tolerance:
                visibility[y, x] = VISIBLE


def shown_triangles(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], size: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """What a picture of the mesh shows.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).
        size: side of the picture, pixels.

    Returns:
        (S, S) number of the nearest triangle, -1 where there is none; and its z, -1e30 where there is none.
    """
    shown = np.full((size, size), -1, np.int32)
    depth = np.full((size, size), _NOTHING, np.float32)
    _draw(vertices, triangles, shown, depth)
    return shown, depth


def corresponding_flow(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    triangles: NDArray[np.int32],
    is_face: NDArray[np.bool_],
    size: int,
    tolerance: float,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Where each pixel of the target view lies in the source view, and whether it can be seen there.

    A point is visible if it lies in the source picture, on a triangle that faces the viewer there, and not behind the
    farthest of the nine depths around it by more than the tolerance: on a slanted surface a pixel's depth is not its
    neighbour's. Single labels are then overruled by the 5 x 5 around them (auxiliary, section 6.6 steps 5 and 6).

    Args:
        source: (V, 3) vertices of the source view.
        target: (V, 3) the same vertices in the target view.
        triangles: (T, 3).
        is_face: (T,) which triangles are face; all others are background and can only hide.
        size: side of both pictures.
        tolerance: in z.

    Returns:
        Backward flow (2, S, S) float32, order (x, y), pixels: target pixel p shows source pixel p + flow(p), 0 on the
        background; and the visibility (S, S) uint8.
    """
    import cv2

    shown, _ = shown_triangles(target, triangles, size)
    _, source_depth = shown_triangles(source, triangles, size)
    flow = np.zeros((2, size, size), np.float32)
    visibility = np.full((size, size), BACKGROUND, np.uint8)
    _correspond(source, target, triangles, is_face, shown, source_depth, tolerance, flow, visibility)
    face = visibility != BACKGROUND
    hidden = cv2.medianBlur(np.asarray(visibility == OCCLUDED, np.uint8), 5)
    visibility[face] = np.where(hidden[face] > 0, OCCLUDED, VISIBLE)
    return flow, visibility
