"""What the curves of recorded performances are called, and which shapes of the 3D face they move.

Two vocabularies are known: Apple's ARKit names (``jawOpen``, ``mouthSmileLeft`` or ``mouthSmile_L``), which the face
model shares, and those of FACEGOOD Audio2Face (``mouth_stretch_c``). The latter's shapes have no published geometry;
the gains below were set by eye and by measure: while the voice sounds, the inner lips of the average face are 0.06 to
0.10 of the outer-eye distance apart in the median and 0.13 to 0.17 at the 90th percentile (8 filmed speakers: 0.08 and
0.16), and closed lips stay closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Shares = Mapping[str, float]
"""Gain by the name of a shape of the face."""


def _sides(curve: str, shape: str) -> dict[str, Shares]:
    return {f"{curve}_l": {f"{shape}_L": 1.0}, f"{curve}_r": {f"{shape}_R": 1.0}}


FACEGOOD: Final[Mapping[str, Shares]] = {
    # The jaw of the face model opens as wide as a jaw can; a full weight of the takes is a wide vowel.
    "mouth_stretch_c": {"jawOpen": 0.85},
    "mouth_oh_c": {"jawOpen": 0.17, "mouthFunnel": 0.4},
    "mouth_oo_c": {"mouthPucker": 1.0},
    "mouth_pucker_l": {"mouthPucker": 0.5},
    "mouth_pucker_r": {"mouthPucker": 0.5},
    "mouth_funnel_dl": {"mouthFunnel": 0.25},
    "mouth_funnel_dr": {"mouthFunnel": 0.25},
    "mouth_funnel_ul": {"mouthFunnel": 0.25},
    "mouth_funnel_ur": {"mouthFunnel": 0.25},
    "mouth_suck_dl": {"mouthRollLower": 0.5},
    "mouth_suck_dr": {"mouthRollLower": 0.5},
    "mouth_suck_ul": {"mouthRollUpper": 0.5},
    "mouth_suck_ur": {"mouthRollUpper": 0.5},
    "mouth_chinRaise_d": {"mouthShrugLower": 1.0},
    "mouth_chinRaise_u": {"mouthShrugUpper": 1.0},
    "jaw_sideways_l": {"jawLeft": 1.0},
    "jaw_sideways_r": {"jawRight": 1.0},
    "jaw_thrust_c": {"jawForward": 1.0},
    "mouth_sideways_l": {"mouthLeft": 1.0},
    "mouth_sideways_r": {"mouthRight": 1.0},
    **_sides("mouth_press", "mouthPress"),
    **_sides("mouth_lowerLipDepress", "mouthLowerDown"),
    **_sides("mouth_upperLipRaise", "mouthUpperUp"),
    **_sides("mouth_lipCornerPull", "mouthSmile"),
    **_sides("mouth_lipCornerDepress", "mouthFrown"),
    **_sides("mouth_lipStretch", "mouthStretch"),
    **_sides("mouth_dimple", "mouthDimple"),
    **_sides("nose_wrinkle", "noseSneer"),
    **_sides("cheek_puff", "cheekPuff"),
    **_sides("cheek_raise", "cheekSquint"),
    **_sides("brow_lower", "browDown"),
    **_sides("brow_raise", "browOuterUp"),
    "brow_raise_c": {"browInnerUp_L": 1.0, "browInnerUp_R": 1.0},
}

_ARKIT_PAIRS: Final = ("browInnerUp", "cheekPuff")


def shares_of(curve: str, shapes: Sequence[str]) -> Shares | None:
    """Which shapes a curve moves, and how far; None if the curve is unknown.

    Args:
        curve: its name.
        shapes: names of the face's shapes.
    """
    if curve in FACEGOOD:
        return {shape: gain for shape, gain in FACEGOOD[curve].items() if shape in shapes}
    if curve in shapes:
        return {curve: 1.0}
    for ending, side in (("Left", "_L"), ("Right", "_R")):
        if curve.endswith(ending) and curve.removesuffix(ending) + side in shapes:
            return {curve.removesuffix(ending) + side: 1.0}
    both = {f"{curve}_L": 1.0, f"{curve}_R": 1.0}
    return both if curve in _ARKIT_PAIRS and set(both) <= set(shapes) else None


def shape_weights(
    curves: NDArray[np.floating], names: Sequence[str], shapes: Sequence[str]
) -> tuple[dict[str, NDArray[np.float64]], tuple[str, ...]]:
    """Turn curves into weights of the face's shapes.

    Args:
        curves: (T, C) values, 0 at rest.
        names: C names.
        shapes: names of the face's shapes.

    Returns:
        (T,) by shape, only shapes that are moved; and the names of the curves that move but are not understood.
    """
    weights: dict[str, NDArray[np.float64]] = {}
    unknown = []
    for column, name in enumerate(names):
        values = np.asarray(curves[:, column], np.float64)
        if not values.any():
            continue
        shares = shares_of(name, shapes)
        if shares is None:
            unknown.append(name)
            continue
        for shape, gain in shares.items():
            weights[shape] = weights.get(shape, 0.0) + gain * values
    return weights, tuple(unknown)
