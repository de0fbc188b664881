"""Masks of face parts from landmarks: nose, eyes, lips, the lip line, the inner mouth, the whole face.

Convention: landmarks (B, 68, 2 | 3), order (x, y[, z]), in pixels of the frame, pixel centres at integers. Masks are
(B, 1, H, W) in [0, 1], 1 = inside, in the dtype of the landmarks (at least float32). All work on any device and in
batches; the filled ones are differentiable.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from lightning_modules.geometry.alignment import HEIGHT_TO_SIZE
from lightning_modules.geometry.landmark_groups import (
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    LIP_SEGMENTS,
    OUTER_LIP,
    POINT_COUNT,
    RIGHT_BROW,
    RIGHT_EYE,
)
from lightning_modules.geometry.lines import thick_lines
from lightning_modules.geometry.points import Size, picked, plane_points
from lightning_modules.geometry.shapes import dilated_polygon, fill_polygon

NOSE_DILATION: Final = 0.06
EYE_DILATION: Final = 0.07
LIP_DILATION: Final = 0.06

_NOSE_OUTLINE: Final = (27, 35, 34, 33, 32, 31)
_FACE_OUTLINE: Final = (*RIGHT_BROW, *LEFT_BROW, *reversed(JAW))


class PartMasks(NamedTuple):
    """Masks for the local drawing discriminators D_ln, D_le, D_ll: (B, 1, H, W) in [0, 1] each."""

    nose: Tensor
    eyes: Tensor
    lips: Tensor


def _face_points(landmarks: Tensor) -> Tensor:
    points = plane_points(landmarks)
    if points.shape[1] != POINT_COUNT:
        raise ValueError(f"landmarks must be (B, 68, 2|3), got {tuple(landmarks.shape)}")
    return points


def face_extents(landmarks: Tensor) -> Tensor:
    """Face size in pixels, ``max(width, 0.92 height)`` of the landmarks: (B, 68, 2 | 3) to (B,)."""
    points = _face_points(landmarks)
    span = points.amax(1) - points.amin(1)
    return torch.maximum(span[:, 0], HEIGHT_TO_SIZE * span[:, 1])


def part_masks(landmarks: Tensor, size: Size = 256) -> PartMasks:
    """Nose, eyes and lips as outline polygons grown by a share of the face size.

    Nose: bridge top and base points, grown by 0.06 of the face size. Eyes: both lid outlines, grown by 0.07 (lashes and
    lid folds inside, brows outside). Lips: the outer lip outline, grown by 0.06. At 256 pixels with the paper's crop
    that is 8, 10 and 8 pixels.

    Args:
        landmarks: (B, 68, 2 | 3) pixels of the frame.
        size: frame size.

    Returns:
        Three masks (B, 1, H, W) in [0, 1] with a one-pixel soft edge.

    Raises:
        ValueError: if the shape is wrong or a value is not finite.
    """
    points = _face_points(landmarks)
    extent = face_extents(points)

    def grown(outline: tuple[int, ...] | range, share: float) -> Tensor:
        return dilated_polygon(points[:, list(outline)], size, share * extent)

    eyes = torch.maximum(grown(RIGHT_EYE, EYE_DILATION), grown(LEFT_EYE, EYE_DILATION))
    return PartMasks(grown(_NOSE_OUTLINE, NOSE_DILATION), eyes, grown(OUTER_LIP, LIP_DILATION))


def face_mask(landmarks: Tensor, size: Size = 256, dilation: float = 0.0) -> Tensor:
    """The face below the brows: the polygon along the brows and the jaw.

    Args:
        landmarks: (B, 68, 2 | 3) pixels of the frame.
        size: frame size.
        dilation: growth on all sides, as a share of the face size.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    points = _face_points(landmarks)
    outline = points[:, list(_FACE_OUTLINE)]
    return dilated_polygon(outline, size, dilation * face_extents(points)) if dilation else fill_polygon(outline, size)


def eye_mask(landmarks: Tensor, size: Size = 256) -> Tensor:
    """What shows between the lids of both eyes, exact area coverage; empty where the lids touch or cross.

    Args:
        landmarks: (B, 68, 2 | 3) pixels of the frame.
        size: frame size.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    points = _face_points(landmarks)
    right = fill_polygon(points[:, list(RIGHT_EYE)], size, oriented=True)
    left = fill_polygon(points[:, list(LEFT_EYE)], size, oriented=True)
    return torch.maximum(right, left)


def inner_mouth_mask(landmarks: Tensor, size: Size = 256) -> Tensor:
    """The opening between the lips (points 60-67), exact area coverage; empty where the lips touch or cross.

    Args:
        landmarks: (B, 68, 2 | 3) pixels of the frame.
        size: frame size.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    return fill_polygon(_face_points(landmarks)[:, list(INNER_LIP)], size, oriented=True)


def lip_line_mask(landmarks: Tensor, size: Size = 256, thickness: int = 2) -> Tensor:
    """The lip lines M of the lip-line loss (paper Eq. 5; stage 2, section 4): 20 crisp segments as OpenCV draws them.

    The closed outer and inner lip contours, end points rounded half to even; see :mod:`.lines` for the look.

    Args:
        landmarks: (B, 68, 2 | 3) pixels of the frame.
        size: frame size. The published thickness is 2 at 256 and 4 at 512.
        thickness: as in ``cv2.line``, at least 2.

    Returns:
        (B, 1, H, W) float32 of 0 and 1; no gradient.

    Raises:
        ValueError: if the shape or the thickness is wrong or a value is not finite.
    """
    points = _face_points(landmarks)
    starts, ends = zip(*LIP_SEGMENTS, strict=True)
    return thick_lines(picked(points, starts), picked(points, ends), size, thickness)
