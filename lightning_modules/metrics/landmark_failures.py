"""How often a landmark network misses a face altogether: the failure rate of the 300-W challenge.

A face is missed if its normalised mean error (:mod:`lightning_modules.metrics.landmark_error`) is above a limit.
"""

from __future__ import annotations

from torch import Tensor

from lightning_modules.metrics.landmark_error import landmark_error
from lightning_modules.metrics.summed_metric import SummedMetric


class LandmarkFailures(SummedMetric):
    """Percent of the faces whose normalised mean error is above a limit.

    Args:
        limit: percent of the outer-eye distance.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False
    failures: Tensor
    faces: Tensor

    def __init__(self, limit: float = 20.0, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.limit = limit
        self.add_count("failures")
        self.add_count("faces")

    def update(self, found: Tensor, reference: Tensor) -> None:
        """Add faces, (T, 68, 2) or (B, T, 68, 2). Landmarks that are not finite are failures."""
        errors = landmark_error(found, reference)[..., 0]
        self.failures += (~(errors <= self.limit)).sum()
        self.faces += errors.numel()

    def compute(self) -> Tensor:
        """Percent over the faces of all ranks.

        Raises:
            MetricError: no face.
        """
        self.require(self.faces, 1, "faces")
        return 100.0 * self.failures / self.faces
