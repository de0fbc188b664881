"""The turned square around one face that the mesh network is shown, and the way back to the photo.

Pixel centres are at integers everywhere, x right, y down; angles are in radians, positive when the face is turned
clockwise as seen in the picture (its left eye, on the right of the picture, lies lower).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_modules.faces.mediapipe_graphs import Detection
from lightning_modules.faces.photo import RgbPixels

# The network was trained on squares this many times the longer side of the face's own box.
REGION_OVER_BOX = 1.5
# Mesh points of the outer corners of the right and the left eye.
MESH_EYE_CORNERS = (33, 263)


@dataclass(frozen=True)
class FaceRegion:
    """A square in photo pixels: its centre, the length of its side, and the angle by which it is turned."""

    center_x: float
    center_y: float
    side: float
    angle: float

    def matrix(self, size: int) -> npt.NDArray[np.float64]:
        """Affine map ``(2, 3)`` from pixels of the cut-out ``size × size`` to pixels of the photo."""
        step = self.side / size
        cosine, sine = math.cos(self.angle) * step, math.sin(self.angle) * step
        middle = (size - 1) / 2
        return np.array(
            [
                [cosine, -sine, self.center_x - cosine * middle + sine * middle],
                [sine, cosine, self.center_y - sine * middle - cosine * middle],
            ]
        )


def region_of_detection(detection: Detection) -> FaceRegion:
    """The square to show the mesh network for a detector's answer: box times 1.5, turned with the eyes."""
    left, top, right, bottom = detection.box
    return FaceRegion(
        (left + right) / 2,
        (top + bottom) / 2,
        max(right - left, bottom - top) * REGION_OVER_BOX,
        math.atan2(
            detection.left_eye[1] - detection.right_eye[1],
            detection.left_eye[0] - detection.right_eye[0],
        ),
    )


def region_of_mesh(mesh: npt.NDArray[np.float32]) -> FaceRegion:
    """The square to show the mesh network for a mesh ``(478, 2|3)`` in photo pixels that is already known roughly."""
    right_eye, left_eye = mesh[MESH_EYE_CORNERS[0], :2], mesh[MESH_EYE_CORNERS[1], :2]
    angle = math.atan2(float(left_eye[1] - right_eye[1]), float(left_eye[0] - right_eye[0]))
    cosine, sine = math.cos(angle), math.sin(angle)
    upright = mesh[:, :2].astype(np.float64) @ np.array([[cosine, -sine], [sine, cosine]])
    low, high = upright.min(0), upright.max(0)
    middle_x, middle_y = (low + high) / 2
    return FaceRegion(
        cosine * middle_x - sine * middle_y,
        sine * middle_x + cosine * middle_y,
        float((high - low).max()) * REGION_OVER_BOX,
        angle,
    )


def cut_region(rgb: RgbPixels, region: FaceRegion, size: int, fill: int | None = None) -> RgbPixels:
    """Cut a turned square out of a photo.

    Args:
        rgb: photo ``(H, W, 3)``.
        region: the square; it may stick out of the photo.
        size: side of the result in pixels. A square much larger than this is averaged down first, so nothing flickers.
        fill: brightness outside the photo; None repeats the border's pixels.

    Returns:
        ``(size, size, 3)`` uint8.
    """
    import cv2

    matrix = region.matrix(size)
    shrink = int(region.side / (1.5 * size))
    if shrink > 1:
        reach = region.side * (abs(math.cos(region.angle)) + abs(math.sin(region.angle))) / 2 + 2 * shrink
        left, top = max(int(region.center_x - reach), 0), max(int(region.center_y - reach), 0)
        part = rgb[top : int(region.center_y + reach) + 2, left : int(region.center_x + reach) + 2]
        height, width = part.shape[0] // shrink, part.shape[1] // shrink
        if min(height, width) > 0:
            rgb = np.asarray(
                cv2.resize(part[: height * shrink, : width * shrink], (width, height), interpolation=cv2.INTER_AREA),
                dtype=np.uint8,
            )
            # pixel p of the small picture is centred on left + shrink * p + (shrink - 1) / 2 of the photo
            offset = np.array([left, top]) + (shrink - 1) / 2
            matrix = matrix / shrink
            matrix[:, 2] -= offset / shrink
    border = cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT
    cut = cv2.warpAffine(
        rgb,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
        borderValue=(0, 0, 0) if fill is None else (fill, fill, fill),
    )
    return np.asarray(cut, dtype=np.uint8)


def to_photo(points: npt.NDArray[np.float32], region: FaceRegion, size: int) -> npt.NDArray[np.float32]:
    """Points ``(N, 2|3)`` of the cut-out in photo pixels; a third column is scaled like the other two."""
    matrix = region.matrix(size)
    moved = points.astype(np.float64)
    moved[:, :2] = moved[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2:] *= region.side / size
    return moved.astype(np.float32)
