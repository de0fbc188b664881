"""The published augmentation: enlarge to 286/256, cut a random square of the wanted size, flip half of them.

Pictures, masks and landmarks go through one :class:`CropFlip`, so they cannot come apart. Arrays are planes first,
(K, L, L) with L the loading size; landmarks are (..., 68, 2) or (..., 68, 3), order (x, y[, z]), pixels, pixel centres
at integers.

Source: stage 2, section 5.4. Where the published loader flips landmarks to ``256 - x``, one pixel off its own picture,
here they go to ``255 - x``, with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import mirror_landmarks

LOADING_RATIO: Final = 286 / 256
"""Loading size over the size of the crop."""

WINDOW_LEFT: Final = 0.15
WINDOW_TOP: Final = 0.20
WINDOW_SIDE: Final = 0.70
"""The face window of the paper's portrait frame, shares of its side; the crop must hold it whole."""

Window = tuple[float, float, float, float]
"""First and last-plus-one column and row, (left, top, right, bottom), pixels."""


def loading_size(image_size: int) -> int:
    """Return the side at which pictures are kept for crops of ``image_size``: 286 for 256."""
    return round(image_size * LOADING_RATIO)


def face_window(size: int) -> Window:
    """Return the face window of a prepared portrait of ``size`` pixels: (43, 57, 243, 257) at 286, as published."""
    left, top, side = round(WINDOW_LEFT * size), round(WINDOW_TOP * size), round(WINDOW_SIDE * size)
    return left, top, left + side, top + side


def landmark_window(landmarks: npt.NDArray[np.floating]) -> Window:
    """Return the window around all landmarks (..., 2|3): whole pixels that hold every point."""
    points = landmarks.reshape(-1, landmarks.shape[-1])[:, :2]
    left, top = np.floor(points.min(0) + 0.5)
    right, bottom = np.floor(points.max(0) + 0.5) + 1
    return float(left), float(top), float(right), float(bottom)


def offset_range(size: int, crop_size: int, begin: float, end: float) -> tuple[int, int]:
    """Return the smallest and largest first pixel of a crop that lies inside the picture and holds a window.

    Args:
        size: of the picture.
        crop_size: of the crop, at most ``size``.
        begin: first pixel of the window.
        end: the pixel after its last.

    Returns:
        Both inclusive. (1, 30) for rows 57 to 257 in 286 px cut to 256. Where no crop can hold the window, the one
        whose middle is nearest to the window's.
    """
    low, high = max(0, int(np.ceil(end)) - crop_size), min(size - crop_size, int(np.floor(begin)))
    if low > high:
        middle = round((begin + end - crop_size) / 2)
        low = high = min(max(middle, 0), size - crop_size)
    return low, high


@dataclass(frozen=True)
class CropFlip:
    """One square out of a picture, mirrored or not.

    Attributes:
        left: first column of the crop.
        top: first row of the crop.
        size: side of the crop, pixels.
        flip: whether it is mirrored left to right after the cut.
    """

    left: int
    top: int
    size: int
    flip: bool = False

    @classmethod
    def random(cls, generator: np.random.Generator, loaded: int, size: int, window: Window | None = None) -> CropFlip:
        """Draw a crop that holds the face window, and a flip for every second one.

        Args:
            generator: of the sample.
            loaded: side of the picture.
            size: side of the crop.
            window: what must stay inside; None for the face window of a prepared portrait.
        """
        left, top, right, bottom = face_window(loaded) if window is None else window
        columns = offset_range(loaded, size, left, right)
        rows = offset_range(loaded, size, top, bottom)
        return cls(
            left=int(generator.integers(columns[0], columns[1], endpoint=True)),
            top=int(generator.integers(rows[0], rows[1], endpoint=True)),
            size=size,
            flip=bool(generator.random() < 0.5),
        )

    @classmethod
    def middle(cls, loaded: int, size: int) -> CropFlip:
        """Return the unmirrored crop from the middle, for validation; half-way within the rows that hold the face."""
        _, top, _, bottom = face_window(loaded)
        low, high = offset_range(loaded, size, top, bottom)
        return cls((loaded - size) // 2, (low + high) // 2, size)

    def pictures(self, planes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut (..., L, L) planes to (..., size, size); a view."""
        cut = planes[..., self.top : self.top + self.size, self.left : self.left + self.size]
        return cut[..., ::-1] if self.flip else cut

    def landmarks(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Landmarks (..., 68, 2|3) of the picture in pixels of the crop, renumbered where it is mirrored."""
        moved = points.astype(np.float32)
        moved[..., 0] -= self.left
        moved[..., 1] -= self.top
        return np.asarray(mirror_landmarks(moved, self.size), np.float32) if self.flip else moved
