"""A face's own axes: where right, down and forward are for a head that may be tilted or turned, and how large it is.

In face coordinates the outer eye corners are 1 apart, the origin lies between them, x points to the right of the
picture, y down the face and z out of it. A parametric average face gives the axes: it is laid over the landmarks by the
best rotation, scale and shift (Kabsch 1976).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLAT_BELOW = 0.1
"""Landmarks whose depth spans less than this, in outer-eye distances, count as flat."""


@dataclass(frozen=True)
class FaceAxes:
    """Place, size and orientation of a face, and the face in its own coordinates.

    Attributes:
        local: (68, 3) float64 landmarks in face coordinates. Flat landmarks get the depth of the average face.
        axes: (3, 3) columns are the face's x, y and z in picture coordinates.
        unit: pixels per face unit, about the outer-eye distance.
    """

    local: NDArray[np.float64]
    axes: NDArray[np.float64]
    unit: float

    def to_pixels(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn displacements (..., 3) in face coordinates into displacements in pixels."""
        return vectors @ (self.unit * self.axes.T)


def face_axes(landmarks: NDArray[np.floating]) -> FaceAxes:
    """Find the axes of a face.

    Args:
        landmarks: (68, 3) pixels; x right, y down, z towards the viewer. With z all alike (drawn or hand-placed
            landmarks) only the tilt within the picture is found, and depth is that of the average face.

    Raises:
        ValueError: the shape is another, a value is not finite, or all points lie at one place.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 3) or not np.isfinite(points).all():
        raise ValueError(f"a face has (68, 3) finite landmarks, not {points.shape}")
    eyes = float(np.linalg.norm(points[45, :2] - points[36, :2]))
    span = float(np.ptp(points[:, 0]))
    if max(eyes, span) < 1e-6:
        raise ValueError("the landmarks of the face all lie at one place")
    flat = float(np.ptp(points[:, 2])) < FLAT_BELOW * max(eyes, 0.3 * span)
    model = average_face()
    weight = np.ones(68)
    # What expression moves counts less; most of all the chin, which is far down in a shout.
    weight[:17], weight[4:13], weight[17:27], weight[48:] = 0.3, 0.05, 0.5, 0.1
    used = model.copy()
    if flat:
        points = np.concatenate([points[:, :2], np.zeros((68, 1))], axis=1)
        used[:, 2] = 0.0
    axes, unit, place = _best_fit(used, points, weight)
    local = (points - place) @ axes / unit
    if flat:
        local[:, 2] = model[:, 2]
    return FaceAxes(local, axes, unit)


def _best_fit(
    model: NDArray[np.float64], points: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Rotation, scale and shift with points ≈ scale · model @ rotation.T + shift, by weighted least squares."""
    share = weight / weight.sum()
    centre, middle = share @ model, share @ points
    a, b = model - centre, points - middle
    u, singular, vt = np.linalg.svd((b * share[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (share @ (a**2).sum(axis=1)))
    return rotation, scale, middle - scale * (rotation @ centre)


def average_face() -> NDArray[np.float64]:
    """A parametric average face with closed lips and open eyes.

    Returns:
        (68, 3) float64 in face coordinates (outer-eye distance 1, y down, z towards the viewer).
    """
    along = np.arange(17) - 8.0
    bend = (1.0 - np.abs(along) / 8.0) * np.pi / 2.0
    jaw = np.stack(
        [
            np.sign(along) * 0.81 * np.cos(bend) ** 0.72,
            -0.05 + 1.34 * np.sin(bend) ** 1.1,
            -0.20 - 0.69 * np.cos(bend) ** 0.8,
        ],
        axis=1,
    )
    jaw[8] = 0.0, 1.29, -0.20
    u = np.arange(5) / 4.0
    brow = np.stack(
        [
            -np.array([0.66, 0.56, 0.44, 0.33, 0.22]),
            -0.23 - 0.15 * np.sin(np.pi * (0.15 + 0.7 * u)) * (1.0 - 0.25 * u),
            -0.07 + 0.27 * np.sin(u * np.pi / 2.0),
        ],
        axis=1,
    )
    bridge = [[0, 0, 0.14], [0, 0.16, 0.20], [0, 0.31, 0.27], [0, 0.43, 0.30]]
    base_x, base_y, base_z = (-0.145, -0.08, 0, 0.08, 0.145), (0.515, 0.535, 0.54), (0.075, 0.10, 0.12)
    base = [[x, base_y[i], base_z[i]] for x, i in zip(base_x, (0, 1, 2, 1, 0), strict=True)]
    upper_lid = [[-0.5, 0, 0], [-0.42, -0.045, 0.07], [-0.32, -0.045, 0.085], [-0.23, 0.01, 0.05]]
    eye = np.array([*upper_lid, [-0.32, 0.04, 0.07], [-0.42, 0.04, 0.055]])
    mirror = np.array([-1.0, 1.0, 1.0])
    outer_x = (-0.33, -0.22, -0.08, 0, 0.08, 0.22, 0.33, 0.22, 0.12, 0, -0.12, -0.22)
    outer_y = (0.770, 0.730, 0.680, 0.705, 0.680, 0.730, 0.770, 0.840, 0.880, 0.895, 0.880, 0.840)
    outer_z = (-0.14, 0, 0.10, 0.11, 0.10, 0, -0.14, -0.02, 0.05, 0.06, 0.05, -0.02)
    inner_x = (-0.30, -0.10, 0, 0.10, 0.30, 0.10, 0, -0.10)
    inner_z = (-0.13, 0.04, 0.065, 0.04, -0.13, 0.04, 0.065, 0.04)
    inner = np.stack([inner_x, [0.770] * 8, inner_z], axis=1)
    outer = np.stack([outer_x, outer_y, outer_z], axis=1)
    left_eye = (eye * mirror)[[3, 2, 1, 0, 5, 4]]
    return np.concatenate([jaw, brow, (brow * mirror)[::-1], bridge, base, eye, left_eye, outer, inner])
