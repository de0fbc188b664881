"""How alike neighbouring frames are once the motion is taken out, and how much motion there was (auxiliary 10.2).

Plain inter-frame SSIM punishes motion: a shift of a whole line drawing by one pixel costs more than all its flicker.
Here frame t is moved to where it is in frame t + 1 before the two are compared. A still video scores 1, so the motion
is always told with it. How flow is found is said by :mod:`.frame_flow`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.metrics.carried_frames import CarriedFrames
from lightning_modules.metrics.clip_mean import mean_of_known
from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange
from lightning_modules.metrics.frame_flow import FrameFlow
from lightning_modules.metrics.structural_similarity import similarity_map
from lightning_modules.metrics.summed_metric import SummedMetric


def motion_compensated_ssim(frames: Tensor, flow: FrameFlow, value_range: ValueRange = UNIT_RANGE) -> Tensor:
    """Structural similarity of each frame, moved along the flow, with the next, over the pixels that both show.

    Args:
        frames: (T, 1 | 3, H, W), T at least 2, from 11 x 11, uint8 or floating point.
        flow: of these frames.
        value_range: (black, white) of floating point frames.

    Returns:
        (T - 1,) float64, -1 to 1, higher is steadier; NaN where the flow is not known or no pixel is shown twice.

    Raises:
        MetricError: one frame only, or a value is not finite.
        ValueError: another shape or type.
    """
    return similarity_of_carried(CarriedFrames(frames, flow, value_range))


def similarity_of_carried(clip: CarriedFrames) -> Tensor:
    """The same of a clip whose frames have been moved already."""
    return clip.mean_of_visible(similarity_map(clip.moved.clamp(0, 1), clip.following)[:, 0])


def motion_magnitude(flow: FrameFlow) -> Tensor:
    """Mean way of a pixel from each frame to the next.

    Returns:
        (T - 1,) float64, pixels, 0 for a still picture; NaN where the flow is not known. Neither direction is better.
    """
    x, y = flow.backward.unbind(-1)
    # By hand, since a norm over an axis of two takes ten times longer on a CPU.
    way: Tensor = x.double().square().add_(y.double().square()).sqrt_()
    return way.mean((1, 2))


class MotionCompensatedSSIM(SummedMetric):
    """Mean over clips of each clip's mean motion-compensated similarity, beside its motion.

    Args:
        value_range: (black, white) of floating point frames.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = True
    similarity: Tensor
    motion: Tensor
    clips: Tensor

    def __init__(self, value_range: ValueRange = UNIT_RANGE, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range
        self.add_sum("similarity")
        self.add_sum("motion")
        self.add_count("clips")

    def update(self, frames: Tensor, flow: FrameFlow) -> None:
        """Add a clip; see :func:`motion_compensated_ssim`. Pairs whose flow is not known are left out.

        Raises:
            MetricError: no pair of the clip can be measured, or a value is not finite.
            ValueError: another shape or type.
        """
        found = motion_compensated_ssim(frames, flow, self.value_range)
        similarity = mean_of_known(found, "pairs of frames")
        self.similarity += similarity
        self.motion += motion_magnitude(flow)[~torch.isnan(found)].mean()
        self.clips += 1

    def compute(self) -> dict[str, Tensor]:
        """Means over the clips of all ranks, float64 scalars.

        Returns:
            ``"similarity"``: -1 to 1, higher is steadier. ``"motion"``: mean way of a pixel a frame, pixels; neither
            direction is better, but a similarity that goes with less motion is no merit.

        Raises:
            MetricError: no clip.
        """
        self.require(self.clips, 1, "clips")
        return {"similarity": self.similarity / self.clips, "motion": self.motion / self.clips}
