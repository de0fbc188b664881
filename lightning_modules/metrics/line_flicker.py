"""Lines that appear and disappear where nothing moves: what the eye calls flicker (auxiliary 10.4).

Ink that is drawn in one frame and of which the other, motion compensated, shows not even a trace within two pixels:
ink of frame t + 1 that was not there ("appeared") and ink of frame t that has gone ("vanished"), in percent of all ink
of both that stands still. Lines that shift a little, fade a little or are drawn thicker do not count, nor does a mouth
that opens: for those see :mod:`.warping_error` and :mod:`.motion_compensated_ssim`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from lightning_modules.errors import MetricError
from lightning_modules.geometry.sampling import sample
from lightning_modules.metrics.carried_frames import CarriedFrames
from lightning_modules.metrics.clip_mean import MeanOverClips
from lightning_modules.metrics.drawing_pixels import UNIT_RANGE, ValueRange
from lightning_modules.metrics.frame_flow import FrameFlow, squared_length

_INK = 0.5  # grey below it is drawn ink: halfway from black to paper
_TRACE = 0.75  # grey below it is still a trace of a line, so that a line about half as dark as ink does not flicker
_REACH = 2.0  # pixels within which a trace is the same line
_ROUNDING = 0.01  # of distances read between pixels
_MARGIN = 8  # pixels: reach, flow and the pixels that are read between add up to less than five
_STILL = 1.0  # pixels a frame: where the flow is longer, something moves


class LineFlicker(NamedTuple):
    """What :func:`line_flicker` gives for each pair of neighbours."""

    appeared: Tensor
    """(T - 1,) long: ink pixels of frame t + 1 without a trace in frame t."""
    vanished: Tensor
    """(T - 1,) long: ink pixels of frame t without a trace in frame t + 1."""
    ink: Tensor
    """(T - 1,) long: ink pixels of both frames that stand still; 0 where the flow is not known."""

    def percent(self) -> Tensor:
        """(T - 1,) float64, 0 to 100: the share of ink that flickers; NaN where there is none that stands still."""
        return 100 * (self.appeared + self.vanished).double() / self.ink


def _distance_to(ink: Tensor) -> Tensor:
    """Pixels to the next ink: (H, W) bool to (1, 1, H, W) float32; far beyond the frame where there is none."""
    blank = np.ascontiguousarray((~ink).to(torch.uint8).cpu().numpy())
    away = cv2.distanceTransform(blank, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Without any ink OpenCV says about 1e4 or infinity, by its version.
    return torch.from_numpy(np.minimum(away, float(sum(blank.shape)))).to(ink.device)[None, None]


def _surely_near(trace: Tensor) -> Tensor:
    """(N, H, W) bool: pixels that are, with their eight neighbours, within reach of a trace.

    So is everything between them. This is most of a drawing's lines, and takes a tenth of the time of distances.
    """
    reach = np.array([[math.hypot(x, y) <= _REACH for x in range(-2, 3)] for y in range(-2, 3)], np.uint8)
    planes = trace.to(torch.uint8).cpu().numpy()
    near = [cv2.erode(cv2.dilate(plane, reach), np.ones((3, 3), np.uint8)) for plane in planes]
    return torch.from_numpy(np.stack(near)).to(trace.device).bool()


def _counted(ink: Tensor, trace: Tensor, flow: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Of ink (T - 1, H, W) that stands still: how much has no trace in the other frame, and how much there is."""
    still = ink & (squared_length(flow) < _STILL**2) & known[:, None, None]
    lost = torch.zeros(len(ink), dtype=torch.long, device=ink.device)
    # What moves less than a pixel comes from between its own place and the next ones.
    doubtful = still & ~_surely_near(trace)
    for pair in torch.nonzero(doubtful.sum((1, 2)))[:, 0].tolist():
        rows, columns = torch.nonzero(doubtful[pair], as_tuple=True)
        # Distances are worked out around the places only: what lies beyond the margin is out of reach.
        top, left = (max(0, int(axis.min()) - _MARGIN) for axis in (rows, columns))
        around = trace[pair, top : int(rows.max()) + _MARGIN + 1, left : int(columns.max()) + _MARGIN + 1]
        places = flow[pair, rows, columns].float() + torch.stack((columns - left, rows - top), dim=-1)
        lost[pair] = (sample(_distance_to(around), places[None, None]) > _REACH + _ROUNDING).sum()
    return lost, still.sum((1, 2))


def line_flicker(frames: Tensor, flow: FrameFlow, value_range: ValueRange = UNIT_RANGE) -> LineFlicker:
    """Count the ink that appears and vanishes between neighbours; see the module's words.

    Args:
        frames: (T, 1 | 3, H, W), T at least 2, uint8 or floating point.
        flow: of these frames.
        value_range: (black, white) of floating point frames.

    Raises:
        MetricError: one frame only, or a value is not finite.
        ValueError: another shape or type.
    """
    return flicker_of_carried(CarriedFrames(frames, flow, value_range))


def flicker_of_carried(clip: CarriedFrames) -> LineFlicker:
    """The same of a clip whose grey levels and flow are known already."""
    flow, grey = clip.flow, clip.grey[:, 0]
    known = flow.known()
    ink, trace = grey < _INK, grey < _TRACE
    appeared, after = _counted(ink[1:], trace[:-1], flow.backward, known)
    vanished, before = _counted(ink[:-1], trace[1:], flow.forward, known)
    return LineFlicker(appeared, vanished, after + before)


class LineFlickerPercent(MeanOverClips):
    """Mean over clips of the share of each clip's still ink that flickers, percent; lower is steadier."""

    higher_is_better = False

    def of_clip(self, frames: Tensor, flow: FrameFlow) -> Tensor:
        """See :func:`line_flicker`; there is none where no ink stands still, in blank frames for example."""
        return clip_flicker(line_flicker(frames, flow, self.value_range))


def clip_flicker(found: LineFlicker) -> Tensor:
    """The share of a clip's still ink that flickers, all pairs together: a float64 scalar, percent.

    Raises:
        MetricError: no ink stands still in any frame.
    """
    if not int(found.ink.sum()):
        raise MetricError(
            f"no line stands still in {len(found.ink) + 1} frames", "look whether the clip shows a drawn face"
        )
    return 100 * (found.appeared.sum() + found.vanished.sum()).double() / found.ink.sum()
