"""How far the lips of a talking drawing are from where the speech wants them: LMD (Chen et al. 2018; auxiliary 10.3).

``LMD = mean_t mean_p |(l_tp - mean_q l_tq) - (r_tp - mean_q r_tq)|`` over the 20 lip points, each mouth centred on its
own mean: a shift of the head does not count, its size and turn do. Given in pixels of the frames (multiply by 20 for
scripts that sum over the points) and in percent of the reference's outer-eye distance, which does not depend on the
picture size. Landmarks detected on a drawing carry the detector's own error, some 3 % of the eye distance.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.geometry.landmark_groups import LEFT_EYE, LIPS, RIGHT_EYE
from lightning_modules.metrics.summed_metric import SummedMetric

_OUTER_CORNERS = (RIGHT_EYE[0], LEFT_EYE[3])


class LipDistances(NamedTuple):
    """What :func:`lip_landmark_distance` gives, one value a clip."""

    pixels: Tensor
    """(B,) float64, pixels; 0 or more, lower is better. NaN for a clip without a frame to measure."""
    eye_percent: Tensor
    """(B,) float64, percent of the reference's outer-eye distance; 0 or more, lower is better. NaN likewise."""
    missing: Tensor
    """(B,) long: frames left out, because a landmark of either side is not finite."""


def outer_eye_distance(landmarks: Tensor) -> Tensor:
    """Distance of the outer eye corners, the measure of a face's size: (..., 68, 2 | 3) to (...), in the plane."""
    corners = landmarks[..., list(_OUTER_CORNERS), :2]
    across: Tensor = corners[..., 0, :] - corners[..., 1, :]
    return torch.linalg.vector_norm(across, dim=-1)  # type: ignore[no-any-return]


def paired_tracks(found: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Both as (B, T, 68, 2) float64.

    Args:
        found: (B, T, 68, 2 | 3) or (T, 68, 2 | 3), any floating point precision; a depth is ignored.
        reference: as many clips, frames and points.

    Raises:
        ValueError: shapes do not fit.
    """
    if found.ndim not in (3, 4) or found.shape[:-1] != reference.shape[:-1] or found.shape[-2] != 68:
        raise ValueError(f"tracks are (B, T, 68, 2), got {tuple(found.shape)} and {tuple(reference.shape)}")
    if not {found.shape[-1], reference.shape[-1]} <= {2, 3} or 0 in found.shape:
        raise ValueError(f"tracks are (B, T, 68, 2), got {tuple(found.shape)} and {tuple(reference.shape)}")
    pair = (found[..., :2].double(), reference[..., :2].double())
    return pair if found.ndim == 4 else (pair[0][None], pair[1][None])


def measurable(found: Tensor, reference: Tensor) -> Tensor:
    """Frames in which all landmarks of both are finite and the reference has a size: (B, T, 68, 2) to (B, T) bool."""
    finite = torch.isfinite(found).all(-1).all(-1) & torch.isfinite(reference).all(-1).all(-1)
    return finite & (outer_eye_distance(reference) > 0)


def lip_landmark_distance(found: Tensor, reference: Tensor) -> LipDistances:
    """Distance of the lips, clip by clip; see the module's formula.

    Args:
        found: (B, T, 68, 2 | 3) or one clip (T, 68, 2 | 3): landmarks detected on the frames, pixels.
        reference: the landmarks that they should show, same shape but for the depth.

    Returns:
        See :class:`LipDistances`. The eye distance is that of the reference in the same frame.

    Raises:
        ValueError: shapes do not fit.
    """
    found, reference = paired_tracks(found, reference)
    usable = measurable(found, reference)
    lips = [track[..., list(LIPS), :] for track in (found, reference)]
    centred = [points - points.mean(-2, keepdim=True) for points in lips]
    distance = (centred[0] - centred[1]).norm(dim=-1).mean(-1)
    relative = 100 * distance / outer_eye_distance(reference)
    frames = usable.sum(1)

    def mean(values: Tensor) -> Tensor:
        return torch.where(usable, values, torch.zeros_like(values)).sum(1) / frames

    return LipDistances(mean(distance), mean(relative), usable.shape[1] - frames)


class LipLandmarkDistance(SummedMetric):
    """LMD: mean over clips of each clip's mean over frames.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False
    pixels: Tensor
    eye_percent: Tensor
    clips: Tensor
    frames: Tensor
    missing: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("pixels")
        self.add_sum("eye_percent")
        for name in ("clips", "frames", "missing"):
            self.add_count(name)

    def update(self, found: Tensor, reference: Tensor) -> None:
        """Add clips.

        Args:
            found: (B, T, 68, 2 | 3) or (T, 68, 2 | 3): landmarks detected on the frames, pixels; NaN where no face was.
            reference: the landmarks that they should show.

        Raises:
            ValueError: shapes do not fit.
        """
        distances = lip_landmark_distance(found, reference)
        heard = torch.isfinite(distances.pixels)
        self.pixels += distances.pixels[heard].sum()
        self.eye_percent += distances.eye_percent[heard].sum()
        self.clips += heard.sum()
        self.missing += distances.missing.sum()
        self.frames += found.shape[:-2].numel()

    def compute(self) -> dict[str, Tensor]:
        """Means over the clips of all ranks, float64 scalars.

        Returns:
            ``"pixels"``: 0 or more, lower is better. ``"eye_percent"``: the same in percent of the outer-eye distance.
            ``"missing_percent"``: frames left out, 0 to 100; anything but 0 makes the others doubtful.

        Raises:
            MetricError: no clip with a frame to measure.
        """
        self.require(self.clips, 1, "clips with a face in them")
        return {
            "pixels": self.pixels / self.clips,
            "eye_percent": self.eye_percent / self.clips,
            "missing_percent": 100 * self.missing.double() / self.frames,
        }
