"""What changes from frame to frame that motion does not explain: the warping error (Lai et al. 2018; auxiliary 10.4).

``E_t = sum_p M_t(p) |V_{t+1}(p) - W(V_t)(p)|² / sum_p M_t(p)``: squared differences of grey between a frame and its
predecessor moved along the flow, over the pixels M that both show. Over a longer gap, hand in every n-th frame with
the flow of every n-th frame: drift that is too slow to show between neighbours shows there.
"""

from __future__ import annotations

from torch import Tensor

from lightning_modules.metrics.carried_frames import CarriedFrames
from lightning_modules.metrics.clip_mean import MeanOverClips, mean_of_known
from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange
from lightning_modules.metrics.frame_flow import FrameFlow


def warping_error(frames: Tensor, flow: FrameFlow, value_range: ValueRange = UNIT_RANGE) -> Tensor:
    """Mean squared difference of each frame, moved along the flow, from the next.

    Args:
        frames: (T, 1 | 3, H, W), T at least 2, uint8 or floating point.
        flow: of these frames.
        value_range: (black, white) of floating point frames.

    Returns:
        (T - 1,) float64, 0 to 1 (black for white everywhere), lower is steadier; NaN where the flow is not known or no
        pixel is shown twice.

    Raises:
        MetricError: one frame only, or a value is not finite.
        ValueError: another shape or type.
    """
    return error_of_carried(CarriedFrames(frames, flow, value_range))


def error_of_carried(clip: CarriedFrames) -> Tensor:
    """The same of a clip whose frames have been moved already."""
    return clip.mean_of_visible((clip.moved - clip.following).square_()[:, 0])


class WarpingError(MeanOverClips):
    """Mean over clips of each clip's mean warping error, 0 to 1; lower is steadier."""

    higher_is_better = False

    def of_clip(self, frames: Tensor, flow: FrameFlow) -> Tensor:
        """See :func:`warping_error`. Pairs whose flow is not known are left out."""
        return mean_of_known(warping_error(frames, flow, self.value_range), "pairs of frames")
