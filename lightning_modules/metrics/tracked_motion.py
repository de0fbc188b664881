"""How far the lines of a talking drawing move, by tracking them; no landmark detector takes part.

A detector trembles on drawings by as much as a face moves between two frames, and it prefers faces like those that it
was trained on: of the motion it finds too much where little moves and too little where much does. Here small windows
around the landmarks of the static drawing are found again in every frame (Lucas and Kanade 1981, with Bouguet's
pyramids, as OpenCV has it), so what is measured is where the ink went.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange, as_rgb_bytes

WINDOW_SHARE: Final = 15 / 256
"""Side of the window around a point, in sides of the drawing: it holds an eye corner and little else."""

LEVELS: Final = 3
"""Pyramid levels above the drawing itself: windows are found again up to some 30 pixels away."""

MOST_MISSED: Final = 0.5
"""A point counts if tracking it there and back ends so near where it began, pixels."""


class TrackedMotion(NamedTuple):
    """What became of the points of the static drawing."""

    ratio: float
    """Mean way of the points from where they are at rest, in percent of that which was asked for; NaN where no point
    was found again, or nothing was to move."""
    error: float
    """Median distance of the points from where they were to be, pixels; NaN where none was found again."""
    share: float
    """How many of the points were found again, percent."""


def track_points(
    picture: NDArray[np.uint8], other: NDArray[np.uint8], points: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the surroundings of points again in another picture.

    Args:
        picture: (H, W).
        other: (H, W).
        points: (K, 2), order (x, y), pixels of ``picture``.

    Returns:
        Where they are in ``other``, (K, 2), and which of them can be trusted, (K,): tracked back from there they are
        where they began.
    """
    side = max(5, round(WINDOW_SHARE * min(picture.shape)) | 1)
    start = np.ascontiguousarray(points, np.float32)[:, None]
    options: Any = {"winSize": (side, side), "maxLevel": LEVELS}
    there, found, _ = cv2.calcOpticalFlowPyrLK(picture, other, start, start.copy(), **options)
    back, again, _ = cv2.calcOpticalFlowPyrLK(other, picture, there, there.copy(), **options)
    missed = np.linalg.norm((back - start)[:, 0], axis=1)
    kept: NDArray[np.bool_] = (found[:, 0] > 0) & (again[:, 0] > 0) & (missed < MOST_MISSED)
    return np.asarray(there[:, 0], np.float32), kept


def tracked_motion(
    static: Tensor, rest: Tensor, frames: Tensor, asked: Tensor, value_range: ValueRange = UNIT_RANGE
) -> TrackedMotion:
    """Motion of the lines of a clip beside that of the landmarks that it was to show.

    Args:
        static: (1, 1 | 3, H, W) the static drawing, uint8 or floating point; from 16 x 16.
        rest: (K, 2) landmarks in it, order (x, y), pixels.
        frames: (T, 1 | 3, H, W), of the same type.
        asked: (T, K, 2) where the landmarks were to be.
        value_range: (black, white) of floating point pictures.

    Raises:
        MetricError: a value is not finite.
        ValueError: another shape or type.
    """
    if len(static) != 1 or static.shape[1:] != frames.shape[1:] or asked.shape != (len(frames), *rest.shape):
        shapes = f"{tuple(static.shape)}, {tuple(rest.shape)}, {tuple(frames.shape)} and {tuple(asked.shape)}"
        raise ValueError(f"expected (1, C, H, W), (K, 2), (T, C, H, W) and (T, K, 2), got {shapes}")
    first, *others = (
        cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        for picture in as_rgb_bytes(torch.cat((static, frames)), value_range).permute(0, 2, 3, 1).cpu().numpy()
    )
    began, goals = rest.cpu().numpy().astype(np.float64), asked.cpu().numpy().astype(np.float64)
    tracked = [track_points(np.asarray(first, np.uint8), np.asarray(other, np.uint8), began) for other in others]
    found, kept = np.stack([one for one, _ in tracked]), np.stack([one for _, one in tracked])
    share = 100 * float(kept.mean())
    if not kept.any():
        return TrackedMotion(float("nan"), float("nan"), share)
    drawn, wanted = (np.linalg.norm(points - began, axis=-1)[kept].sum() for points in (found, goals))
    error = float(np.median(np.linalg.norm(found - goals, axis=-1)[kept]))
    return TrackedMotion(100 * float(drawn / wanted) if wanted > 0 else float("nan"), error, share)
