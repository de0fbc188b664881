"""From a few muscles to 68 landmarks: jaw, lips, lids and brows in a face's own coordinates, then the head as a whole.

Face coordinates as in :mod:`~lightning_modules.audio.face_axes`: outer-eye distance 1, x right, y down, z towards the
viewer. Everything is a displacement from the photo's own landmarks, so that a face at rest stays exactly as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LID_PAIRS, OUTER_LIP_PAIRS

JAW_ANGLE = 0.20
"""Rotation of the fully opened jaw, in radians."""

HINGE_Y, HINGE_Z = 0.18, -0.87
"""The jaw's hinge, below and behind the eyes."""

NARROWING = 0.15
"""How far an opening jaw draws the corners inward, as a share of full rounding."""

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Expression:
    """Movement of the face over time, each (T,) float64.

    Attributes:
        jaw: opening in [0, 1].
        width: corners outward (+) or rounded (-), in [-1, 1].
        bare: parting of the lips beyond the jaw, in [0, 1].
        closing: how far the photo's own parted lips are brought together, in [0, 1].
        blink: how far the lids are closed, in [0, 1].
        brows: upward movement of the brows in face units.
    """

    jaw: _Array
    width: _Array
    bare: _Array
    closing: _Array
    blink: _Array
    brows: _Array

    def part(self, start: int, stop: int) -> Expression:
        """The frames from ``start`` to before ``stop``."""
        return Expression(**{name: values[start:stop] for name, values in vars(self).items()})


@dataclass(frozen=True)
class HeadPose:
    """The head over time, each (T,) float64: angles in radians, shifts in face units.

    Attributes:
        pitch: nodding down (+).
        yaw: turning to the right of the picture (+).
        roll: tilting clockwise as the viewer sees it (+).
        right: shift to the right.
        down: shift downwards.
    """

    pitch: _Array
    yaw: _Array
    roll: _Array
    right: _Array
    down: _Array

    def part(self, start: int, stop: int) -> HeadPose:
        """The frames from ``start`` to before ``stop``."""
        return HeadPose(**{name: values[start:stop] for name, values in vars(self).items()})


def displacements(face: _Array, expression: Expression, least_lid_gap: float) -> _Array:
    """Where an expression moves the points of a face, head still.

    Args:
        face: (68, 3) the face at rest, face coordinates.
        expression: T frames.
        least_lid_gap: distance that a blink leaves between the lids, face units.

    Returns:
        (T, 68, 3) displacements from ``face``, face coordinates.
    """
    moved = expression.closing[:, None, None] * closing_of(face)
    moved = moved + _jaw_rotation(face, expression.jaw)
    _shape_lips(face, expression, moved)
    for upper, lower in LID_PAIRS:
        gap = face[lower] - face[upper]
        distance = float(np.linalg.norm(gap))
        share = np.minimum(expression.blink, max(0.0, 1.0 - least_lid_gap / max(distance, 1e-9)))[:, None]
        moved[:, upper] += 0.8 * share * gap
        moved[:, lower] -= 0.2 * share * gap
    moved[:, 17:27, 1] -= expression.brows[:, None]
    return moved


def closing_of(face: _Array) -> _Array:
    """The displacement that brings parted lips together, as for a photo that smiles or speaks.

    Inner lips meet at 0.4 of the gap below the upper one, and outer lips follow by 0.85. Of a gap wider than 0.12 the
    jaw takes a part (up to 0.7 of it), as a mouth that far open has its jaw down; below that only lips move, as in a
    smile that shows teeth on closed jaws.

    Args:
        face: (68, 3) face coordinates.

    Returns:
        (68, 3).
    """
    widest = max(float(face[lower, 1] - face[upper, 1]) for upper, lower in INNER_LIP_PAIRS)
    by_jaw = min(max((widest - 0.12) / 0.2, 0.0), 0.7) * widest
    lever = float(face[66, 2]) - HINGE_Z
    moved: _Array = _jaw_rotation(face, np.array([-by_jaw / (JAW_ANGLE * max(lever, 0.3))]))[0]
    followers = dict(zip(INNER_LIP_PAIRS, OUTER_LIP_PAIRS[1:4], strict=True))
    for (upper, lower), (outer_upper, outer_lower) in followers.items():
        gap = max(float((face + moved)[lower, 1] - (face + moved)[upper, 1]), 0.0)
        moved[upper, 1] += 0.4 * gap
        moved[lower, 1] -= 0.6 * gap
        moved[outer_upper, 1] += 0.85 * 0.4 * gap
        moved[outer_lower, 1] -= 0.85 * 0.6 * gap
    _rebalance(moved[None])
    return moved


def turn_head(face: _Array, moved: _Array, pose: HeadPose) -> _Array:
    """Turn an expressive face about its neck, roll first, then pitch, then yaw, and shift it.

    The neck point is twice the middle of points 2 and 14 minus the nose base, 33.

    Args:
        face: (68, 3) the face at rest.
        moved: (T, 68, 3) displacements by the expression.
        pose: T frames.

    Returns:
        (T, 68, 3) displacements from ``face`` by expression and head together.
    """
    neck = face[2] + face[14] - face[33]
    arm = face - neck
    turn = rotation(pose) - np.eye(3)
    shift = np.stack([pose.right, pose.down, np.zeros_like(pose.right)], axis=1)
    turned: _Array = moved + (arm + moved) @ turn.transpose(0, 2, 1) + shift[:, None]
    return turned


def rotation(pose: HeadPose) -> _Array:
    """Rotation matrices (T, 3, 3) of a pose; they act on column vectors in face coordinates."""
    zero, one = np.zeros_like(pose.yaw), np.ones_like(pose.yaw)

    def matrix(*rows: tuple[_Array, _Array, _Array]) -> _Array:
        return np.stack([np.stack(row, axis=1) for row in rows], axis=1)

    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    yaw = matrix((c, zero, s), (zero, one, zero), (-s, zero, c))
    c, s = np.cos(pose.pitch), np.sin(pose.pitch)
    pitch = matrix((one, zero, zero), (zero, c, s), (zero, -s, c))
    c, s = np.cos(pose.roll), np.sin(pose.roll)
    roll = matrix((c, -s, zero), (s, c, zero), (zero, zero, one))
    turned: _Array = yaw @ pitch @ roll
    return turned


def keep_apart(
    points: _Array, down: _Array, least: float, pairs: tuple[tuple[int, int], ...] = INNER_LIP_PAIRS
) -> None:
    """Hold the lower point of each pair at least ``least`` below the upper one, in place.

    Both give way by half, so that lips never cross and a warp that follows them stays invertible.

    Args:
        points: (T, 68, 3) pixels.
        down: (T, 2) unit vectors in the picture, down the face.
        least: distance in pixels.
        pairs: (upper, lower) point numbers.
    """
    for upper, lower in pairs:
        gap = ((points[:, lower, :2] - points[:, upper, :2]) * down).sum(axis=1)
        push = 0.5 * np.maximum(least - gap, 0.0)[:, None] * down
        points[:, upper, :2] -= push
        points[:, lower, :2] += push


def _jaw_weights() -> _Array:
    """How much of the jaw's rotation each of the 68 points takes."""
    weight = np.zeros(68)
    weight[:17] = np.clip(1.45 * (1.0 - np.abs(np.arange(17) - 8.0) / 8.0), 0.0, 1.0) ** 1.5
    weight[[56, 57, 58, 65, 66, 67]] = 1.0
    weight[[55, 59]] = 0.9
    weight[[48, 54]] = 0.35
    weight[[60, 64]] = 0.40
    return weight


_JAW_WEIGHTS = _jaw_weights()
_JAW_POINTS = np.flatnonzero(_JAW_WEIGHTS)


def _jaw_rotation(face: _Array, jaw: _Array) -> _Array:
    """(T, 68, 3) displacements by rotating the lower face about the hinge."""
    angle = JAW_ANGLE * jaw[:, None] * _JAW_WEIGHTS[_JAW_POINTS]
    y, z = face[_JAW_POINTS, 1] - HINGE_Y, face[_JAW_POINTS, 2] - HINGE_Z
    c, s = np.cos(angle), np.sin(angle)
    moved = np.zeros((len(jaw), 68, 3))
    moved[:, _JAW_POINTS, 1] = y * c + z * s - y
    moved[:, _JAW_POINTS, 2] = -y * s + z * c - z
    return moved


def _width_weights() -> _Array:
    weight = np.zeros(68)
    weight[[48, 54, 60, 64]] = 1.0
    weight[[49, 53, 55, 59]] = 0.75
    weight[[50, 52, 56, 58]] = 0.4
    weight[[61, 63, 65, 67]] = 0.45
    return weight[48:]


_WIDTH_WEIGHTS = _width_weights()
_UPPER_LIP, _LOWER_LIP = [49, 50, 51, 52, 53, 61, 62, 63], [55, 56, 57, 58, 59, 65, 66, 67]


def _shape_lips(face: _Array, expression: Expression, moved: _Array) -> None:
    """Add width, protrusion and parting of the lips to ``moved``, in place."""
    middle = 0.5 * (face[48] + face[54])
    mouth_width = float(face[54, 0] - face[48, 0])
    aside = face[48:, 0] - middle[0]
    width = expression.width - NARROWING * expression.jaw
    pull = width * np.where(width > 0, 0.10, 0.19) * mouth_width
    moved[:, 48:, 0] += pull[:, None] * np.sign(aside) * _WIDTH_WEIGHTS
    bulge = np.zeros(68)
    bulge[48:] = np.cos(0.5 * np.pi * np.clip(np.abs(aside) / max(0.5 * mouth_width, 1e-9), 0.0, 1.0))
    protrusion = np.maximum(-width, 0.0)[:, None]
    upper = (0.25 * expression.jaw + 0.45 * expression.bare)[:, None]
    lower = (0.25 * expression.jaw + 0.60 * expression.bare)[:, None]
    moved[:, 48:, 2] += 0.09 * bulge[48:] * protrusion
    # Protrusion thickens the lips; it must not part them, so it acts on the outer contour alone.
    outer = np.arange(68) < 60
    moved[:, _UPPER_LIP, 1] -= (0.045 * upper + 0.012 * protrusion * outer[_UPPER_LIP]) * bulge[_UPPER_LIP]
    moved[:, _LOWER_LIP, 1] += (0.045 * lower + 0.012 * protrusion * outer[_LOWER_LIP]) * bulge[_LOWER_LIP]
    _rebalance(moved)


def _rebalance(moved: _Array) -> None:
    """Draw the outer points beside the corners half-way to where their neighbours take them, in place: rounder lips."""
    for point, before, after in ((49, 48, 50), (53, 52, 54), (55, 54, 56), (59, 58, 48)):
        moved[:, point] = 0.5 * moved[:, point] + 0.25 * (moved[:, before] + moved[:, after])
