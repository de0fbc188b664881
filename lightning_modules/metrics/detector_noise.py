"""How far a landmark detector disagrees with itself: below this, LMD and NME tell nothing (auxiliary 10.3).

Every frame is shown to the detector again in ways that change nothing about the face: shifted by whole pixels,
mirrored, and encoded as a JPEG of quality 90. What it finds there is brought back onto the frame and measured as
:mod:`.lip_landmark_distance` and :mod:`.landmark_error` measure, with what it found first as the reference. Errors
that a detector makes in every view alike (its bias on drawings) do not show: for those measure the clip that is drawn
frame by frame against the photographed one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor

from lightning_modules.errors import MetricError
from lightning_modules.geometry.landmark_groups import mirror_landmarks
from lightning_modules.metrics.landmark_error import landmark_error
from lightning_modules.metrics.lip_landmark_distance import lip_landmark_distance
from lightning_modules.metrics.summed_metric import SummedMetric

Detect = Callable[[Tensor], Tensor]
"""From frames (T, 3, H, W) uint8 to landmarks (T, 68, 2 | 3), pixels; NaN where there is no face."""

VIEWS: Final = ("shifted", "mirrored", "encoded")
"""The ways in which frames are shown again."""

SHIFT: Final = (3, -2)
"""Of the shifted view, whole pixels (x, y)."""
QUALITY: Final = 90
"""Of the encoded view."""


def seen_again(frames: Tensor, view: str) -> Tensor:
    """The frames in another view.

    Args:
        frames: (T, 3, H, W) uint8.
        view: one of :data:`VIEWS`. Shifted frames repeat their edge pixels where nothing comes in.

    Raises:
        ValueError: another view, shape or type.
    """
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8:
        raise ValueError(f"frames are uint8 (T, 3, H, W), got {frames.dtype} {tuple(frames.shape)}")
    if view == "mirrored":
        return frames.flip(-1)
    if view == "shifted":
        height, width = frames.shape[2:]
        rows = (torch.arange(height, device=frames.device) - SHIFT[1]).clamp(0, height - 1)
        columns = (torch.arange(width, device=frames.device) - SHIFT[0]).clamp(0, width - 1)
        return frames[:, :, rows][:, :, :, columns]
    if view == "encoded":
        pictures = frames.permute(0, 2, 3, 1).cpu().numpy()
        coded = [_as_jpeg(np.ascontiguousarray(picture)) for picture in pictures]
        return torch.from_numpy(np.stack(coded)).permute(0, 3, 1, 2).to(frames.device)
    raise ValueError(f"frames are shown {', '.join(VIEWS)}, not {view!r}")


def _as_jpeg(picture: np.ndarray) -> np.ndarray:
    _, code = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    if decoded is None:
        raise MetricError("a frame cannot be encoded", "give frames of some size")
    return np.ascontiguousarray(decoded[:, :, ::-1])


def brought_back(landmarks: Tensor, view: str, width: int) -> Tensor:
    """Landmarks found in a view, where they are in the frame.

    Args:
        landmarks: (T, 68, 2 | 3) pixels of the view.
        view: one of :data:`VIEWS`.
        width: of the frames, pixels.
    """
    points = landmarks[..., :2]
    if view == "mirrored":
        return mirror_landmarks(points, width)
    return points - points.new_tensor(SHIFT) if view == "shifted" else points


def detector_views(detect: Detect, frames: Tensor) -> Tensor:
    """What a detector finds in all views, on the frame: (V, T, 68, 2) pixels, in the order of :data:`VIEWS`.

    Args:
        detect: the detector.
        frames: (T, 3, H, W) uint8.

    Raises:
        ValueError: another shape or type.
    """
    width = frames.shape[-1]
    return torch.stack([brought_back(detect(seen_again(frames, view)), view, width) for view in VIEWS])


def detector_noise(detect: Detect, frames: Tensor) -> dict[str, float]:
    """The noise floor on the frames of one clip; see :meth:`DetectorNoise.compute`.

    Args:
        detect: the detector.
        frames: (T, 3, H, W) uint8; eight or so from each clip are enough.

    Raises:
        MetricError: no frame has a face in it and in another view.
        ValueError: another shape or type.
    """
    metric = DetectorNoise()
    metric.update(detect(frames), detector_views(detect, frames))
    return {name: float(value) for name, value in metric.compute().items()}


class DetectorNoise(SummedMetric):
    """The noise floor of LMD and NME over frames and views.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False
    lips: Tensor
    lips_percent: Tensor
    landmarks: Tensor
    seen: Tensor
    shown: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        for name in ("lips", "lips_percent", "landmarks"):
            self.add_sum(name)
        self.add_count("seen")
        self.add_count("shown")

    def update(self, found: Tensor, views: Tensor) -> None:
        """Add frames.

        Args:
            found: (T, 68, 2 | 3): what the detector finds, pixels.
            views: (V, T, 68, 2): what it finds in each view, brought back; see :func:`detector_views`.

        Raises:
            ValueError: shapes do not fit.
        """
        if views.ndim != 4 or views.shape[1:] != (len(found), 68, 2):
            raise ValueError(f"views are (V, {len(found)}, 68, 2), got {tuple(views.shape)}")
        # Every frame of every view is a clip of its own, so that all count alike.
        again, first = views.flatten(0, 1)[:, None], found[None, :, :, :2].expand_as(views).flatten(0, 1)[:, None]
        distances = lip_landmark_distance(again, first)
        seen = torch.isfinite(distances.pixels)
        self.lips += distances.pixels[seen].sum()
        self.lips_percent += distances.eye_percent[seen].sum()
        self.landmarks += landmark_error(again, first)[seen][:, 0, 0].sum()
        self.seen += seen.sum()
        self.shown += seen.numel()

    def compute(self) -> dict[str, Tensor]:
        """Means over the frames and views of all ranks, float64 scalars.

        Returns:
            ``"lmd_pixels"`` and ``"lmd_eye_percent"``: what LMD says of two views of one face; ``"nme"``: the same of
            the normalised mean error, percent of the outer-eye distance; ``"missing_percent"``: views in which the face
            was lost, or frames without one, 0 to 100.

        Raises:
            MetricError: no frame has a face in it and in another view.
        """
        self.require(self.seen, 1, "frames in which a face is found twice")
        return {
            "lmd_pixels": self.lips / self.seen,
            "lmd_eye_percent": self.lips_percent / self.seen,
            "nme": self.landmarks / self.seen,
            "missing_percent": 100 * (1 - self.seen.double() / self.shown),
        }
