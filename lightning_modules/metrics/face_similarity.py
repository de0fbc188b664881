"""Whether a talking drawing keeps its face: CSIM, the cosine of an identity network's embeddings (auxiliary 10.4).

The network must be another than that of the identity loss, which a generator has learned to please. It comes from the
user's own ONNX file, read and run by OpenCV, or it is dlib's (:mod:`.dlib_identity`, an extra); without one there is no
CSIM, and no stand-in takes its name. Such networks know photos: compare a drawing with the static drawing of the photo,
and read the cosine beside that of the clip that is drawn frame by frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lightning_modules.errors import WeightsError
from lightning_modules.geometry.landmark_groups import LEFT_EYE, NOSE_TIP, OUTER_MOUTH_CORNERS, RIGHT_EYE
from lightning_modules.metrics.summed_metric import SummedMetric

ABSENT: Final = "CSIM is left out: no identity network; give an ArcFace or SFace ONNX file, or dlib"
"""What to say where there is no file."""

INPUT_SIZE: Final = 112
"""Side of the aligned face, pixels."""

TEMPLATE: Final = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where ArcFace and SFace want eyes, nose tip and mouth corners, order (x, y), pixels; those on the left first."""

Scaling = Literal["symmetric", "bytes"]
"""Of the network's input: RGB as (x - 127.5) / 127.5 (ArcFace files of InsightFace), or 0 to 255 as it is (SFace)."""

DLIB: Final = "dlib"
"""What to give instead of a file to take dlib's network."""

_REMEDY: Final = "give an ONNX file of ArcFace (InsightFace) or SFace (OpenCV's model zoo)"


class FaceEmbedder(Protocol):
    """An identity network with the alignment that it was trained with."""

    def aligned(self, frames: Tensor, landmarks: Tensor) -> Tensor:
        """Faces as the network wants them: frames (N, 3, H, W) uint8 RGB and (N, 68, 2 | 3) to (N, 3, S, S) uint8."""
        ...

    def __call__(self, faces: Tensor) -> Tensor:
        """Embed aligned faces: (N, D)."""
        ...


def make_face_embedder(weights: str | Path, scaling: Scaling = "symmetric") -> FaceEmbedder:
    """The identity network of a file, or dlib's.

    Args:
        weights: an ONNX file, see :class:`IdentityNetwork`, or ``"dlib"``.
        scaling: what the file's network was trained on.

    Raises:
        BackendError: dlib's network is asked for and not installed.
        WeightsError: the file cannot be used.
    """
    if str(weights) != DLIB:
        return IdentityNetwork(weights, scaling)
    from lightning_modules.metrics.dlib_identity import DlibIdentity

    return DlibIdentity()


class IdentityNetwork:
    """An identity network from an ONNX file that takes aligned faces of 112 x 112; see :class:`FaceEmbedder`.

    Args:
        path: the file. Nothing is downloaded, and reading it runs no code.
        scaling: what the file's network was trained on.

    Raises:
        WeightsError: there is no such file, OpenCV cannot read it, or it does not turn such a face into one row.
    """

    def __init__(self, path: str | Path, scaling: Scaling = "symmetric") -> None:
        self.path, self.scaling = Path(path), scaling
        if not self.path.is_file():
            raise WeightsError("there is no such identity network", _REMEDY, path)
        try:
            self._network = cv2.dnn.readNetFromONNX(str(self.path))
            size = self(torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE, dtype=torch.uint8)).shape[1]
        except cv2.error as error:
            raise WeightsError("this is no ONNX file of an identity network", _REMEDY, path) from error
        self.size = size

    def aligned(self, frames: Tensor, landmarks: Tensor) -> Tensor:
        """See :func:`aligned_faces`."""
        return aligned_faces(frames, landmarks)

    def __call__(self, faces: Tensor) -> Tensor:
        """Embed faces (N, 3, 112, 112) uint8 RGB: (N, D) float32, not normalised.

        Raises:
            ValueError: another shape or type.
        """
        if faces.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE) or faces.dtype != torch.uint8:
            raise ValueError(f"faces are uint8 (N, 3, 112, 112), got {faces.dtype} {tuple(faces.shape)}")
        pixels = faces.float().cpu()
        if self.scaling == "symmetric":
            pixels = (pixels - 127.5) / 127.5
        rows = []
        for face in torch.split(pixels, 1):  # most files are made for one face at a time
            self._network.setInput(face.numpy())
            rows.append(torch.from_numpy(np.array(self._network.forward(), np.float32)).reshape(1, -1))
        return torch.cat(rows)


def five_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Middles of the eyes, nose tip and mouth corners of 68 landmarks: (68, 2 | 3) to (5, 2), as :data:`TEMPLATE`."""
    points = landmarks[:, :2].astype(np.float64)
    eyes = [points[list(eye)].mean(0) for eye in (RIGHT_EYE, LEFT_EYE)]
    return np.stack([*eyes, points[NOSE_TIP], *points[list(OUTER_MOUTH_CORNERS)]])


def alignment_to_template(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The turn, scale and shift that bring five points nearest to :data:`TEMPLATE`, by least squares.

    Args:
        points: (5, 2) pixels, not all in one place.

    Returns:
        (2, 3): ``template ≈ M @ (x, y, 1)``.
    """
    x, y = points.T
    zero, one = np.zeros(len(points)), np.ones(len(points))
    equations = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    wanted = np.array(TEMPLATE)
    a, b, right, down = np.linalg.lstsq(equations, np.concatenate([wanted[:, 0], wanted[:, 1]]), rcond=None)[0]
    return np.array([[a, -b, right], [b, a, down]])


def checked_faces(frames: Tensor, landmarks: Tensor) -> None:
    """Refuse frames and landmarks from which no faces can be cut.

    Raises:
        ValueError: shapes do not fit.
    """
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8 or len(frames) != len(landmarks):
        shapes = f"{frames.dtype} {tuple(frames.shape)} and {tuple(landmarks.shape)}"
        raise ValueError(f"faces are cut from uint8 (N, 3, H, W) with as many landmarks, got {shapes}")


def aligned_faces(frames: Tensor, landmarks: Tensor) -> Tensor:
    """Faces as identity networks want them.

    Args:
        frames: (N, 3, H, W) uint8 RGB.
        landmarks: (N, 68, 2 | 3) of the frames, pixels, finite.

    Returns:
        (N, 3, 112, 112) uint8 RGB; what lies beyond the frame is white, as paper is.

    Raises:
        ValueError: shapes do not fit.
    """
    checked_faces(frames, landmarks)
    found = []
    for frame, points in zip(frames.cpu(), landmarks.cpu(), strict=True):
        pixels = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        matrix = alignment_to_template(five_points(points.numpy()))
        face = cv2.warpAffine(pixels, matrix, (INPUT_SIZE, INPUT_SIZE), borderValue=(255, 255, 255))
        found.append(torch.from_numpy(face).permute(2, 0, 1))
    return torch.stack(found) if found else frames.new_zeros(0, 3, INPUT_SIZE, INPUT_SIZE)


def face_similarity(
    embed: FaceEmbedder, frames: Tensor, landmarks: Tensor, reference: Tensor, reference_landmarks: Tensor
) -> Tensor:
    """Cosine of every frame's face with one reference.

    Args:
        embed: the identity network.
        frames: (T, 3, H, W) uint8 RGB.
        landmarks: (T, 68, 2 | 3): detected on the frames, pixels; NaN where there is no face.
        reference: (3, H', W') uint8 RGB: the static drawing, or the photo.
        reference_landmarks: (68, 2 | 3) of it, pixels.

    Returns:
        (T,) float64, -1 to 1, higher is more alike; NaN for a frame without a face.

    Raises:
        ValueError: shapes do not fit.
    """
    found = torch.full((len(frames),), torch.nan, dtype=torch.float64)
    seen = torch.isfinite(landmarks).flatten(1).all(1).cpu()
    if not bool(seen.any()):
        return found
    other = embed(embed.aligned(reference[None], reference_landmarks[None])).double().cpu()
    faces = embed(embed.aligned(frames[seen.to(frames.device)], landmarks[seen.to(landmarks.device)])).double().cpu()
    found[seen] = functional.cosine_similarity(faces, other)
    return found


class FaceSimilarity(SummedMetric):
    """Mean over clips of each clip's mean cosine with its reference.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = True
    cosine: Tensor
    clips: Tensor
    frames: Tensor
    missing: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("cosine")
        for name in ("clips", "frames", "missing"):
            self.add_count(name)

    def update(self, cosines: Tensor) -> None:
        """Add a clip: what :func:`face_similarity` gives for its frames. One without any face adds to the missing."""
        known = torch.isfinite(cosines)
        self.frames += len(cosines)
        self.missing += (~known).sum()
        if bool(known.any()):
            self.cosine += cosines[known].mean()
            self.clips += 1

    def compute(self) -> dict[str, Tensor]:
        """Over the clips of all ranks, float64 scalars.

        Returns:
            ``"cosine"``: -1 to 1, higher is more alike; ``"missing_percent"``: frames without a face, 0 to 100.

        Raises:
            MetricError: no clip with a face in it.
        """
        self.require(self.clips, 1, "clips with a face in them")
        return {"cosine": self.cosine / self.clips, "missing_percent": 100 * self.missing.double() / self.frames}
