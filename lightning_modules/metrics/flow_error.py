"""How far flow is from the truth, and how well its visibility is known (auxiliary, section 6.4)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.metrics.summed_metric import SummedMetric

CLASSES: Final = ("visible", "occluded", "background")
"""Of the visibility, by number."""


def end_point_errors(flow: Tensor, reference: Tensor) -> Tensor:
    """Distance between where two flows lead: (B, H, W), pixels.

    Args:
        flow: (B, 2, H, W), order (x, y), pixels.
        reference: the true one, same shape.

    Raises:
        ValueError: the shapes differ, or are others.
    """
    if flow.shape != reference.shape or flow.ndim != 4 or flow.shape[1] != 2:
        raise ValueError(f"flows must be (B, 2, H, W), got {tuple(flow.shape)} and {tuple(reference.shape)}")
    return (flow.double() - reference.double()).square().sum(1).sqrt()


class EndPointError(SummedMetric):
    """Mean end-point error over all pixels that are visible in the source, pixels; lower is better.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = False
    total: Tensor
    pixels: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("total")
        self.add_count("pixels")

    def update(self, flow: Tensor, reference: Tensor, visible: Tensor) -> None:
        """Add pairs.

        Args:
            flow: (B, 2, H, W), order (x, y), pixels.
            reference: the true one, same shape.
            visible: (B, H, W) bool.
        """
        self.total += end_point_errors(flow, reference)[visible].sum()
        self.pixels += visible.sum()

    def compute(self) -> Tensor:
        """Mean over all pixels of all ranks, float64.

        Raises:
            MetricError: no pixel was visible.
        """
        self.require(self.pixels, 1, "visible pixels")
        return self.total / self.pixels


class VisibilityOverlap(SummedMetric):
    """Intersection over union of each visibility class, over all pixels; 0 to 1, higher is better.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = True
    both: Tensor
    either: Tensor
    pixels: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("both", len(CLASSES))
        self.add_sum("either", len(CLASSES))
        self.add_count("pixels")

    def update(self, found: Tensor, reference: Tensor) -> None:
        """Add pairs.

        Args:
            found: (B, H, W) classes 0 to 2.
            reference: the true ones, same shape.
        """
        for number in range(len(CLASSES)):
            one, other = found == number, reference == number
            self.both[number] += (one & other).sum()
            self.either[number] += (one | other).sum()
        self.pixels += found.numel()

    def compute(self) -> dict[str, Tensor]:
        """By class, and ``"mean"`` of the three; a class that never occurs counts as 1.

        Raises:
            MetricError: nothing was added.
        """
        self.require(self.pixels, 1, "pixels")
        shares = torch.where(self.either > 0, self.both / self.either.clamp(min=1), torch.ones_like(self.both))
        return {**dict(zip(CLASSES, shares, strict=True)), "mean": shares.mean()}
