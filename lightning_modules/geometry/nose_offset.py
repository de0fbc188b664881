"""How far a head is turned to the side, from landmarks in the plane alone."""

from __future__ import annotations

from lightning_modules.geometry.landmark_groups import NOSE_TIP, Points


def nose_offset(landmarks: Points) -> Points:
    """How far the nose tip lies beside the middle of the outer eye corners, as a share of their distance.

    Args:
        landmarks: (..., 68, 2 | 3), order (x, y), any unit; a tensor or an array.

    Returns:
        (...): along the line through the corners, positive towards point 45; 0 from the front, about 0.5 in half
        profile, more beyond. Turning, scaling or moving the picture does not change it.
    """
    first, second = landmarks[..., 36, :2], landmarks[..., 45, :2]
    eyes, nose = second - first, landmarks[..., NOSE_TIP, :2] - (first + second) / 2
    offset: Points = (nose * eyes).sum(-1) / (eyes * eyes).sum(-1).clip(1e-9)
    return offset
