"""The identity network of dlib (King 2017), as the packages of the extra ``identity`` bring it.

A residual network that turns a face of 150 x 150 pixels into 128 numbers, trained on three million photos; its weights
are in the public domain. No loss here uses it, and it knows people in line drawings too: among 40 people that smile on
one photo and not on the other (webmorph), the pair of one person has a larger cosine than pairs of two in 100 % of the
cases on photos, 99.7 % on their ink drawings, and 97.5 % between photo and drawing.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from lightning_modules.errors import BackendError
from lightning_modules.metrics.face_similarity import checked_faces

INPUT_SIDE: Final = 150
"""Side of the aligned face, pixels."""

PADDING: Final = 0.25
"""Room around the face, in its sides; what the network was trained with."""

_WEIGHTS: Final = "dlib_face_recognition_resnet_model_v1.dat"


class DlibIdentity:
    """dlib's network and its alignment; see :class:`~lightning_modules.metrics.face_similarity.FaceEmbedder`.

    Raises:
        BackendError: a package of the extra is missing.
    """

    def __init__(self) -> None:
        models = importlib.util.find_spec("face_recognition_models")
        if importlib.util.find_spec("dlib") is None or models is None or models.origin is None:
            raise BackendError("dlib's identity network is not installed", "pip install 'inkspeak[identity]'")
        import dlib

        self._dlib: Any = dlib
        # The package itself is not imported: what it asks for of setuptools is no longer there.
        self._network: Any = self._dlib.face_recognition_model_v1(str(Path(models.origin).parent / "models" / _WEIGHTS))

    def aligned(self, frames: Tensor, landmarks: Tensor) -> Tensor:
        """Upright faces as the network wants them.

        Args:
            frames: (N, 3, H, W) uint8 RGB.
            landmarks: (N, 68, 2 | 3) of the frames, pixels, finite; dlib rounds them.

        Returns:
            (N, 3, 150, 150) uint8 RGB; black beyond the frame.

        Raises:
            ValueError: shapes do not fit.
        """
        checked_faces(frames, landmarks)
        found = []
        for frame, points in zip(frames.cpu(), landmarks.cpu(), strict=True):
            corners = points[:, :2].round().long()
            box = self._dlib.rectangle(*corners.amin(0).tolist(), *corners.amax(0).tolist())
            shape = self._dlib.full_object_detection(
                box, self._dlib.points([self._dlib.point(*c) for c in corners.tolist()])
            )
            pixels = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            face = np.asarray(self._dlib.get_face_chip(pixels, shape, INPUT_SIDE, PADDING))
            found.append(torch.from_numpy(face).permute(2, 0, 1))
        return torch.stack(found) if found else frames.new_zeros(0, 3, INPUT_SIDE, INPUT_SIDE)

    def __call__(self, faces: Tensor) -> Tensor:
        """Embed aligned faces (N, 3, 150, 150) uint8 RGB: (N, 128) float32, not normalised.

        Raises:
            ValueError: another shape or type.
        """
        if faces.shape[1:] != (3, INPUT_SIDE, INPUT_SIDE) or faces.dtype != torch.uint8:
            raise ValueError(f"faces are uint8 (N, 3, 150, 150), got {faces.dtype} {tuple(faces.shape)}")
        pixels = [np.ascontiguousarray(face.permute(1, 2, 0).numpy()) for face in faces.cpu()]
        rows = [np.array(self._network.compute_face_descriptor(face), np.float32) for face in pixels]
        return torch.from_numpy(np.stack(rows)) if rows else torch.zeros(0, 128)
