"""The paper's square portrait crop, landmarks in and out of it, and exact paste-back into the full photo.

Convention: pixel centres at integers. A frame covers the pixel columns ``left .. left + side - 1``, so it spans
x in [left - 0.5, left + side - 0.5], and may stick out of the photo. Resizing between ``side`` and ``size`` pixels maps
positions with half-pixel centres, the convention of ``cv2.resize``: ``crop = (photo - left + 0.5) size/side - 0.5``.

In the frame the face square lies at x 0.15-0.85 and y 0.20-0.90 (stage 2, section 8 step 1; auxiliary, section 4.5).
NumPy only; OpenCV is imported when first needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FACE_WIDTH_SHARE: Final = 0.55
"""Width of the 68 landmarks of a frontal face, as a share of the frame side."""

CHIN_SHARE: Final = 0.87
"""Where the lowest landmark (the chin) lies in the frame, as a share of its side from the top edge."""

HEIGHT_TO_SIZE: Final = 0.92
"""Brow-to-chin height counts with this factor against the width.

Frontal faces measure height / width = 1.00 +- 0.05 (134 photos), so for them the width decides; turned by 60 degrees
the ratio exceeds 1.2 and the height decides, which keeps the frame of a turned head from shrinking with the cosine.
"""


@dataclass(frozen=True)
class PortraitFrame:
    """A square in photo pixels; it may stick out of the photo.

    Attributes:
        left: first pixel column (may be negative).
        top: first pixel row (may be negative).
        side: side length, pixels, at least 1.
    """

    left: int
    top: int
    side: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"the side of a frame must be at least 1 pixel, got {self.side}")

    @property
    def right(self) -> int:
        """First pixel column after the frame."""
        return self.left + self.side

    @property
    def bottom(self) -> int:
        """First pixel row after the frame."""
        return self.top + self.side

    @classmethod
    def from_box(cls, left: float, top: float, right: float, bottom: float) -> PortraitFrame:
        """The frame around a detector's face box, in the paper's integer arithmetic (auxiliary, section 4.5).

        Edges are rounded; both edge pixels belong to the box, so its width is ``right - left + 1``. The face square is
        ``int(1.2 min(width, height))`` wide around the box centre, and fills 0.7 of the frame.

        Args:
            left: first pixel column of the box, photo pixels.
            top: first pixel row of the box.
            right: last pixel column of the box.
            bottom: last pixel row of the box.

        Raises:
            ValueError: if the box is empty.
        """
        x, y = round(left), round(top)
        width, height = round(right) - x + 1, round(bottom) - y + 1
        if width < 1 or height < 1:
            raise ValueError(f"empty face box ({left}, {top}, {right}, {bottom})")
        side = round(int(1.2 * min(width, height)) / 0.7)
        center_x, center_y = x + width // 2, y + height // 2
        return cls(center_x - side // 2, center_y - (11 * side) // 20, side)


def face_extent(landmarks: NDArray[np.floating]) -> float:
    """Size of a face in pixels from its landmarks, steady under yaw: ``max(width, 0.92 height)``.

    Args:
        landmarks: (68, 2) or (68, 3), order (x, y[, z]), pixels.

    Raises:
        ValueError: if the shape is wrong or a value is not finite.
    """
    points = _face_points(landmarks)
    width, height = np.ptp(points, axis=0)
    return float(max(width, HEIGHT_TO_SIZE * height))


def _face_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape not in ((68, 2), (68, 3)):
        raise ValueError(f"landmarks must be (68, 2) or (68, 3), got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("landmarks hold values that are not finite")
    return points[:, :2]


def portrait_frame(landmarks: NDArray[np.floating]) -> PortraitFrame:
    """The paper's portrait frame from landmarks alone, without a detector's box.

    The face extent (see :func:`face_extent`) becomes 0.55 of the side, the lowest landmark lies at 0.87 of it, and the
    landmarks are centred in x; for a frontal face this puts the face where :meth:`PortraitFrame.from_box` does.

    Args:
        landmarks: (68, 2) or (68, 3), order (x, y[, z]), photo pixels.

    Returns:
        The frame in photo pixels.

    Raises:
        ValueError: if the shape is wrong, a value is not finite or all points coincide.
    """
    points = _face_points(landmarks)
    extent = face_extent(landmarks)
    if extent <= 0:
        raise ValueError("all landmarks coincide")
    side = max(1, round(extent / FACE_WIDTH_SHARE))
    center_x = (points[:, 0].min() + points[:, 0].max()) / 2
    # Halves go up, not to the even number: a face moved by a pixel must move its frame by a pixel.
    left = math.floor(float(center_x) - (side - 1) / 2 + 0.5)
    top = math.floor(float(points[:, 1].max()) + 0.5 - CHIN_SHARE * side + 0.5)
    return PortraitFrame(left, top, side)


def _resize(image: NDArray[Any], size: int) -> NDArray[Any]:
    """Square resize: area average down, cubic up (kept within the range of the input), untouched when equal."""
    side = image.shape[0]
    if side == size:
        return image
    import cv2

    method = cv2.INTER_AREA if size < side else cv2.INTER_CUBIC
    resized: NDArray[Any] = cv2.resize(image, (size, size), interpolation=method)
    if method == cv2.INTER_CUBIC and np.issubdtype(image.dtype, np.floating):
        np.clip(resized, image.min(), image.max(), out=resized)  # cubic overshoots; uint8 saturates by itself
    return resized.reshape(size, size, *image.shape[2:])


def _check_image(image: NDArray[Any], name: str) -> None:
    if image.ndim not in (2, 3) or image.dtype not in (np.uint8, np.float32, np.float64):
        raise ValueError(f"{name} must be uint8 or float (H, W) or (H, W, C), got {image.dtype} {image.shape}")


def _overlap(frame: PortraitFrame, height: int, width: int) -> tuple[slice, slice, slice, slice]:
    """Rows and columns shared by frame and photo: (photo rows, photo columns, frame rows, frame columns)."""
    top, bottom = max(frame.top, 0), max(min(frame.bottom, height), frame.top, 0)
    left, right = max(frame.left, 0), max(min(frame.right, width), frame.left, 0)
    rows, columns = slice(top, bottom), slice(left, right)
    inner_rows = slice(top - frame.top, bottom - frame.top)
    inner_columns = slice(left - frame.left, right - frame.left)
    return rows, columns, inner_rows, inner_columns


def crop(image: NDArray[Any], frame: PortraitFrame, size: int, fill: float | tuple[float, ...] = 255) -> NDArray[Any]:
    """Cut a frame out of a picture and resize it to ``size``.

    Args:
        image: (H, W) or (H, W, C), uint8 or floating point, any range.
        frame: the square to cut, in pixels of the picture.
        size: side of the result, pixels. Smaller than the frame: area average; larger: cubic.
        fill: value outside the picture, one number or one per channel; 255 is white for uint8, use 1 for [0, 1].

    Returns:
        (size, size) or (size, size, C), same dtype; the very pixels when ``size == frame.side``.

    Raises:
        ValueError: if the picture has another shape or dtype, or ``size`` is not positive.
    """
    _check_image(image, "image")
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    square = np.empty((frame.side, frame.side, *image.shape[2:]), image.dtype)
    square[...] = fill
    rows, columns, inner_rows, inner_columns = _overlap(frame, image.shape[0], image.shape[1])
    square[inner_rows, inner_columns] = image[rows, columns]
    return _resize(square, size)


def _rescale(landmarks: NDArray[np.floating], shift: tuple[float, float], scale: float) -> NDArray[np.floating]:
    points = np.array(landmarks, dtype=np.float64)
    if points.ndim < 2 or points.shape[-1] not in (2, 3):
        raise ValueError(f"landmarks must be (..., N, 2) or (..., N, 3), got {points.shape}")
    points[..., :2] = (points[..., :2] + shift) * scale
    points[..., 2:] *= scale
    dtype = landmarks.dtype if np.issubdtype(landmarks.dtype, np.floating) else np.dtype(np.float32)
    return points.astype(dtype, copy=False)


def to_crop(landmarks: NDArray[np.floating], frame: PortraitFrame, size: int) -> NDArray[np.floating]:
    """Landmarks of the photo in pixels of the crop: ``(x - left + 0.5) size/side - 0.5``; z is scaled alike.

    Args:
        landmarks: (..., N, 2) or (..., N, 3), order (x, y[, z]), photo pixels.
        frame: the frame that was cut.
        size: side of the crop, pixels.

    Returns:
        Same shape and floating dtype, crop pixels.
    """
    scale = size / frame.side
    points = _rescale(landmarks, (0.5 - frame.left, 0.5 - frame.top), scale)
    points[..., :2] -= 0.5
    return points


def to_photo(landmarks: NDArray[np.floating], frame: PortraitFrame, size: int) -> NDArray[np.floating]:
    """Landmarks of a crop in pixels of the photo; the inverse of :func:`to_crop`.

    Args:
        landmarks: (..., N, 2) or (..., N, 3), order (x, y[, z]), crop pixels.
        frame: the frame that was cut.
        size: side of the crop, pixels.

    Returns:
        Same shape and floating dtype, photo pixels.
    """
    points = _rescale(landmarks, (0.5, 0.5), frame.side / size)
    points[..., :2] += np.array((frame.left - 0.5, frame.top - 0.5), points.dtype)
    return points


def _feather_ramp(start: int, side: int, limit: int, feather: float) -> NDArray[np.float64]:
    """Opacity along one axis of the frame: rises over ``feather`` px from each edge that lies inside the photo."""
    ramp = np.ones(side)
    distance = np.arange(side) + 0.5
    if start > 0:
        ramp = np.minimum(ramp, distance / feather)
    if start + side < limit:
        ramp = np.minimum(ramp, distance[::-1] / feather)
    return ramp


def paste_back(canvas: NDArray[Any], patch: NDArray[Any], frame: PortraitFrame, feather: float = 0.0) -> NDArray[Any]:
    """Put a (changed) crop back where it was cut out.

    When patch and frame have the same side, no pixel is resampled: an unchanged crop gives back the very canvas, bit
    for bit, with any feather. Parts of the frame outside the canvas are dropped.

    Args:
        canvas: (H, W) or (H, W, C), uint8 or floating point; not modified.
        patch: (size, size[, C]) of the same dtype and range; one channel goes into all channels of a colour canvas.
        frame: where the patch belongs, canvas pixels.
        feather: width in canvas pixels over which the patch fades in from the frame's edges; edges on or outside the
            border of the canvas do not fade. 0: a hard edge.

    Returns:
        A new array like the canvas.

    Raises:
        ValueError: if dtypes or channel counts do not fit, the patch is not square or feather is negative.
    """
    _check_image(canvas, "canvas")
    _check_image(patch, "patch")
    if patch.dtype != canvas.dtype or patch.shape[0] != patch.shape[1] or feather < 0:
        raise ValueError(
            f"cannot paste a {patch.dtype} {patch.shape} patch into a {canvas.dtype} canvas with feather {feather}"
        )
    if canvas.ndim == 3 and patch.ndim == 2:
        patch = patch[..., None]
    if canvas.ndim == 2 and patch.ndim == 3 and patch.shape[2] == 1:
        patch = patch[..., 0]
    if canvas.ndim != patch.ndim or (canvas.ndim == 3 and patch.shape[2] not in (1, canvas.shape[2])):
        raise ValueError(f"cannot paste a {patch.shape} patch into a {canvas.shape} canvas")
    height, width = canvas.shape[:2]
    rows, columns, inner_rows, inner_columns = _overlap(frame, height, width)
    fitted = _resize(patch, frame.side)[inner_rows, inner_columns]
    pasted = canvas.copy()
    pasted[rows, columns] = fitted
    if feather == 0:
        return pasted
    across = _feather_ramp(frame.left, frame.side, width, feather)[inner_columns]
    down = _feather_ramp(frame.top, frame.side, height, feather)[inner_rows]
    opacity = down[:, None] * across
    soft = opacity < 1  # only the rim is computed; the rest is the patch itself
    under = canvas[rows, columns][soft].astype(np.float64)
    over = fitted[soft].astype(np.float64)
    mixed = under + opacity[soft].reshape(-1, *(1,) * (canvas.ndim - 2)) * (over - under)
    pasted[rows, columns][soft] = np.rint(mixed) if canvas.dtype == np.uint8 else mixed
    return pasted
