"""Where the pixels of a talking drawing go from frame to frame: what motion compensation is made with.

Flow is never to be found on thin lines alone: it would take flicker for motion. Either it comes from landmarks
(:func:`landmark_flow`: detected on the frames, or those that were asked for), or from other pictures that move alike
(:func:`optical_flow`: the filmed clip of which the frames are drawings). Auxiliary, section 10.4.

Convention: flow is (T - 1, H, W, 2), order (x, y), pixels, pixel centres at integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor

from lightning_modules.errors import MetricError
from lightning_modules.geometry.points import frame_size
from lightning_modules.geometry.sampling import map_of, sample
from lightning_modules.geometry.spline import SplineBasis
from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange, as_rgb_bytes

_STRIDE: Final = 4  # pixels between the places at which the spline is evaluated; it is smooth
_FRAMES: Final = 4  # splines solved at a time; their kernels stay in the processor's cache
_RELATIVE: Final = 0.01  # Lai et al. 2018, after Sundaram et al. 2010
_ABSOLUTE: Final = 0.5


@dataclass(frozen=True, eq=False)
class FrameFlow:
    """Motion between the neighbours of a clip of T frames; NaN for a pair about which nothing is known.

    Attributes:
        forward: (T - 1, H, W, 2): pixel p of frame t is at p + forward[t, p] in frame t + 1.
        backward: (T - 1, H, W, 2): pixel p of frame t + 1 was at p + backward[t, p] in frame t.
    """

    forward: Tensor
    backward: Tensor

    def __post_init__(self) -> None:
        if self.forward.shape != self.backward.shape or self.forward.ndim != 4 or self.forward.shape[-1] != 2:
            shapes = f"{tuple(self.forward.shape)} and {tuple(self.backward.shape)}"
            raise ValueError(f"flows are (T - 1, H, W, 2) both ways, got {shapes}")

    def known(self) -> Tensor:
        """(T - 1,) bool: the pairs whose flow is finite. Worked out once: all measures ask for it."""
        return self._known

    @cached_property
    def _known(self) -> Tensor:
        # The largest number is not finite where any is not, NaN included.
        farthest = torch.maximum(*(flow.abs().amax((1, 2, 3)) for flow in (self.forward, self.backward)))
        return torch.isfinite(farthest)

    def _filled(self, flow: Tensor) -> Tensor:
        """A flow without NaN."""
        return flow if bool(self._known.all()) else flow.nan_to_num()

    def carried(self, pictures: Tensor) -> Tensor:
        """Pictures (T - 1, C, H, W) of frames t moved to where they are in frames t + 1; not moved where not known."""
        return sample(pictures.to(self.backward.dtype), map_of(self._filled(self.backward)))

    def visible(self) -> Tensor:
        """(T - 1, H, W) bool: pixels of frame t + 1 that frame t shows too.

        Those whose way back and forth ends where it began, |b + f|² < 0.01 (|b|² + |f|²) + 0.5, and that come from
        within the frame (Lai et al. 2018). None where the flow is not known. Worked out once: all measures ask for it.
        """
        return self._shown

    @cached_property
    def _shown(self) -> Tensor:
        back, forth = self._filled(self.backward), self._filled(self.forward)
        there = map_of(back)
        again = sample(forth.permute(0, 3, 1, 2), there).permute(0, 2, 3, 1)
        missed = squared_length(back + again)
        allowed = _RELATIVE * (squared_length(back) + squared_length(again)) + _ABSOLUTE
        height, width = back.shape[1:3]
        x, y = there.unbind(-1)
        # Half a pixel beyond the outermost centres is still the frame.
        inside = (x >= -0.5) & (y >= -0.5) & (x <= width - 0.5) & (y <= height - 0.5)
        return inside & (missed < allowed) & self.known()[:, None, None]


def squared_length(flow: Tensor) -> Tensor:
    """(..., 2) to (...). A sum over an axis of two takes several times longer on a CPU."""
    x, y = flow.unbind(-1)
    return x.square() + y.square()


def require_pairs(frames: Tensor) -> None:
    """Refuse a clip without neighbours.

    Args:
        frames: (T, 1 | 3, H, W).

    Raises:
        MetricError: there is one frame or none.
        ValueError: another shape.
    """
    if frames.ndim != 4 or frames.shape[1] not in (1, 3):
        raise ValueError(f"a clip is (T, 1 | 3, H, W), got {tuple(frames.shape)}")
    if len(frames) < 2:
        raise MetricError(f"a clip of {len(frames)} frames has no neighbouring frames", "give it two frames or more")


def require_flow_of(frames: Tensor, flow: FrameFlow) -> None:
    """Refuse a clip without neighbours, and a flow that is not of it.

    Raises:
        MetricError: there is one frame or none.
        ValueError: the flow is of another clip.
    """
    require_pairs(frames)
    if flow.forward.shape[:3] != (len(frames) - 1, *frames.shape[2:]):
        shapes = f"{tuple(frames.shape)} and {tuple(flow.forward.shape)}"
        raise ValueError(f"T frames (T, 1 | 3, H, W) need flow (T - 1, H, W, 2), got {shapes}")


def landmark_flow(landmarks: Tensor, size: int | tuple[int, int]) -> FrameFlow:
    """Flow of the thin-plate warp W of the paper between neighbours, the frame's border kept still.

    Args:
        landmarks: (T, 68, 2 | 3) pixels; NaN where no face was found: the pairs of that frame are not known.
        size: of the frames, pixels, or (height, width).

    Raises:
        MetricError: there is one frame or none.
        ValueError: another shape.
    """
    if landmarks.ndim != 3 or landmarks.shape[1] != 68 or landmarks.shape[2] not in (2, 3):
        raise ValueError(f"landmarks are (T, 68, 2), got {tuple(landmarks.shape)}")
    if len(landmarks) < 2:
        raise MetricError(f"a track of {len(landmarks)} frames has no motion", "give it two frames or more")
    points = landmarks[..., :2].detach().float()
    finite = torch.isfinite(points).flatten(1).all(1)
    known = finite[1:] & finite[:-1]
    # A frame's spline serves both of its neighbours. Planes of x and of y, as they come out and go in faster.
    forward, backward = points.new_empty((2, len(known), 2, *frame_size(size)))
    for flow in (forward, backward):
        flow[~known] = torch.nan
    nowhere = known.new_zeros(1)
    before, after = torch.cat((nowhere, known)), torch.cat((known, nowhere))
    with torch.no_grad(), torch.autocast(points.device.type, enabled=False):
        for frames in torch.split(torch.nonzero(before | after)[:, 0], _FRAMES):
            basis = SplineBasis(points[frames], size, anchors=True, stride=_STRIDE, keep_kernel=True)
            for flow, there, step in ((backward, before, -1), (forward, after, 1)):
                neighbours = torch.where(there[frames], frames + step, frames)
                planes = basis.flow(points[neighbours]).permute(0, 3, 1, 2)
                pairs = torch.where(there[frames], torch.minimum(frames, neighbours), -1).tolist()
                for pair, found in zip(pairs, planes, strict=True):
                    if pair >= 0:
                        flow[pair] = found
    return FrameFlow(forward.permute(0, 2, 3, 1), backward.permute(0, 2, 3, 1))


def optical_flow(pictures: Tensor, value_range: ValueRange = UNIT_RANGE) -> FrameFlow:
    """Dense inverse search (Kroeger et al. 2016, OpenCV's "fast" setting) between neighbours, both ways.

    Args:
        pictures: (T, 1 | 3, H, W), uint8 or floating point, from 16 x 16: frames that move as the drawings do and have
            tone everywhere: the filmed clip.
        value_range: (black, white) of floating point pictures.

    Raises:
        MetricError: there is one frame or none, or a value is not finite.
        ValueError: another shape or type.
    """
    require_pairs(pictures)
    if min(pictures.shape[2:]) < 16:
        raise ValueError(f"optical flow needs pictures from 16 x 16, got {tuple(pictures.shape)}")
    levels = as_rgb_bytes(pictures, value_range).permute(0, 2, 3, 1).cpu().numpy()
    grey: list[Any] = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in levels]
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    both = [
        np.stack([search.calc(one, other, None) for one, other in zip(first, second, strict=True)])
        for first, second in ((grey[:-1], grey[1:]), (grey[1:], grey[:-1]))
    ]
    forward, backward = (torch.from_numpy(flow).to(pictures.device) for flow in both)
    return FrameFlow(forward, backward)
