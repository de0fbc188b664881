"""The face in drawings: found once in every frame of every video, by the same detector for every method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from experiments.evaluation.clips import faces_in, followed
from lightning_modules.faces.face_analyzers import make_face_analyzer

if TYPE_CHECKING:
    from experiments.evaluation.clips import Pixels, Points
    from experiments.evaluation.settings import DrawnLandmarks
    from lightning_modules.faces.face import FaceAnalyzer


class DrawnFaceFinder:
    """Finds the landmarks of drawings.

    Args:
        name: one analyzer, or two of which the second is asked for the frames in which the first finds nothing.
        parts: the analyzers themselves, instead of the name's.
    """

    def __init__(self, name: DrawnLandmarks, parts: tuple[FaceAnalyzer, ...] | None = None) -> None:
        self.parts = parts or tuple(make_face_analyzer(one) for one in name.split("+"))

    def track(self, frames: Pixels) -> Points:
        """Landmarks of consecutive drawings.

        Args:
            frames: (T, H, W, 1 | 3).

        Returns:
            (T, 68, 2) pixels; NaN where no face was found.
        """
        points = np.full((len(frames), 68, 2), np.nan, np.float32)
        for part in self.parts:
            missing = np.flatnonzero(np.isnan(points[:, 0, 0]))
            if len(missing):
                points[missing] = followed(faces_in([in_colour(frames[number]) for number in missing], part))
        return points

    def each(self, frames: Tensor) -> Tensor:
        """Landmarks of drawings that have nothing to do with each other.

        Args:
            frames: (T, 3, H, W) uint8.

        Returns:
            (T, 68, 2) pixels; NaN where no face was found.
        """
        pictures = frames.permute(0, 2, 3, 1).contiguous().numpy()
        return torch.from_numpy(np.concatenate([self._one(picture) for picture in pictures]))

    def _one(self, picture: Pixels) -> Points:
        for part in self.parts:
            found = part.find_faces(np.ascontiguousarray(picture))
            if found:
                return followed([found])
        return followed([[]])


def in_colour(picture: Pixels) -> Pixels:
    """(H, W, 1 | 3) as (H, W, 3), contiguous."""
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
