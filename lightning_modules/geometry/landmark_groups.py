"""The 68 landmark points by name: groups, the mirror permutation, lid and lip pairs, lip-line segments.

Convention: point numbers are 0-based in the 300-W / Multi-PIE order. "Right" and "left" are the *subject's*; the
subject's right eye is on the left of the picture. Along every closed outline the points run clockwise on screen
(x right, y down); the jaw runs from the left of the picture over the chin to the right.

Groups are ``range`` objects or tuples of int. Index arrays and tensors with ``list(GROUP)``: a bare tuple means
several axes to both NumPy and torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Points = TypeVar("Points", torch.Tensor, NDArray[np.floating])
else:
    Points = TypeVar("Points")

POINT_COUNT: Final = 68

JAW: Final = range(17)
RIGHT_BROW: Final = range(17, 22)
LEFT_BROW: Final = range(22, 27)
NOSE_BRIDGE: Final = range(27, 31)
NOSE_BASE: Final = range(31, 36)
NOSE: Final = range(27, 36)
RIGHT_EYE: Final = range(36, 42)
LEFT_EYE: Final = range(42, 48)
OUTER_LIP: Final = range(48, 60)
INNER_LIP: Final = range(60, 68)
LIPS: Final = range(48, 68)

CHIN: Final = 8
NOSE_TIP: Final = 30

LID_PAIRS: Final = ((37, 41), (38, 40), (43, 47), (44, 46))
"""(upper lid, lower lid) points that meet when an eye closes."""

OUTER_MOUTH_CORNERS: Final = (48, 54)
INNER_MOUTH_CORNERS: Final = (60, 64)
UPPER_OUTER_LIP: Final = range(49, 54)
LOWER_OUTER_LIP: Final = range(55, 60)
UPPER_INNER_LIP: Final = range(61, 64)
LOWER_INNER_LIP: Final = range(65, 68)

OUTER_OF_INNER: Final = {61: 50, 62: 51, 63: 52, 65: 56, 66: 57, 67: 58}
"""Inner lip points but for the corners, and the outer one nearest to each."""
INNER_LIP_PAIRS: Final = ((61, 67), (62, 66), (63, 65))
"""(upper, lower) points of the inner lip contour that meet when the mouth closes."""

OUTER_LIP_PAIRS: Final = ((49, 59), (50, 58), (51, 57), (52, 56), (53, 55))
"""(upper, lower) points of the outer lip contour that lie above each other."""


def _mirror_permutation() -> tuple[int, ...]:
    jaw = [16 - i for i in JAW]
    brows = [43 - i for i in range(17, 27)]
    nose = [*NOSE_BRIDGE, 35, 34, 33, 32, 31]
    eyes = [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    outer_lip = [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55]
    inner_lip = [64, 63, 62, 61, 60, 67, 66, 65]
    return (*jaw, *brows, *nose, *eyes, *outer_lip, *inner_lip)


MIRROR: Final = _mirror_permutation()
"""``MIRROR[i]`` is the point that takes the place of point i when the picture is flipped left to right."""


def _closed(points: range) -> tuple[tuple[int, int], ...]:
    return tuple((point, points[(k + 1) % len(points)]) for k, point in enumerate(points))


LIP_SEGMENTS: Final = (*_closed(OUTER_LIP), *_closed(INNER_LIP))
"""The 20 lip lines of the lip-line loss (paper Eq. 5): the closed outer contour (12), then the closed inner one (8)."""


def mirror_landmarks(landmarks: Points, width: float) -> Points:
    """Landmarks of the horizontally flipped picture.

    Convention: pixel centres at integers, so column x of a ``width`` px wide picture goes to ``width - 1 - x``
    (the published data loader uses ``width - x``, one pixel off its own image flip). y and z are unchanged.

    Args:
        landmarks: (..., 68, C) NumPy array or torch tensor, C >= 1, order (x, y[, z]), pixels.
        width: width of the picture, pixels.

    Returns:
        A new array or tensor (..., 68, C) of the same type, points renumbered with :data:`MIRROR`.

    Raises:
        ValueError: if the second-last axis is not 68 long.
    """
    if landmarks.ndim < 2 or landmarks.shape[-2] != POINT_COUNT:
        raise ValueError(f"landmarks must be (..., 68, C), got {tuple(landmarks.shape)}")
    mirrored = landmarks[..., list(MIRROR), :]
    mirrored[..., 0] = (width - 1) - mirrored[..., 0]
    return mirrored
