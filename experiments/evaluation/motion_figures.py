"""How steady a drawing video is: measured over pieces of the clip, so that long ones need no more memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from lightning_modules.metrics.carried_frames import CarriedFrames
from lightning_modules.metrics.drawing_pixels import UNIT_RANGE
from lightning_modules.metrics.frame_flow import FrameFlow, landmark_flow, optical_flow
from lightning_modules.metrics.inter_frame_ssim import inter_frame_ssim
from lightning_modules.metrics.line_flicker import flicker_of_carried
from lightning_modules.metrics.motion_compensated_ssim import motion_magnitude, similarity_of_carried
from lightning_modules.metrics.warping_error import error_of_carried

if TYPE_CHECKING:
    from experiments.evaluation.clips import Pixels, Points

PIECE: Final = 9
"""Frames measured together, as many as the processor's cache takes; a piece begins with the last frame of the last."""

FlowOfPiece = Callable[[slice], FrameFlow]
"""From frames to the flow between them."""


def as_tensor(frames: Pixels) -> Tensor:
    """(T, H, W, C) uint8 as (T, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, 1)))


def flow_from_landmarks(asked: Points, size: int) -> FlowOfPiece:
    """Flow as the landmarks were asked to move, (T, 68, 2) pixels of frames of side ``size``."""
    points = torch.from_numpy(asked)
    return lambda piece: landmark_flow(points[piece], size)


def flow_from_pictures(pictures: Pixels) -> FlowOfPiece:
    """Flow as the pictures (T, S, S, 3) move from which the frames were drawn."""
    return lambda piece: optical_flow(as_tensor(pictures[piece]))


def motion_figures(frames: Pixels, flow: FlowOfPiece) -> dict[str, float]:
    """Inter-frame SSIM, what is left of it without the motion, the motion, warping error and line flicker.

    Args:
        frames: (T, S, S, C), T at least 2.
        flow: of these frames, in pieces.

    Returns:
        ``ssim``, ``ssim_compensated``, ``motion`` (pixels a frame), ``warping_error`` (thousandths of the squared range
        of grey) and ``line_flicker`` (percent); NaN where nothing could be measured.
    """
    rows: dict[str, list[Tensor]] = {}
    flickering = ink = 0
    for start in range(0, len(frames) - 1, PIECE - 1):
        piece = slice(start, start + PIECE)
        clip = CarriedFrames(as_tensor(frames[piece]), flow(piece))
        flicker = flicker_of_carried(clip)
        flickering += int((flicker.appeared + flicker.vanished).sum())
        ink += int(flicker.ink.sum())
        found = {
            "ssim": inter_frame_ssim(clip.grey, UNIT_RANGE),
            "ssim_compensated": similarity_of_carried(clip),
            "motion": motion_magnitude(clip.flow),
            "warping_error": 1000 * error_of_carried(clip),
        }
        for name, values in found.items():
            rows.setdefault(name, []).append(values.double())
    figures = {name: float(torch.cat(values).nanmean()) for name, values in rows.items()}
    return figures | {"line_flicker": 100 * flickering / ink if ink else float("nan")}
