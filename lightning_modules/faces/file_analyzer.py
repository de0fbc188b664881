"""Landmarks given by the user: for paintings, drawings, masks and other faces that no detector knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightning_modules.errors import PhotoError
from lightning_modules.faces.depth_from_model import with_depth
from lightning_modules.faces.face import FaceList, make_face
from lightning_modules.faces.landmark_file import read_landmarks
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.faces.plausibility import handedness


class FileAnalyzer:
    """Takes the landmarks of a file for those of every photo it is shown, after checking that they can be a face's.

    Where the file gives no z, it comes from the pose of an average face (:func:`~.depth_from_model.with_depth`);
    where it does, z must be in pixels, positive towards the viewer. ``confidence`` is 1.

    Args:
        path: the file, see :func:`~lightning_modules.faces.landmark_file.read_landmarks` for its formats.

    Raises:
        PhotoError: the file cannot be used.
    """

    name = "file"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._points = read_landmarks(self.path)
        for points in self._points:
            self._check(points)

    def find_faces(self, rgb: RgbPixels) -> FaceList:
        """The faces of the file, left to right.

        Raises:
            PhotoError: most of the points lie outside a photo of this size.
        """
        height, width = rgb.shape[:2]
        faces = []
        for points in self._points:
            flat = points[:, :2]
            inside = (flat > -0.5).all(1) & (flat[:, 0] < width - 0.5) & (flat[:, 1] < height - 0.5)
            if inside.mean() < 0.5:
                low, high = flat.min(0), flat.max(0)
                raise PhotoError(
                    f"the landmarks reach from {low[0]:.0f},{low[1]:.0f} to {high[0]:.0f},{high[1]:.0f}, outside the"
                    f" photo of {width}×{height} pixels",
                    "give landmarks in pixels of the upright photo; photos above 4096 pixels are reduced first",
                    self.path,
                )
            faces.append(make_face(points if points.shape[1] == 3 else with_depth(flat), 1.0))
        return FaceList(faces, tried=(f"the landmarks of {self.path.name}",))

    def _check(self, points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
        size = float(np.ptp(points[:, :2], axis=0).max())
        order = handedness(points)
        if size < 8 or abs(order) < 0.2:
            raise PhotoError(
                f"the landmarks do not form a face (they span {size:.1f} pixels)",
                "give the 68 points in the 300-W order, in pixels",
                self.path,
            )
        if order < 0:
            raise PhotoError(
                "the landmarks are mirrored: the first eye (points 36 to 41) must be on the left of the picture",
                "renumber the points in the 300-W order",
                self.path,
            )
