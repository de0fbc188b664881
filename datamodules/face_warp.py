"""Where a view of a face looks: the window of the identity loss with jitter, and small changes of pose and expression.

Everything is one map from pixels of the view to pixels of the frame, so that a view costs one resampling. What moves
is what moves in a speaking face (jaw, mouth corners, brows), what a turn of the head does (a squeeze towards one side),
and a smooth field of about a pixel, as a drawing is never exact. What makes a person, the proportions, is left alone.
Coordinates are (x, y) with pixel centres at integers; lengths are shares of the distance of the outer eye corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from datamodules.augmentation import WINDOW_LEFT, WINDOW_SIDE, WINDOW_TOP
from lightning_modules.errors import ConfigError

VIEW_SIZE: Final = (112, 96)
"""(height, width) of a view, pixels: the input of SphereFace."""

Map = npt.NDArray[np.float32]

_EYE_CORNERS: Final = (36, 45)
_MOUTH_CORNERS: Final = (48, 54)
_LOWER_LIP, _CHIN, _UPPER_LIP = 57, 8, 51
_BROWS: Final = (19, 24)


@dataclass(frozen=True)
class WarpSettings:
    """How far a view may be from the plain window.

    Args:
        shift: of the window, in both directions, share of its side.
        scale: of the window's side, a share more or less.
        turn: in the plane, degrees.
        yaw: largest squeeze of one side of the face against the other, share of its width.
        mouth: largest opening of the mouth, eye distances.
        expression: largest movement of mouth corners and brows, eye distances.
        field: standard deviation of the smooth field, eye distances.

    Raises:
        ConfigError: a number is negative, or the scale is 0.5 or more.
    """

    shift: float = 0.05
    scale: float = 0.10
    turn: float = 6.0
    yaw: float = 0.10
    mouth: float = 0.16
    expression: float = 0.05
    field: float = 0.012

    def __post_init__(self) -> None:
        values = vars(self)
        if min(values.values()) < 0 or self.scale >= 0.5:
            remedy = "give no negative number, and less than 0.5 for the scale"
            raise ConfigError(f"views with {', '.join(f'{name} {value}' for name, value in values.items())}", remedy)


NO_WARP: Final = WarpSettings(0, 0, 0, 0, 0, 0, 0)


def view_map(
    generator: np.random.Generator, landmarks: npt.NDArray[np.floating], size: int, settings: WarpSettings
) -> tuple[Map, Map]:
    """Return which place of the frame each pixel of a view shows.

    Args:
        generator: of the sample; the same amount of it is used whatever the settings.
        landmarks: (68, 2) pixels of the frame.
        size: side of the frame, pixels.
        settings: the jitter.

    Returns:
        x and y, float32 (112, 96), for ``cv2.remap``. Without jitter this is the crop of the identity loss: the
        window's outermost pixel centres are the view's outermost ones.
    """
    drawn = generator.uniform(-1, 1, 12)
    bumps = generator.normal(size=(2, 5, 5)).astype(np.float32)
    window = _Window(drawn[:4], size, settings)
    points = window.inside(landmarks)
    unit = max(float(np.linalg.norm(points[_EYE_CORNERS[1]] - points[_EYE_CORNERS[0]])), 1.0)
    moved = _Movement(window.across, window.down, unit)
    _express(moved, points, drawn[5:], settings)
    middle = float(points[:17, 0].min() + points[:17, 0].max()) / 2
    place = (window.across - middle) / (1.2 * unit)
    turned = window.across + settings.yaw * drawn[4] * unit * np.maximum(1 - place * place, -1)
    field = [settings.field * unit * cv2.resize(one, VIEW_SIZE[::-1], interpolation=cv2.INTER_CUBIC) for one in bumps]
    x = turned.astype(np.float32)[None] - moved.x + field[0]
    y = window.down.astype(np.float32)[:, None] - moved.y + field[1]
    return window.outside(x, y)


class _Window:
    """The window's own coordinates: pixels of the frame about its middle, before it is scaled, turned and shifted."""

    def __init__(self, drawn: npt.NDArray[np.float64], size: int, settings: WarpSettings) -> None:
        side = WINDOW_SIDE * size
        reach = (side - 1) / 2
        self.across, self.down = np.linspace(-reach, reach, VIEW_SIZE[1]), np.linspace(-reach, reach, VIEW_SIZE[0])
        shift = settings.shift * side * drawn[:2]
        self._middle = np.array((WINDOW_LEFT, WINDOW_TOP)) * size + reach + shift
        angle = np.deg2rad(settings.turn) * drawn[3]
        scale = 1 + settings.scale * drawn[2]
        self._turn = scale * np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))

    def inside(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Points (N, 2) of the frame in the window's coordinates."""
        return np.asarray((points[:, :2] - self._middle) @ np.linalg.inv(self._turn).T)

    def outside(self, x: Map, y: Map) -> tuple[Map, Map]:
        """Places in the window's coordinates as pixels of the frame."""
        (a, b), (c, d) = self._turn.astype(np.float32)
        left, top = self._middle.astype(np.float32)
        return a * x + b * y + left, c * x + d * y + top


class _Movement:
    """Sum of soft movements: what is at a point moves, and what is about it with it."""

    def __init__(self, across: npt.NDArray[np.float64], down: npt.NDArray[np.float64], unit: float) -> None:
        self._across, self._down, self._unit = across, down, unit
        self.x = np.zeros((len(down), len(across)), np.float32)
        self.y = np.zeros_like(self.x)

    def at(self, point: npt.NDArray[np.floating], reach: float, by: tuple[float, float]) -> None:
        """Move a point; ``reach`` and ``by`` in eye distances."""
        radius = 2 * (reach * self._unit) ** 2
        columns = np.exp(-((self._across - point[0]) ** 2) / radius).astype(np.float32)
        rows = np.exp(-((self._down - point[1]) ** 2) / radius)[:, None]
        self.x += (rows * (by[0] * self._unit)).astype(np.float32) * columns
        self.y += (rows * (by[1] * self._unit)).astype(np.float32) * columns


def _express(
    move: _Movement, landmarks: npt.NDArray[np.floating], drawn: npt.NDArray[np.float64], settings: WarpSettings
) -> None:
    opening = settings.mouth * max(drawn[0], -0.2)
    jaw = 0.5 * (landmarks[_LOWER_LIP] + landmarks[_CHIN])
    move.at(jaw, 0.32, (0.0, opening))
    move.at(landmarks[_UPPER_LIP], 0.15, (0.0, -0.25 * opening))
    wide, lift = settings.expression * drawn[1], settings.expression * drawn[2]
    for corner, outwards in zip(_MOUTH_CORNERS, (-1, 1), strict=True):
        move.at(landmarks[corner], 0.16, (outwards * wide, -lift))
    for brow, skew in zip(_BROWS, (-1, 1), strict=True):
        move.at(landmarks[brow], 0.25, (0.0, settings.expression * (drawn[3] + 0.3 * skew * drawn[4])))
