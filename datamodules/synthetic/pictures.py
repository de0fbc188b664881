"""Synthetic pictures of a face given by 68 points: a shaded "photo", its matte, and a line drawing of the same face.

Everything is drawn with OpenCV at four times the size and reduced, so that positions are true to a fraction of a
pixel. Synthetic: no picture of anybody went into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import (
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
)

Pixels = npt.NDArray[np.uint8]
_FINER: Final = 4
_SHIFT: Final = 4  # fractional bits of OpenCV's coordinates


@dataclass(frozen=True)
class Look:
    """Colours of a face, RGB 0 to 255, and the width of its lines.

    Attributes:
        skin: of face and neck.
        hair: of hair and brows.
        lips: of the lips.
        eyes: of the irises.
        clothes: below the neck.
        backdrop: behind.
        light: where the light comes from, -1 left to 1 right.
        line: width of drawn lines, shares of the side.
    """

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    lips: tuple[int, int, int]
    eyes: tuple[int, int, int]
    clothes: tuple[int, int, int]
    backdrop: tuple[int, int, int]
    light: float
    line: float


def random_look(generator: np.random.Generator) -> Look:
    """Return colours for a face: any skin, any hair."""

    def colour(low: Sequence[int], high: Sequence[int]) -> tuple[int, int, int]:
        red, green, blue = (np.array(low) + generator.random() * (np.array(high) - low)).astype(int).tolist()
        return red, green, blue

    skin = colour((92, 60, 44), (236, 200, 178))
    return Look(
        skin=skin,
        hair=colour((20, 16, 14), (150, 110, 70)),
        lips=(min(255, skin[0] * 19 // 20), skin[1] * 6 // 10, skin[2] * 13 // 20),
        eyes=colour((40, 26, 16), (90, 120, 150)),
        clothes=colour((30, 40, 70), (190, 180, 160)),
        backdrop=colour((110, 130, 150), (225, 222, 214)),
        light=float(generator.uniform(-1, 1)),
        line=float(generator.uniform(0.007, 0.012)),
    )


class _Board:
    """A canvas of four times the size that takes positions in pixels of the result."""

    def __init__(self, size: int, colour: Any, channels: int) -> None:
        shape = (size * _FINER, size * _FINER, channels)
        self.pixels = np.empty(shape, np.uint8)
        self.pixels[...] = colour
        self._size = size

    def _fixed(self, points: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        fine = (np.asarray(points, np.float64)[:, :2] + 0.5) * _FINER - 0.5
        return np.rint(fine * 2**_SHIFT).astype(np.int32)

    def fill(self, points: npt.NDArray[Any], colour: Any) -> None:
        """Fill a polygon."""
        import cv2

        cv2.fillPoly(self.pixels, [self._fixed(points)], colour, cv2.LINE_8, _SHIFT)

    def line(self, points: npt.NDArray[Any], colour: Any, width: float, *, closed: bool = False) -> None:
        """Draw a line of a width in pixels of the result."""
        import cv2

        thick = max(1, round(width * _FINER))
        cv2.polylines(self.pixels, [self._fixed(points)], closed, colour, thick, cv2.LINE_8, _SHIFT)

    def reduced(self) -> Pixels:
        """Return the picture, each pixel the mean of 4 x 4."""
        size = self._size
        mean = self.pixels.reshape(size, _FINER, size, _FINER, -1).mean((1, 3))
        return np.asarray(np.rint(mean), np.uint8)


def _ellipse(center: npt.NDArray[Any], across: float, down: float) -> npt.NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return center[:2] + np.stack([across * np.cos(angle), down * np.sin(angle)], 1)


def _outline(points: npt.NDArray[Any], grow: float) -> npt.NDArray[np.float64]:
    """The head: the jaw, and half an ellipse over it for the skull; ``grow`` adds hair."""
    jaw = points[list(JAW), :2].astype(np.float64)
    left, right = jaw[0], jaw[-1]
    across, middle = (right - left) / 2, (left + right) / 2
    up = np.array((across[1], -across[0])) * (1.12 + grow)
    angle = np.linspace(0, np.pi, 24)[:, None]
    skull = middle + across * (1 + grow) * np.cos(angle) + up * np.sin(angle)
    return np.concatenate([jaw, skull])


def _body(points: npt.NDArray[Any], size: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Neck and shoulders, two polygons."""
    jaw, floor = points[list(JAW), :2].astype(np.float64), float(size)
    neck = np.array([jaw[4], jaw[12], (jaw[12][0], floor), (jaw[4][0], floor)])
    chin, wide = jaw[8], jaw[16][0] - jaw[0][0]
    rise = chin[1] + 0.06 * size
    shoulders = np.array(
        [
            (chin[0] - 0.35 * wide, rise),
            (chin[0] + 0.35 * wide, rise),
            (chin[0] + wide, floor + 4),
            (chin[0] - wide, floor + 4),
        ]
    )
    return neck, shoulders


def draw_photo(points: npt.NDArray[Any], size: int, look: Look) -> Pixels:
    """Draw a shaded "photo", (size, size, 3) RGB, of a face (68, 2|3) in pixels."""
    board = _Board(size, look.backdrop, 3)
    neck, shoulders = _body(points, size)
    board.fill(_outline(points, 0.16), look.hair)
    board.fill(neck, tuple(c * 8 // 10 for c in look.skin))
    board.fill(shoulders, look.clothes)
    board.fill(_outline(points, -0.12), look.skin)
    for eye in (RIGHT_EYE, LEFT_EYE):
        outline = points[list(eye), :2].astype(np.float64)
        _eye(board, outline, look)
    for brow in (RIGHT_BROW, LEFT_BROW):
        board.line(points[list(brow)], look.hair, 0.018 * size)
    shade = tuple(c * 3 // 4 for c in look.skin)
    board.line(points[list(NOSE_BRIDGE)], tuple(c * 9 // 10 for c in look.skin), 0.01 * size)
    board.line(points[list(NOSE_BASE)], shade, 0.012 * size)
    board.fill(points[list(OUTER_LIP)], look.lips)
    board.fill(points[list(INNER_LIP)], (50, 16, 20))
    board.line(points[list(INNER_LIP)], tuple(c // 2 for c in look.lips), 0.004 * size, closed=True)
    picture = board.reduced().astype(np.float32)
    x = (np.arange(size) - points[30, 0]) / size
    y = (np.arange(size)[:, None] - points[30, 1]) / size
    light = 1.06 + 0.35 * look.light * x - 0.55 * (x**2 + y**2)
    return np.asarray(np.clip(np.rint(picture * light[..., None]), 0, 255), np.uint8)


def _eye(board: _Board, outline: npt.NDArray[np.float64], look: Look) -> None:
    board.fill(outline, (244, 242, 238))
    middle, wide = outline.mean(0), np.ptp(outline[:, 0])
    high = np.ptp(outline[:, 1])
    iris = _ellipse(middle, min(0.2 * wide, 0.5 * high), min(0.2 * wide, 0.5 * high))
    board.fill(iris, look.eyes)
    board.line(outline, tuple(c // 2 for c in look.hair), 0.06 * wide, closed=True)


def draw_matte(points: npt.NDArray[Any], size: int) -> Pixels:
    """Draw the foreground of :func:`draw_photo`, (size, size), 255 = person."""
    board = _Board(size, 0, 1)
    neck, shoulders = _body(points, size)
    for part in (_outline(points, 0.16), _outline(points, -0.12), neck, shoulders):
        board.fill(part, 255)
    return np.asarray(board.reduced()[..., 0])


def draw_lines(points: npt.NDArray[Any], size: int, look: Look, *, colour: bool = False) -> Pixels:
    """Draw the face as a line drawing, (size, size) gray, or (size, size, 3) with flat colours, 255 = paper."""
    board = _Board(size, 255, 3 if colour else 1)
    black: Any = (0, 0, 0) if colour else 0
    width = look.line * size
    neck, shoulders = _body(points, size)
    fills = (look.hair, look.skin, look.clothes, look.lips, (250, 250, 250))
    hair, skin, clothes, lips, white = fills if colour else (40, 255, 255, 255, 255)
    board.fill(_outline(points, 0.16), hair)
    for part, fill in ((neck, skin), (shoulders, clothes), (_outline(points, -0.12), skin)):
        board.fill(part, fill)
        board.line(part, black, width, closed=True)
    for brow in (RIGHT_BROW, LEFT_BROW):
        board.line(points[list(brow)], black, 1.8 * width)
    board.line(points[list(NOSE_BRIDGE)], black, 0.7 * width)
    board.line(points[list(NOSE_BASE)], black, width)
    for eye in (RIGHT_EYE, LEFT_EYE):
        outline = points[list(eye), :2].astype(np.float64)
        board.fill(outline, white)
        reach = min(0.2 * np.ptp(outline[:, 0]), 0.5 * np.ptp(outline[:, 1]))
        board.fill(_ellipse(outline.mean(0), reach, reach), black)
        board.line(outline, black, width, closed=True)
    board.fill(points[list(OUTER_LIP)], lips)
    board.line(points[list(OUTER_LIP)], black, 0.8 * width, closed=True)
    board.fill(points[list(INNER_LIP)], black)
    board.line(points[list(INNER_LIP)], black, 0.8 * width, closed=True)
    picture = board.reduced()
    return picture if colour else picture[..., 0]
