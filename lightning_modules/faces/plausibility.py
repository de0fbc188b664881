"""Whether 68 points can be a face: not collapsed, mouth below eyes, nose between, most of it in the photo."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import CHIN, LEFT_EYE, LIPS, NOSE_BASE, RIGHT_EYE

SMALLEST_EYE_DISTANCE = 6.0


def eye_and_mouth_axes(landmarks: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two vectors in the picture plane: right eye to left eye, and between the eyes to the mouth."""
    points = np.asarray(landmarks, dtype=np.float64)[:, :2]
    right, left = points[list(RIGHT_EYE)].mean(0), points[list(LEFT_EYE)].mean(0)
    return left - right, points[list(LIPS)].mean(0) - (left + right) / 2


def roll(landmarks: npt.NDArray[np.floating]) -> float:
    """Angle in degrees by which a face is turned in the picture plane, (−180, 180], positive clockwise as seen."""
    _, down = eye_and_mouth_axes(landmarks)
    return math.degrees(math.atan2(-down[0], down[1]))


def handedness(landmarks: npt.NDArray[np.floating]) -> float:
    """Sine of the angle from the eye axis to the mouth axis: 1 for a face, −1 for mirrored numbering, 0 collapsed."""
    across, down = eye_and_mouth_axes(landmarks)
    length = float(np.linalg.norm(across) * np.linalg.norm(down))
    return float(across[0] * down[1] - across[1] * down[0]) / length if length > 0 else 0.0


def looks_like_a_face(landmarks: npt.NDArray[np.floating], width: int, height: int) -> bool:
    """Whether landmarks ``(68, 2|3)`` in photo pixels have the proportions of a face that lies in the photo.

    Wide limits: they refuse collapsed and exploded meshes, not unusual faces or heads turned by 60 degrees.
    """
    points = np.asarray(landmarks, dtype=np.float64)[:, :2]
    if not np.isfinite(points).all():
        return False
    across, down = eye_and_mouth_axes(points)
    size = max(float(np.linalg.norm(points[45] - points[36])), float(np.linalg.norm(down)))
    if size < SMALLEST_EYE_DISTANCE or handedness(points) < 0.4:
        return False
    ratio = float(np.linalg.norm(down)) / max(float(np.linalg.norm(across)), 1e-9)
    if not 0.5 < ratio < 6.0:
        return False
    # along the face: nose between eyes and mouth, chin below the mouth
    axis = down / np.linalg.norm(down)
    middle = points[[*RIGHT_EYE, *LEFT_EYE]].mean(0)
    nose = float((points[list(NOSE_BASE)].mean(0) - middle) @ axis) / float(np.linalg.norm(down))
    chin = float((points[CHIN] - middle) @ axis) / float(np.linalg.norm(down))
    if not (0.2 < nose < 1.0 and 1.1 < chin < 3.0):
        return False
    inside = (points > -0.5).all(1) & (points[:, 0] < width - 0.5) & (points[:, 1] < height - 0.5)
    return float(inside.mean()) >= 0.4
