"""Mouths that open in a picture: what is above the lip line goes up, what is below goes down, between them is a cavity.

Few photos and hardly any drawing show an open mouth, and a landmark network for talking faces must know them. The
motion is along the face's own vertical only, largest at the middle of the mouth and 0 at its corners. Conventions as
in :mod:`datamodules.face_crops`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, INNER_MOUTH_CORNERS, LEFT_EYE, RIGHT_EYE

Array = npt.NDArray[np.float32]

_REACH: Final = 0.36  # how far up and down the motion reaches, eye distances (of the pupils)
_LARGEST: Final = 0.36  # opening, eye distances
_UPPER: Final = 0.25  # share of the opening by which the upper lip rises
_ROUNDS: Final = 6
_UPPER_POINTS: Final = (*range(49, 54), *range(61, 64))
_LOWER_POINTS: Final = (*range(55, 60), *range(65, 68))


@dataclass(frozen=True)
class MouthOpening:
    """One opening, in pixels of the crop.

    Attributes:
        middle: (2,) between the inner corners of the mouth.
        across: (2,) unit vector to the right of the face's picture.
        half: half the width of what opens.
        line: (2, 5) position along and height of the lip line at its corners and at three pairs of points.
        reach: how far up and down the motion reaches.
        amount: opening at the middle of the mouth.
        side: of the crop.
    """

    middle: Array
    across: Array
    half: float
    line: Array
    reach: float
    amount: float
    side: int

    @classmethod
    def random(cls, generator: np.random.Generator, landmarks: Array, side: int) -> MouthOpening:
        """Draw an opening for a face whose landmarks (68, 2) in the crop are known."""
        eyes = landmarks[list(LEFT_EYE)].mean(0) - landmarks[list(RIGHT_EYE)].mean(0)
        right, left = (landmarks[point] for point in INNER_MOUTH_CORNERS)
        across = left - right
        width = max(float(np.hypot(*across)), 1.0)
        across = across / width
        middle = (left + right) / 2
        down = np.array((-across[1], across[0]), np.float32)
        pairs = [(landmarks[upper] + landmarks[lower]) / 2 for upper, lower in INNER_LIP_PAIRS]
        away = np.stack([right, *pairs, left]) - middle
        line = np.stack([away @ across, away @ down])
        line[0] = np.maximum.accumulate(line[0])
        distance = max(float(np.hypot(*eyes)), 1.0)
        amount = _LARGEST * distance * float(generator.random()) ** 1.3
        return cls(middle, across, 0.54 * width, line.astype(np.float32), _REACH * distance, amount, side)

    def _frame(self, points: Array) -> tuple[Array, Array]:
        """Positions (..., 2) along the mouth and below its line."""
        away = points - self.middle
        along = np.asarray(away @ self.across, np.float32)
        below = np.asarray(away @ np.array((-self.across[1], self.across[0]), np.float32), np.float32)
        return along, below - np.interp(along, *self.line).astype(np.float32)

    def _motion(self, along: Array, below: Array) -> Array:
        """Share of the opening by which a position moves."""
        taper = np.clip(1 - (along / self.half) ** 2, 0, None)
        return np.asarray(taper * np.exp(-0.5 * (below / self.reach) ** 2), np.float32)

    def map(self, positions: Array) -> Array:
        """Where in the closed picture to look for positions (..., 2); those in the cavity look at the lip line."""
        along, below = self._frame(positions)
        down = np.array((-self.across[1], self.across[0]), np.float32)
        moved = np.zeros_like(below)
        near = np.flatnonzero((np.abs(along) < self.half).ravel() & (np.abs(below) < 4 * self.reach).ravel())
        x, y = along.ravel()[near], below.ravel()[near]
        lower, upper = y.copy(), y.copy()
        for _ in range(_ROUNDS):
            lower = y - (1 - _UPPER) * self.amount * self._motion(x, lower)
            upper = y + _UPPER * self.amount * self._motion(x, upper)
        source = np.where(lower > 0, lower, np.where(upper < 0, upper, 0))
        moved.reshape(-1)[near] = source - y
        return np.asarray(positions + moved[..., None] * down, np.float32)

    def inside(self, teeth: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which pixels of the crop lie between the lips that were parted, and which of them show teeth.

        Args:
            teeth: share of the opening, from above, that they take.

        Returns:
            Two masks (side, side).
        """
        positions = np.stack(np.meshgrid(*[np.arange(self.side, dtype=np.float32)] * 2), -1)
        along, below = self._frame(positions)
        gap = self._motion(along, np.zeros_like(along)) * self.amount
        inside = (below < (1 - _UPPER) * gap) & (below > -_UPPER * gap)
        return inside, inside & (below < (teeth - _UPPER) * gap)

    def landmarks(self, landmarks: Array) -> Array:
        """Landmarks (68, 2) of the closed picture after the opening; lips go with their side of the line."""
        along, below = self._frame(landmarks)
        lower = below > 0
        lower[list(_UPPER_POINTS)] = False
        lower[list(_LOWER_POINTS)] = True
        moved = np.where(lower, 1 - _UPPER, -_UPPER) * self.amount * self._motion(along, below)
        down = np.array((-self.across[1], self.across[0]), np.float32)
        return np.asarray(landmarks + moved[:, None] * down, np.float32)
