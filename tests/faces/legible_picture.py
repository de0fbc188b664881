"""A picture that tells a test where every pixel of a crop came from, and a landmark network that can read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lightning_modules.audio.face_axes import average_face
from lightning_modules.geometry.landmark_groups import MIRROR

SPAN = 256
"""Side of the picture: red is the column, green the row, blue is 0; outside it is white."""


def legible_picture() -> npt.NDArray[np.uint8]:
    """(256, 256, 3) uint8."""
    rows, columns = np.mgrid[:SPAN, :SPAN]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


def frontal_face(x: float, y: float, size: float, lean: float = 0.0) -> npt.NDArray[np.float64]:
    """Landmarks (68, 2) of an average face, ``size`` between its outer eye corners, leaning by degrees clockwise."""
    points = average_face()[:, :2] * size
    cosine, sine = np.cos(np.radians(lean)), np.sin(np.radians(lean))
    return points @ np.array([[cosine, sine], [-sine, cosine]]) + [x, y]


class Oracle:
    """Knows the faces of the legible picture; elsewhere it says the same of every crop, as trained networks do.

    A face counts for a crop when its middle lies in the inner half of the crop and their sizes are alike.

    Args:
        faces: (68, 2) each, pixels of the picture.
        noise: standard deviation of its error, shares of the crop's side; it depends on the crop alone.
        shape: (68, 2) fractions of the crop that it says where it knows nothing.
    """

    def __init__(self, faces: Sequence[npt.NDArray[np.float64]], noise: float = 0.0) -> None:
        self.faces, self.noise = list(faces), noise
        resting = average_face()[:, :2]
        low, high = resting.min(0), resting.max(0)
        self.shape = 0.5 + (resting - (low + high) / 2) / (high - low).max() / 1.3
        self.batches: list[int] = []

    def __call__(self, crops: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.batches.append(len(crops))
        return np.stack([self.landmarks_of(crop) for crop in crops]).astype(np.float32)

    def landmarks_of(self, crop: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        side = len(crop)
        inside = crop[..., 2] < 0.01
        answer = self.shape
        if inside.sum() > 100:
            rows, columns = np.nonzero(inside)
            design = np.stack([(columns + 0.5) / side, (rows + 0.5) / side, np.ones(len(rows))], axis=1)
            to_picture = np.linalg.lstsq(design, crop[inside][:, :2].astype(np.float64) * 255, rcond=None)[0]
            mirrored = np.linalg.det(to_picture[:2]) < 0
            for face in self.faces:
                seen = (face - to_picture[2]) @ np.linalg.inv(to_picture[:2])
                low, high = seen.min(0), seen.max(0)
                if (np.abs((low + high) / 2 - 0.5) < 0.25).all() and 0.4 < (high - low).max() < 1.3:
                    answer = seen[list(MIRROR)] if mirrored else seen
        if self.noise:
            seed = int(np.abs(crop[::17, ::17].astype(np.float64)).sum() * 1e6) % 2**32
            answer = answer + self.noise * np.random.default_rng(seed).standard_normal(answer.shape)
        return answer
