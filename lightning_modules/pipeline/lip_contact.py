"""Lips that nearly meet do meet: small openings of the mouth become contacts.

A network trained to the least error never quite closes the mouth where it is not certain of a p, b or m; yet a mouth
that stays open there looks wrong at once, and lips do not stop a millimetre before each other. So openings below a
threshold are closed, those above its double stay as they are, and between them the way is smooth. Lips close as
synthetic ones do (reference stage1 §19.5): at a quarter of the gap, the outer lips behind them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, OUTER_OF_INNER

UPPER_SHARE: Final = 0.25
OUTER_SHARE: Final = 0.85
"""How much of an inner lip point's way the outer one goes along."""


def contact(opening: NDArray[np.floating], below: float) -> NDArray[np.float64]:
    """How far lips are brought together: (T,) in 0..1, 1 up to the threshold, 0 from its double on.

    Args:
        opening: (T,) of the mouth, face units.
        below: threshold, face units; 0: never.
    """
    if below <= 0.0:
        return np.zeros(len(opening))
    above = np.clip(np.asarray(opening, np.float64) / below - 1.0, 0.0, 1.0)
    share: NDArray[np.float64] = 1.0 - above * above * (3.0 - 2.0 * above)
    return share


def close_small_openings(moved: NDArray[np.float32], static: NDArray[np.floating], below: float) -> None:
    """Bring lips together where they nearly meet, in place.

    Args:
        moved: (T, 68, 3) displacements of a face, face units; changed.
        static: (68, 3) the face at rest, head upright, y down.
        below: threshold of the opening, face units; 0 changes nothing.
    """
    if below <= 0.0:
        return
    upper, lower = (np.array(points) for points in zip(*INNER_LIP_PAIRS, strict=True))
    gaps = moved[:, lower, 1] - moved[:, upper, 1] + (static[lower, 1] - static[upper, 1]).astype(np.float32)
    share = contact(gaps.mean(axis=1, dtype=np.float64), below).astype(np.float32)[:, None] * np.maximum(gaps, 0.0)
    down, up = UPPER_SHARE * share, (1.0 - UPPER_SHARE) * share
    moved[:, upper, 1] += down
    moved[:, lower, 1] -= up
    moved[:, [OUTER_OF_INNER[point] for point in upper.tolist()], 1] += OUTER_SHARE * down
    moved[:, [OUTER_OF_INNER[point] for point in lower.tolist()], 1] -= OUTER_SHARE * up
