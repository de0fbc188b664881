"""Means over the frames of a clip that have a figure, and over clips whose motion is known."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from lightning_modules.errors import MetricError
from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange
from lightning_modules.metrics.frame_flow import FrameFlow
from lightning_modules.metrics.summed_metric import SummedMetric


def mean_of_known(values: Tensor, what: str) -> Tensor:
    """Mean of the values that are numbers.

    Args:
        values: (N,), NaN where there is none.
        what: of what, in the plural, for the error.

    Raises:
        MetricError: there is none at all.
    """
    known = values[~torch.isnan(values)]
    if not len(known):
        raise MetricError(f"none of {len(values)} {what} can be measured", "look whether the clip shows a drawn face")
    return known.mean()


class MeanOverClips(SummedMetric, abc.ABC):
    """Mean over clips of a figure that is worked out from a clip's frames and the flow between them.

    Args:
        value_range: (black, white) of floating point frames.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    total: Tensor
    clips: Tensor

    def __init__(self, value_range: ValueRange = UNIT_RANGE, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range
        self.add_sum("total")
        self.add_count("clips")

    @abc.abstractmethod
    def of_clip(self, frames: Tensor, flow: FrameFlow) -> Tensor:
        """The figure of one clip, a float64 scalar.

        Raises:
            MetricError: it has none, or a value is not finite.
            ValueError: another shape or type.
        """

    def update(self, frames: Tensor, flow: FrameFlow) -> None:
        """Add a clip; see :meth:`of_clip`, also for errors."""
        self.total += self.of_clip(frames, flow)
        self.clips += 1

    def compute(self) -> Tensor:
        """Mean over the clips of all ranks, a float64 scalar.

        Raises:
            MetricError: no clip.
        """
        self.require(self.clips, 1, "clips")
        return self.total / self.clips
