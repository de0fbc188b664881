"""How well a drawing shows the landmarks it was asked to show: the normalised mean error, region by region.

``NME = 100 · mean_p |l_p - r_p| / |r_36 - r_45|``: percent of the reference's outer-eye distance, nothing centred
(300-W's measure).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.geometry import landmark_groups as groups
from lightning_modules.metrics.lip_landmark_distance import measurable, outer_eye_distance, paired_tracks
from lightning_modules.metrics.summed_metric import SummedMetric

REGIONS: Final[dict[str, tuple[int, ...]]] = {
    "all": tuple(range(68)),
    "jaw": tuple(groups.JAW),
    "brows": (*groups.RIGHT_BROW, *groups.LEFT_BROW),
    "nose": tuple(groups.NOSE),
    "eyes": (*groups.RIGHT_EYE, *groups.LEFT_EYE),
    "lips": tuple(groups.LIPS),
}
"""Names of the regions and their points."""


def landmark_error(found: Tensor, reference: Tensor) -> Tensor:
    """Normalised mean error of every frame and region.

    Args:
        found: (B, T, 68, 2 | 3) or (T, 68, 2 | 3): detected landmarks, pixels.
        reference: landmarks to be shown, same shape but for the depth.

    Returns:
        (B, T, 6) float64, percent, in the order of :data:`REGIONS`; 0 or more, lower is better. NaN where a landmark
        of the frame is not finite.

    Raises:
        ValueError: shapes do not fit.
    """
    found, reference = paired_tracks(found, reference)
    relative = 100 * (found - reference).norm(dim=-1) / outer_eye_distance(reference)[..., None]
    errors = torch.stack([relative[..., list(points)].mean(-1) for points in REGIONS.values()], -1)
    return torch.where(measurable(found, reference)[..., None], errors, torch.full_like(errors, torch.nan))


class LandmarkError(SummedMetric):
    """Normalised mean error over all frames, region by region.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False
    total: Tensor
    frames: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("total", len(REGIONS))
        self.add_count("frames")

    def update(self, found: Tensor, reference: Tensor) -> None:
        """Add frames; see :func:`landmark_error`. Those with a landmark that is not finite are left out."""
        errors = landmark_error(found, reference).flatten(0, 1)
        errors = errors[torch.isfinite(errors[:, 0])]
        self.total += errors.sum(0)
        self.frames += len(errors)

    def compute(self) -> dict[str, Tensor]:
        """Mean over the frames of all ranks.

        Returns:
            ``"all"``, ``"jaw"``, ``"brows"``, ``"nose"``, ``"eyes"``, ``"lips"``: float64 scalars, percent of the
            outer-eye distance, 0 or more, lower is better.

        Raises:
            MetricError: no frame to measure.
        """
        self.require(self.frames, 1, "frames with a face in them")
        return dict(zip(REGIONS, self.total / self.frames, strict=True))
