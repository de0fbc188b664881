"""A clip as the measures of steadiness see it: grey, and each frame beside the one before, moved along the flow."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange, as_grey
from lightning_modules.metrics.frame_flow import FrameFlow, require_flow_of


class CarriedFrames:
    """What several measures of one clip need alike, each part worked out once, when it is first asked for.

    Args:
        frames: (T, 1 | 3, H, W), T at least 2, uint8 or floating point.
        flow: of these frames.
        value_range: (black, white) of floating point frames.

    Attributes:
        grey: (T, 1, H, W) float64 in [0, 1], 1 = paper.
        flow: of these frames.

    Raises:
        MetricError: one frame only, or a value is not finite.
        ValueError: another shape or type.
    """

    def __init__(self, frames: Tensor, flow: FrameFlow, value_range: ValueRange = UNIT_RANGE) -> None:
        require_flow_of(frames, flow)
        self.grey, self.flow = as_grey(frames, value_range), flow

    @cached_property
    def moved(self) -> Tensor:
        """(T - 1, 1, H, W): frames t moved to where they are in frames t + 1; see :meth:`.FrameFlow.carried`."""
        return self.flow.carried(self.grey[:-1])

    @property
    def following(self) -> Tensor:
        """(T - 1, 1, H, W) float64: frames t + 1."""
        return self.grey[1:]

    def mean_of_visible(self, values: Tensor) -> Tensor:
        """Mean of (T - 1, H, W) over the pixels that both frames show: (T - 1,); NaN where there is none."""
        shown = self.flow.visible()
        return (values * shown).sum((1, 2)) / shown.sum((1, 2))
