"""How alike neighbouring frames of a talking drawing are, and how much it moves (paper section 4; auxiliary 10.2).

Structural similarity (Wang et al. 2004) of grey levels in [0, 1]: Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01,
K2 = 0.03, data range 1, reflected at the border, mean over the whole frame; then the mean over the neighbours of a
clip, then over clips. A still picture scores 1, so the motion is always told with it. Compare only at one frame rate:
more frames a second are more alike. Computed in float64: in half precision, or in the TF32 of GPUs, the variances of
white paper drown in rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.geometry.spline import warp_image
from lightning_modules.metrics.drawing_pixels import MODEL_RANGE, ValueRange, as_grey
from lightning_modules.metrics.structural_similarity import structural_similarity
from lightning_modules.metrics.summed_metric import SummedMetric


def _check_clip(frames: Tensor, landmarks: Tensor | None = None) -> None:
    if frames.ndim != 4 or len(frames) < 2 or frames.shape[1] not in (1, 3) or min(frames.shape[2:]) < 11:
        raise ValueError(f"a clip is (T >= 2, 1 | 3, H, W) from 11 x 11, got {tuple(frames.shape)}")
    if landmarks is not None and landmarks.shape[:2] != (len(frames), 68):
        raise ValueError(f"{len(frames)} frames need landmarks ({len(frames)}, 68, 2), got {tuple(landmarks.shape)}")


def inter_frame_ssim(frames: Tensor, value_range: ValueRange = MODEL_RANGE) -> Tensor:
    """Structural similarity of each frame with the next.

    Args:
        frames: (T, 1 | 3, H, W), T at least 2, uint8 or floating point of any precision.
        value_range: (black, white) of floating point frames.

    Returns:
        (T - 1,) float64, -1 to 1; 1 for equal frames, higher is steadier.

    Raises:
        MetricError: a value is not finite.
        ValueError: another shape or type.
    """
    _check_clip(frames)
    grey = as_grey(frames, value_range)
    return structural_similarity(grey[:-1], grey[1:])


def frame_motion(frames: Tensor, value_range: ValueRange = MODEL_RANGE) -> Tensor:
    """Mean absolute change of grey from each frame to the next.

    Args:
        frames: as for :func:`inter_frame_ssim`.
        value_range: (black, white) of floating point frames.

    Returns:
        (T - 1,) float64, 0 (still) to 1 (every pixel from black to white); neither direction is better.

    Raises:
        MetricError: a value is not finite.
        ValueError: another shape or type.
    """
    _check_clip(frames)
    grey = as_grey(frames, value_range)
    return (grey[1:] - grey[:-1]).abs().mean((1, 2, 3))


def compensated_ssim(frames: Tensor, landmarks: Tensor, value_range: ValueRange = MODEL_RANGE) -> Tensor:
    """Structural similarity of each frame, warped as the landmarks move, with the next: flicker without the motion.

    The thin-plate warp W of the paper, with the frame's border kept still.

    Args:
        frames: as for :func:`inter_frame_ssim`.
        landmarks: (T, 68, 2 | 3) of the frames, pixels.
        value_range: (black, white) of floating point frames.

    Returns:
        (T - 1,) float64, -1 to 1; higher is steadier.

    Raises:
        MetricError: a value is not finite.
        ValueError: another shape or type.
    """
    _check_clip(frames, landmarks)
    grey, points = as_grey(frames, value_range), landmarks[..., :2].float()
    with torch.autocast(frames.device.type, enabled=False):
        pairs = range(len(frames) - 1)
        moved = [
            warp_image(grey[t : t + 1], points[t : t + 1], points[t + 1 : t + 2], anchors=True, stride=4) for t in pairs
        ]
    return structural_similarity(torch.cat(moved).to(grey.dtype), grey[1:])


class InterFrameSSIM(SummedMetric):
    """Mean over clips of each clip's mean similarity of neighbouring frames, beside the motion.

    Args:
        value_range: (black, white) of floating point frames.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = True
    clips: Tensor
    similarity: Tensor
    motion: Tensor
    compensated: Tensor
    landmark_motion: Tensor
    tracked_clips: Tensor

    def __init__(self, value_range: ValueRange = MODEL_RANGE, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range
        for name in ("similarity", "motion", "compensated", "landmark_motion"):
            self.add_sum(name)
        self.add_count("clips")
        self.add_count("tracked_clips")

    def update(self, clips: Tensor, landmarks: Tensor | None = None) -> None:
        """Add clips.

        Args:
            clips: (B, T, 1 | 3, H, W) or one clip (T, 1 | 3, H, W), T at least 2.
            landmarks: (B, T, 68, 2 | 3) or (T, 68, 2 | 3), pixels; adds the two values that need them.

        Raises:
            MetricError: a value is not finite.
            ValueError: another shape or type.
        """
        each = clips if clips.ndim == 5 else clips[None]
        points = [None] * len(each) if landmarks is None else landmarks if clips.ndim == 5 else landmarks[None]
        for frames, track in zip(each, points, strict=True):
            _check_clip(frames, track)
            self.similarity += inter_frame_ssim(frames, self.value_range).mean()
            self.motion += frame_motion(frames, self.value_range).mean()
            self.clips += 1
            if track is not None:
                self.compensated += compensated_ssim(frames, track, self.value_range).mean()
                steps = (track[1:, :, :2] - track[:-1, :, :2]).double()
                self.landmark_motion += steps.norm(dim=-1).mean()
                self.tracked_clips += 1

    def compute(self) -> dict[str, Tensor]:
        """Means over the clips of all ranks, float64 scalars.

        Returns:
            ``"similarity"``: -1 to 1, higher is steadier. ``"motion"``: mean absolute change of grey a frame, 0 to 1,
            to be read beside it; neither direction is better. Where landmarks were given: ``"compensated_similarity"``:
            the same with the motion taken out, -1 to 1, higher is steadier; ``"landmark_motion"``: mean way of a
            landmark a frame, pixels, from 0; neither direction is better.

        Raises:
            MetricError: no clip.
        """
        self.require(self.clips, 1, "clips")
        found = {"similarity": self.similarity / self.clips, "motion": self.motion / self.clips}
        if int(self.tracked_clips):
            found["compensated_similarity"] = self.compensated / self.tracked_clips
            found["landmark_motion"] = self.landmark_motion / self.tracked_clips
        return found
