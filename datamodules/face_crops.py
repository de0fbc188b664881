"""The square that a landmark network is shown of a face, put wrong and warped at random, picture and points alike.

A crop is a square of ``CROP_SIDE`` pixels around the face: 1.3 times the longer side of the box around its landmarks,
with that box in its middle, when nothing is moved. Conventions: order (x, y), x right, y down, pixel centres at
integers; maps are backward, from pixels of the crop to pixels of the picture. Everything is OpenCV and NumPy, well
below a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from datamodules.mouth_opening import MouthOpening
from lightning_modules.geometry.landmark_groups import LEFT_EYE, LIPS, MIRROR, RIGHT_EYE

Array = npt.NDArray[np.float32]

CROP_SIDE: Final = 112
"""Side of the crop, pixels."""

CROP_OVER_LANDMARKS: Final = 1.3
"""Side of the crop over the longer side of the box around the landmarks."""

_MIDDLE: Final = (CROP_SIDE - 1) / 2
_KNOTS: Final = 5  # of the smooth warp, along each side
_COARSE: Final = 4  # pixels between the positions at which warps are worked out
_DAMPING, _ROUNDS = 0.7, 14  # with which positions are found that a warp moves to given ones


@dataclass(frozen=True)
class CropSettings:
    """How wrong crops are put and how faces are warped, at most.

    Args:
        scale: factor on the crop's side or its inverse, less 1: 0.2 for 1/1.2 to 1.2.
        shift: of the crop along each axis, shares of its side.
        roll: turn to either side, degrees; small turns are more frequent.
        lost: share of the samples with a crop that is put very wrong, as a face detector would.
        lost_scale: factors on its side, from and to.
        lost_shift: its shift along each axis, shares of its side.
        warp: deviation of the smooth random warp at its knots, pixels of the crop.
        features: share of the samples whose mouth and eyes are stretched or flattened.
        opening: share of the samples whose mouth is opened.
        mirror: whether every second face is mirrored.
    """

    scale: float = 0.2
    shift: float = 0.1
    roll: float = 30.0
    lost: float = 0.2
    lost_scale: tuple[float, float] = (0.6, 1.8)
    lost_shift: float = 0.25
    warp: float = 1.6
    features: float = 0.4
    opening: float = 0.25
    mirror: bool = True


STILL: Final = CropSettings(scale=0.0, shift=0.0, roll=0.0, lost=0.0, warp=0.0, features=0.0, opening=0.0, mirror=False)
"""Crops that are put right and not warped: for validation."""


@lru_cache(maxsize=2)
def _grid(every: int = 1) -> Array:
    """Positions of the crop's pixels, (side, side, 2), or of the middles of blocks of ``every`` by ``every``."""
    places = np.arange(CROP_SIDE // every, dtype=np.float32) * every + (every - 1) / 2
    return np.stack(np.meshgrid(places, places), -1)


def _sampled(field: Array, points: Array) -> Array:
    """Values of a field (side, side, 2) at positions (N, 2), the outermost ones beyond its border."""
    import cv2

    found = cv2.remap(field, points[None, :, 0], points[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found[0], np.float32)


@dataclass(frozen=True)
class FaceCrop:
    """One crop: where it lies, and how the face in it is warped.

    Attributes:
        matrix: (2, 3), from pixels of the straight crop to pixels of the picture.
        mirrored: whether the crop is a mirror image.
        field: (side, side, 2): added to a position of the crop, it gives the one of the straight crop to look at; None
            for no warp.
        opening: of the mouth, after that; None for none.
    """

    matrix: npt.NDArray[np.float64]
    mirrored: bool = False
    field: Array | None = None
    opening: MouthOpening | None = None

    @classmethod
    def random(cls, generator: np.random.Generator, landmarks: npt.NDArray[Any], settings: CropSettings) -> FaceCrop:
        """Draw a crop.

        Args:
            generator: of the sample.
            landmarks: (68, 2 | 3) of the face, pixels of the picture.
            settings: how wrong it may be.
        """
        lost = generator.random() < settings.lost
        low, high = settings.lost_scale if lost else (1 / (1 + settings.scale), 1 + settings.scale)
        scale = float(np.exp(generator.uniform(np.log(low), np.log(high))))
        reach = settings.lost_shift if lost else settings.shift
        shift = generator.uniform(-reach, reach, 2)
        roll = np.radians(settings.roll) * generator.uniform(-1, 1) * np.sqrt(generator.random())
        mirrored = bool(generator.random() < 0.5) and settings.mirror
        matrix = crop_matrix(landmarks, scale, shift, float(roll), mirrored=mirrored)
        straight = cls(matrix, mirrored).landmarks(landmarks)
        field = _random_field(generator, straight, settings)
        opening = None
        if generator.random() < settings.opening:
            opening = MouthOpening.random(generator, cls(matrix, mirrored, field).landmarks(landmarks), CROP_SIDE)
        return cls(matrix, mirrored, field, opening)

    def map(self) -> Array:
        """Position in the picture of every pixel of the crop, (side, side, 2)."""
        import cv2

        positions = _grid()
        if self.opening is not None:
            positions = self.opening.map(positions)
        if self.field is not None:
            moved = self.field
            if self.opening is not None:
                moved = _sampled(self.field, positions.reshape(-1, 2)).reshape(self.field.shape)
            positions = positions + moved
        return np.asarray(cv2.transform(positions, self.matrix.astype(np.float32)), np.float32)

    def pictures(self, planes: npt.NDArray[np.uint8], outside: tuple[float, ...]) -> npt.NDArray[np.uint8]:
        """Cut the crop out of planes (K, L, L), each with its own grey outside of them: (side, side, K)."""
        import cv2

        positions = self.map()
        across, down = cv2.convertMaps(positions[..., 0], positions[..., 1], cv2.CV_16SC2)
        # Where pixels of the picture are much denser, they are melted first: bilinear sampling would skip lines.
        density = float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))
        cut = []
        for plane, grey in zip(planes, outside, strict=True):
            source = cv2.GaussianBlur(plane, (0, 0), 0.4 * density) if density > 1.25 else plane
            cut.append(
                cv2.remap(source, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(grey,))
            )
        return np.asarray(np.stack(cut, -1), np.uint8)

    def landmarks(self, points: npt.NDArray[Any]) -> Array:
        """Landmarks (68, 2 | 3) of the picture in pixels of the crop, (68, 2); renumbered where it is mirrored."""
        inverse = np.linalg.inv(self.matrix[:, :2])
        straight = np.asarray((points[:, :2] - self.matrix[:, 2]) @ inverse.T, np.float32)
        if self.mirrored:
            straight = straight[list(MIRROR)]
        if self.field is not None:
            found = straight.copy()
            for _ in range(_ROUNDS):
                found += _DAMPING * (straight - found - _sampled(self.field, found))
            straight = found
        return straight if self.opening is None else self.opening.landmarks(straight)


def crop_matrix(
    landmarks: npt.NDArray[Any], scale: float, shift: npt.NDArray[np.floating], roll: float, *, mirrored: bool
) -> npt.NDArray[np.float64]:
    """From pixels of a crop to pixels of the picture.

    Args:
        landmarks: (68, 2 | 3) of the face, pixels of the picture.
        scale: factor on the side of the crop.
        shift: of its middle, (2,), shares of its side.
        roll: its turn, radians, positive clockwise.
        mirrored: whether it shows the mirror image.

    Returns:
        (2, 3).
    """
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    side = max(float((high - low).max()) * CROP_OVER_LANDMARKS * scale, 1.0)
    middle = (low + high) / 2 + side * np.asarray(shift)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    linear = turn * (side / CROP_SIDE) * ((-1.0, 1.0) if mirrored else (1.0, 1.0))
    return np.concatenate([linear, (middle - linear @ (_MIDDLE, _MIDDLE))[:, None]], 1)


def _random_field(generator: np.random.Generator, landmarks: Array, settings: CropSettings) -> Array | None:
    """A smooth warp of everything, and mouth and eyes larger or flatter; always drawn from the same numbers."""
    import cv2

    knots = generator.normal(0, 1, (_KNOTS, _KNOTS, 2)).astype(np.float32)
    stretches = np.exp(generator.uniform(np.log(0.55), np.log(1.7), 3))
    widths = generator.uniform(0.8, 1.25)
    stretched = generator.random() < settings.features
    if not settings.warp and not stretched:
        return None
    coarse = (CROP_SIDE // _COARSE,) * 2
    field = np.asarray(cv2.resize(knots * settings.warp, coarse, interpolation=cv2.INTER_CUBIC))
    if stretched:
        across = landmarks[list(LEFT_EYE)].mean(0) - landmarks[list(RIGHT_EYE)].mean(0)
        distance = max(float(np.hypot(*across)), 1.0)
        across = across / distance
        down = np.array((-across[1], across[0]), np.float32)
        eyes = stretches[1]
        parts = ((LIPS, 0.42, stretches[0]), (RIGHT_EYE, 0.24, eyes), (LEFT_EYE, 0.24, eyes))
        for part, reach, factor in parts:
            field = field + _stretch(landmarks[list(part)].mean(0), reach * distance, down, float(factor))
        field = field + _stretch(landmarks[list(LIPS)].mean(0), 0.5 * distance, across, float(widths))
    return np.asarray(cv2.resize(np.asarray(field, np.float32), (CROP_SIDE, CROP_SIDE)), np.float32)


def _stretch(middle: Array, reach: float, direction: Array, factor: float) -> Array:
    """Backward field of a part that gets ``factor`` times as long in a direction, less and less so around it."""
    away = _grid(_COARSE) - middle
    square = np.einsum("...k,...k->...", away, away)
    weight = np.exp(-0.5 * square / reach**2) * (1 / factor - 1) * (away @ direction)
    return np.asarray(weight[..., None] * direction, np.float32)
