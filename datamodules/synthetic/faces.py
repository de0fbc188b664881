"""Synthetic faces as 68 points: a parametric template with random proportions, and how it talks and blinks.

The template is our own (stage 1, Appendix C; identities after section 19): unit 1 is the distance of the outer eye
corners, origin between them, x right, y down, z towards the viewer. No real person was measured for it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import (
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    LIPS,
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    MIRROR,
    NOSE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
)

Face = npt.NDArray[np.float64]
_LIP_LINE: Final = 0.77


def template() -> Face:
    """Return the mean face, (68, 3), exactly symmetric, mouth closed."""
    points = np.zeros((68, 3))
    along = np.abs(np.arange(17) - 8) / 8
    angle = (1 - along) * np.pi / 2
    points[:17, 0] = np.sign(np.arange(17) - 8) * 0.81 * np.cos(angle) ** 0.72
    points[:17, 1] = -0.05 + 1.34 * np.sin(angle) ** 1.1
    points[:17, 2] = -0.20 - 0.69 * np.cos(angle) ** 0.8
    points[8] = (0, 1.29, -0.20)
    u = np.arange(5) / 4
    points[17:22, 0] = (-0.66, -0.56, -0.44, -0.33, -0.22)
    points[17:22, 1] = -0.23 - 0.15 * np.sin(np.pi * (0.15 + 0.7 * u)) * (1 - 0.25 * u)
    points[17:22, 2] = -0.07 + 0.27 * np.sin(u * np.pi / 2)
    points[27:31] = [(0, 0, 0.14), (0, 0.16, 0.20), (0, 0.31, 0.27), (0, 0.43, 0.30)]
    points[31:36, 0] = (-0.145, -0.08, 0, 0.08, 0.145)
    points[31:36, 1] = (0.515, 0.535, 0.54, 0.535, 0.515)
    points[31:36, 2] = (0.075, 0.10, 0.12, 0.10, 0.075)
    points[36:42, 0] = (-0.50, -0.42, -0.32, -0.23, -0.32, -0.42)
    points[36:42, 1] = (0, -0.045, -0.045, 0.01, 0.04, 0.04)
    points[36:42, 2] = (0, 0.07, 0.085, 0.05, 0.07, 0.055)
    points[48:60, 0] = (-0.33, -0.22, -0.08, 0, 0.08, 0.22, 0.33, 0.22, 0.12, 0, -0.12, -0.22)
    points[48:60, 1] = (0.770, 0.730, 0.680, 0.705, 0.680, 0.730, 0.770, 0.840, 0.880, 0.895, 0.880, 0.840)
    points[48:60, 2] = (-0.14, 0, 0.10, 0.11, 0.10, 0, -0.14, -0.02, 0.05, 0.06, 0.05, -0.02)
    points[60:68, 0] = (-0.30, -0.10, 0, 0.10, 0.30, 0.10, 0, -0.10)
    points[60:68, 1] = _LIP_LINE
    points[60:68, 2] = (-0.13, 0.04, 0.065, 0.04, -0.13, 0.04, 0.065, 0.04)
    mirrored = points[list(MIRROR)] * (-1, 1, 1)
    for own in (LEFT_BROW, LEFT_EYE):  # given for the subject's right side only
        points[list(own)] = mirrored[list(own)]
    return points


def random_face(generator: np.random.Generator) -> Face:
    """Return a face with proportions of its own, (68, 3), symmetric, mouth closed."""

    def share(reach: float) -> float:
        return float(1 + generator.uniform(-reach, reach))

    points = template()
    lips = points[list(LIPS)]
    lips[:, 0] *= share(0.2)
    lips[:, 1] = _LIP_LINE + (lips[:, 1] - _LIP_LINE) * share(0.4)
    points[list(LIPS)] = lips
    points[list(NOSE), 1] *= share(0.12)
    opening = share(0.3)
    for eye in (RIGHT_EYE, LEFT_EYE):
        points[list(eye), 1] *= opening
    points[[*RIGHT_BROW, *LEFT_BROW], 1] *= share(0.15)
    taper = share(0.12) - 1
    points[list(JAW), 0] *= 1 + taper * points[list(JAW), 1]
    points[:, 0] *= share(0.1)
    points[:, 1] *= share(0.1)
    return points


def moved_face(face: Face, *, mouth: float = 0.0, blink: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> Face:
    """Return a face in another expression and posture.

    Args:
        face: (68, 3).
        mouth: opening between the lips in eye distances, 0 to about 0.3; the jaw goes along.
        blink: 0 open to 1 closed.
        yaw: turn of the head in degrees, positive towards the right of the picture.
        roll: tilt in degrees, positive clockwise.
    """
    points = face.copy()
    points[[*LOWER_OUTER_LIP, *LOWER_INNER_LIP], 1] += mouth
    points[list(JAW), 1] += mouth * np.clip(points[list(JAW), 1] / 1.29, 0, 1) ** 2
    points[[*OUTER_LIP, *INNER_LIP], 0] *= 1 - 0.4 * mouth
    for eye in (RIGHT_EYE, LEFT_EYE):
        lids = points[list(eye), 1]
        points[list(eye), 1] = lids + 0.95 * blink * (lids.max() - lids)
    turn, tilt = np.radians(yaw), np.radians(roll)
    around = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    across = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    center = np.array((0, 0.5, -0.4))
    return np.asarray((points - center) @ (across @ around).T + center)


def talking_face(generator: np.random.Generator, face: Face, frames: int) -> npt.NDArray[np.float64]:
    """Return a track (T, 68, 3) of a face that talks, blinks and sways smoothly, at 25 frames a second."""
    time = np.arange(frames) / 25.0
    phases = generator.uniform(0, 2 * np.pi, 6)
    syllables = np.sin(2 * np.pi * 3.5 * time + phases[0]) + 0.5 * np.sin(2 * np.pi * 5.7 * time + phases[1])
    mouth = 0.12 * np.clip(syllables, 0, None)
    blink = np.clip(1 - np.abs((time - generator.uniform(0.1, 1.0)) / 0.12), 0, 1)
    yaw = 6 * np.sin(2 * np.pi * 0.4 * time + phases[2])
    roll = 3 * np.sin(2 * np.pi * 0.3 * time + phases[3])
    rows = zip(mouth, blink, yaw, roll, strict=True)
    return np.stack([moved_face(face, mouth=m, blink=b, yaw=y, roll=r) for m, b, y, r in rows])


def in_crop(points: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float32]:
    """Place faces (..., 68, 3) as the paper's portrait crop does for a frontal one, pixels of a square of ``size``.

    A mean face's landmarks span 0.55 of the side, its chin lies at 0.87.
    """
    scale = 0.55 * size / 1.62
    offset = np.array((size / 2 - 0.5, 0.87 * size - 0.5 - 1.29 * scale, 0.0))
    return np.asarray(points * scale + offset, np.float32)
