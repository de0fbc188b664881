"""From articulatory parameters to 68 landmarks, all frames at once (reference §19.5).

Face units: the outer eye corners are 1 apart (75 to 90 mm), x right, y down, z towards the viewer. Every face moves
about its own mouth: widths scale with its mouth, what lips do with the thickness of its lips.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import (
    INNER_LIP_PAIRS,
    LEFT_BROW,
    LIPS,
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    OUTER_OF_INNER,
    RIGHT_BROW,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)

Array = npt.NDArray[np.float64]

HINGE: Final = (0.18, -0.87)
"""y and z of the axis about which the jaw turns."""

_JAW_ANGLE: Final = 0.20
_TEMPLATE_LIPS: Final = 0.19  # height of the template's closed lips
_WIDTH_SHARE: Final = {
    **dict.fromkeys((48, 54, 60, 64), 1.0),
    **dict.fromkeys((49, 53, 55, 59), 0.75),
    **dict.fromkeys((50, 52, 56, 58), 0.4),
    **dict.fromkeys((61, 63, 65, 67), 0.45),
}
_JAW_SHARE: Final = {
    **dict.fromkeys((56, 57, 58, 65, 66, 67), 1.0),
    **dict.fromkeys((55, 59), 0.9),
    **dict.fromkeys((48, 54), 0.35),
    **dict.fromkeys((60, 64), 0.40),
}
_BALANCED: Final = {49: (48, 50), 53: (52, 54), 55: (54, 56), 59: (58, 48)}
_BITE_GAP: Final = 0.012


def jaw_shares() -> Array:
    """Return how far each point turns with the jaw, (68,) in [0, 1]."""
    shares = np.zeros(68)
    shares[:17] = np.clip(1.45 * (1 - np.abs(np.arange(17) - 8) / 8), 0, 1) ** 1.5
    for point, share in _JAW_SHARE.items():
        shares[point] = share
    return shares


def move_face(
    face: npt.NDArray[np.floating], parameters: npt.NDArray[np.floating], brows: Array | None = None
) -> Array:
    """Return a face in motion.

    Args:
        face: (68, 3) at rest, face units.
        parameters: (T, 7), columns J, W, P, U, L, C, F.
        brows: (T,) by how much the brows are raised, face units; None for not at all.

    Returns:
        (T, 68, 3), head at rest. The inner lips never cross.
    """
    rest = np.asarray(face, np.float64)
    j, w, p, u, low, closed, bitten = np.asarray(parameters, np.float64).T[..., None]  # each (T, 1)
    points = _jaw_turned(rest, j)
    lips = list(LIPS)
    middle = (rest[48, 0] + rest[54, 0]) / 2
    mouth = rest[54, 0] - rest[48, 0]
    thick = np.clip((rest[57, 1] - rest[51, 1] - (rest[66, 1] - rest[62, 1])) / _TEMPLATE_LIPS, 0.5, 1.6)
    shares = np.zeros(68)
    for point, share in _WIDTH_SHARE.items():
        shares[point] = share
    side = np.sign(rest[:, 0] - middle) * shares
    points[..., 0] += side * w * np.where(w > 0, 0.10, 0.19) * mouth
    roof = np.zeros(68)
    roof[lips] = np.cos(np.pi / 2 * np.clip(np.abs(rest[lips, 0] - middle) / (mouth / 2), 0, 1))
    points[..., 2] += 0.09 * roof * p
    upper, lower = [*UPPER_OUTER_LIP, *UPPER_INNER_LIP], [*LOWER_OUTER_LIP, *LOWER_INNER_LIP]
    points[:, upper, 1] -= thick * (0.045 * u + 0.012 * p) * roof[upper]
    points[:, lower, 1] += thick * (0.045 * low + 0.012 * p) * roof[lower]
    _close(points, closed[:, 0])
    _bite(points, bitten[:, 0])
    for point, (one, other) in _BALANCED.items():
        offset = rest[point] - (rest[one] + rest[other]) / 2
        points[:, point] += 0.5 * ((points[:, one] + points[:, other]) / 2 + offset - points[:, point])
    points[:, 31:36, 1] -= 0.01 * np.maximum(w, 0)
    if brows is not None:
        points[:, [*RIGHT_BROW, *LEFT_BROW], 1] -= brows[:, None]
    return points


def _jaw_turned(rest: Array, jaw: Array) -> Array:
    """The face with the jaw turned about its hinge: y' = h + ȳ cos θ + z̄ sin θ, z' = h − ȳ sin θ + z̄ cos θ."""
    angle = _JAW_ANGLE * jaw * jaw_shares()  # (T, 68)
    across, along = rest[:, 1] - HINGE[0], rest[:, 2] - HINGE[1]
    points = np.broadcast_to(rest, (len(jaw), 68, 3)).copy()
    points[..., 1] = HINGE[0] + across * np.cos(angle) + along * np.sin(angle)
    points[..., 2] = HINGE[1] - across * np.sin(angle) + along * np.cos(angle)
    return points


def _close(points: Array, closed: Array) -> None:
    """Bring upper and lower inner lip together at a quarter of the gap below the upper one, outer lips behind them."""
    for upper, lower in INNER_LIP_PAIRS:
        gap = points[:, lower, 1] - points[:, upper, 1]
        down, up = 0.25 * closed * gap, 0.75 * closed * gap
        points[:, upper, 1] += down
        points[:, lower, 1] -= up
        points[:, OUTER_OF_INNER[upper], 1] += 0.85 * down
        points[:, OUTER_OF_INNER[lower], 1] -= 0.85 * up


def _bite(points: Array, bitten: Array) -> None:
    """Raise the lower lip to just below the upper teeth and draw it in; never lower it."""
    for upper, lower in INNER_LIP_PAIRS:
        up = bitten * np.maximum(points[:, lower, 1] - points[:, upper, 1] - _BITE_GAP, 0.0)
        points[:, lower, 1] -= up
        points[:, OUTER_OF_INNER[lower], 1] -= 0.7 * up
        points[:, lower, 2] -= 0.03 * bitten
        points[:, OUTER_OF_INNER[lower], 2] -= 0.02 * bitten


def inner_gap(landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the mean height between the inner lips, (...,), of landmarks (..., 68, 3), in their units."""
    gaps = [landmarks[..., lower, 1] - landmarks[..., upper, 1] for upper, lower in INNER_LIP_PAIRS]
    return np.asarray(np.mean(gaps, axis=0))
