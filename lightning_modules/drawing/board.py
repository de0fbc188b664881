"""The board that a drawing is worked out on: a copy of the photo of fixed size, with landmarks and matte to match."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from torch import Tensor

from lightning_modules.drawing.image_filters import resized
from lightning_modules.geometry.points import plane_points

SMALLEST_SIDE: Final = 32
"""Photos with a shorter side are refused, pixels."""

_FINE_ENOUGH: Final = 768
_POINTS: Final = 68


class Board(NamedTuple):
    """A photo on the board.

    Attributes:
        picture: (B, C, h, w) in about [0, 1]; enlarging overshoots a little.
        landmarks: (B, 68, 2) board pixels, or None.
        matte: (B, 1, h, w) in [0, 1], or None.
    """

    picture: Tensor
    landmarks: Tensor | None
    matte: Tensor | None


def laid_on_board(picture: Tensor, landmarks: Tensor | None, matte: Tensor | None, side: int) -> Board:
    """Bring a photo and what is known about it to the size of the board.

    Args:
        picture: (B, C, H, W).
        landmarks: (B, 68, 2 | 3) pixels of ``picture``, or None.
        matte: (B, 1, H, W), or None.
        side: shorter side of the board, pixels.

    Returns:
        All of it in board pixels, float32.
    """
    height, width = picture.shape[-2:]
    size = board_size((height, width), side)
    if landmarks is not None:
        points = plane_points(landmarks).float()
        landmarks = (points + 0.5) * points.new_tensor((size[1] / width, size[0] / height)) - 0.5
    if matte is not None:
        matte = resized(matte.float(), size, "bilinear")
    return Board(resized(picture.float(), size), landmarks, matte)


def board_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) of the board for a photo of ``size`` (height, width)."""
    scale = side / min(size)
    return round(size[0] * scale), round(size[1] * scale)


def inking_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) at which a drawing of ``size`` is inked.

    Below 768 pixels it is inked finer and reduced, which keeps thin strokes even.
    """
    finer = 1 if min(size) >= _FINE_ENOUGH else max(2, math.ceil(side / min(size)))
    return finer * size[0], finer * size[1]


def check_drawer_input(photo: Tensor, landmarks: Tensor | None, matte: Tensor | None) -> None:
    """Make sure that a drawer can draw this.

    Args:
        photo: (B, 3, H, W) or (B, 1, H, W) in [0, 1].
        landmarks: (B, 68, 2 | 3), or None.
        matte: (B, 1, H, W), or None.

    Raises:
        ValueError: a shape does not fit, or values lie outside [0, 1].
    """
    if photo.ndim != 4 or photo.shape[1] not in (1, 3) or not photo.is_floating_point():
        raise ValueError(f"photo must be floating point (B, 3|1, H, W), got {photo.dtype} {tuple(photo.shape)}")
    if min(photo.shape[-2:]) < SMALLEST_SIDE:
        raise ValueError(f"photo must be at least {SMALLEST_SIDE} pixels on each side, got {tuple(photo.shape)}")
    if photo.numel() and not (photo.amin() >= -1e-3 and photo.amax() <= 1.0 + 1e-3):
        raise ValueError(f"photo must lie in [0, 1], got [{float(photo.amin()):g}, {float(photo.amax()):g}]")
    if landmarks is not None and landmarks.shape[:2] != (len(photo), _POINTS):
        raise ValueError(f"landmarks must be ({len(photo)}, 68, 2|3), got {tuple(landmarks.shape)}")
    expected = (len(photo), 1, *photo.shape[-2:])
    if matte is not None and (tuple(matte.shape) != expected or not matte.is_floating_point()):
        raise ValueError(f"matte must be floating point {expected}, got {matte.dtype} {tuple(matte.shape)}")
