"""The square around 68 landmarks that the landmark network is shown, and the same square shown a little differently.

Pixel centres are at integers, x right, y down. A position in a crop is a fraction of its side, counted from the outer
edge of its first pixel: the centre of pixel p of n is at (p + 0.5) / n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.faces.face_region import FaceRegion, cut_region
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.faces.plausibility import eye_and_mouth_axes
from lightning_modules.geometry.landmark_groups import MIRROR

REGION_OVER_LANDMARKS: Final = 1.3
"""The network was trained on squares this many times the longer side of the landmarks' own box."""

CROP_SIDE: Final = 112
"""Side of the network's input, pixels."""

PAPER: Final = 255
"""Brightness of what lies outside of the picture."""


@dataclass(frozen=True)
class View:
    """One way to look at a face: a square of the picture, as it is or as its mirror image."""

    region: FaceRegion
    mirrored: bool = False


@dataclass(frozen=True)
class Nudge:
    """How a square is changed to see whether the landmarks stay where they are.

    Attributes:
        right: shift along its own horizontal axis, shares of its side.
        down: shift along its own vertical axis, shares of its side.
        scale: factor on its side.
        turn: added to its angle, degrees clockwise.
        mirrored: whether its mirror image is shown.
    """

    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    turn: float = 0.0
    mirrored: bool = False

    def applied_to(self, region: FaceRegion) -> View:
        """The view of a region with this change."""
        cosine, sine = math.cos(region.angle), math.sin(region.angle)
        changed = FaceRegion(
            region.center_x + region.side * (cosine * self.right - sine * self.down),
            region.center_y + region.side * (sine * self.right + cosine * self.down),
            region.side * self.scale,
            region.angle + math.radians(self.turn),
        )
        return View(changed, self.mirrored)


def region_of_landmarks(landmarks: npt.NDArray[np.floating]) -> FaceRegion:
    """The square to show the network for a face that is known roughly: 1.3 times its landmarks' box, eyes level.

    Args:
        landmarks: (68, 2|3) picture pixels.
    """
    across, _ = eye_and_mouth_axes(landmarks)
    angle = math.atan2(float(across[1]), float(across[0]))
    cosine, sine = math.cos(angle), math.sin(angle)
    upright = np.asarray(landmarks, np.float64)[:, :2] @ np.array([[cosine, -sine], [sine, cosine]])
    low, high = upright.min(0), upright.max(0)
    middle_x, middle_y = (low + high) / 2
    side = max(float((high - low).max()) * REGION_OVER_LANDMARKS, 1.0)
    return FaceRegion(cosine * middle_x - sine * middle_y, sine * middle_x + cosine * middle_y, side, angle)


def cut_views(rgb: RgbPixels, views: Sequence[View]) -> npt.NDArray[np.float32]:
    """What the network is shown.

    Args:
        rgb: (H, W, 3) uint8.
        views: they may stick out of the picture; there it is white.

    Returns:
        (B, 112, 112, 3) RGB in [0, 1].
    """
    crops = np.empty((len(views), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for crop, view in zip(crops, views, strict=True):
        cut = cut_region(rgb, view.region, CROP_SIDE, fill=PAPER)
        crop[:] = cut[:, ::-1] if view.mirrored else cut
    return crops.astype(np.float32) / np.float32(255)


def to_picture(fractions: npt.NDArray[np.floating], views: Sequence[View]) -> npt.NDArray[np.float64]:
    """Answers of the network in picture pixels.

    Args:
        fractions: (B, 68, 2) of the crops' sides; those of mirrored views in the numbering of the mirror image.
        views: that were shown.

    Returns:
        (B, 68, 2) in the numbering of the picture.
    """
    points = np.asarray(fractions, np.float64) * CROP_SIDE - 0.5
    for number, view in enumerate(views):
        if view.mirrored:
            points[number] = points[number, list(MIRROR)]
            points[number, :, 0] = (CROP_SIDE - 1) - points[number, :, 0]
        matrix = view.region.matrix(CROP_SIDE)
        points[number] = points[number] @ matrix[:, :2].T + matrix[:, 2]
    return points


def face_size(landmarks: npt.NDArray[np.floating]) -> float:
    """What errors of landmarks are measured in: the outer-eye distance, or eyes to mouth where a turn makes it short.

    Args:
        landmarks: (68, 2|3), at least 1e-6 is returned.
    """
    _, down = eye_and_mouth_axes(landmarks)
    points = np.asarray(landmarks, np.float64)
    eyes = float(np.linalg.norm(points[45, :2] - points[36, :2]))
    return max(eyes, float(np.linalg.norm(down)), 1e-6)
