"""Closed eyes, drawn: a warp squeezes iris, lids and lashes into a tangle where a pen draws one line."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.drawing.mouth_interior import picture_window, smooth_chain
from lightning_modules.geometry.landmark_groups import LEFT_EYE, RIGHT_EYE
from lightning_modules.geometry.shapes import dilated_polygon, stroke_segments

CLOSING: Final = (0.5, 0.8)
"""How far an eye that is open in the photo is closed when its line begins to show, and shows fully."""
OPEN_IN_PHOTO: Final = (0.10, 0.16)
"""Opening over width of an eye in the photo below which it is closed there already, and above which it is open."""
ERASED: Final = 0.2
"""What is taken off around the closing eye, in eye widths."""
ERASED_ABOVE: Final = 0.12
"""So much more is taken off above it: the way from brow to lid grows, and with it what was drawn of the upper lid."""
AROUND: Final = 0.5
"""How far around the eye its surroundings reach, in eye widths: they say whether it lies in deep shadow."""
IN_SHADOW: Final = (0.28, 0.31)
"""Mean tone of the surroundings below which a closed lid is ink, and above which it is paper; hardly a gray between."""
LINE_WIDTH: Final = 0.09
"""Width of the line where the lids meet, in eye widths."""


def eye_opening(eye: Tensor) -> Tensor:
    """Mean gap between the lids over the width of the eye.

    Args:
        eye: (B, 6, 2), the outline as in the 68 points: corner, two of the upper lid, corner, two of the lower lid.

    Returns:
        (B,).
    """
    gaps = torch.linalg.vector_norm(eye[:, [1, 2]] - eye[:, [5, 4]], dim=-1).mean(-1)
    opening: Tensor = gaps / _width(eye)
    return opening


def _width(eye: Tensor) -> Tensor:
    width: Tensor = torch.linalg.vector_norm(eye[:, 3] - eye[:, 0], dim=-1).clamp_min(1e-6)
    return width


def _upwards(eye: Tensor) -> Tensor:
    """From the eye to its brow, as long as the eye is wide, (B, 2)."""
    along = eye[:, 3] - eye[:, 0]
    return torch.stack((along[:, 1], -along[:, 0]), dim=-1)


def lid_line_strength(eye: Tensor, rest: Tensor) -> Tensor:
    """How much of the line shows: 0 for an eye that is open, or was closed in the photo; 1 for one that has closed.

    Args:
        eye: (B, 6, 2) as it is to be shown.
        rest: (B or 1, 6, 2) as it is in the photo.

    Returns:
        (B,) in [0, 1].
    """
    before = eye_opening(rest)
    closed = 1.0 - eye_opening(eye) / before.clamp_min(1e-6)
    return _ramp(closed, CLOSING) * _ramp(before, OPEN_IN_PHOTO)


def _ramp(values: Tensor, limits: tuple[float, float]) -> Tensor:
    share = ((values - limits[0]) / (limits[1] - limits[0])).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def draw_closed_lids(drawing: Tensor, landmarks: Tensor, rest: Tensor) -> Tensor:
    """Take off what is squeezed together in closing eyes, and draw the line of the lids.

    Args:
        drawing: (B, C, H, W) in [0, 1], already warped to ``landmarks``.
        landmarks: (B, 68, 2), pixels of ``drawing``.
        rest: (B or 1, 68, 2), the photo's own landmarks in the same pixels.

    Returns:
        (B, C, H, W) in [0, 1]; unchanged where no eye closes. Line drawings get paper behind the line, or ink where
        all around is ink; colour drawings the colour of the cheek below.
    """
    result = drawing
    for group in (RIGHT_EYE, LEFT_EYE):
        eye, before = landmarks[:, list(group)], rest[:, list(group)]
        strength = lid_line_strength(eye, before)
        if bool((strength > 0).any()):
            if result is drawing:
                result = drawing.clone()
            _draw_line(result, eye, strength)
    return result


def _draw_line(drawing: Tensor, eye: Tensor, strength: Tensor) -> None:
    """Change a drawing in place."""
    width = _width(eye)
    # Lids meet near the lower one, which hardly moves.
    lower = eye[:, [0, 5, 4, 3]]
    line = smooth_chain(lower, pieces=4)
    margin = float(width.max()) * AROUND + 2.0
    rows, columns = picture_window(torch.cat((eye, line), 1), margin, drawing.shape[-2], drawing.shape[-1])
    origin = eye.new_tensor((columns.start, rows.start))
    size = (rows.stop - rows.start, columns.stop - columns.start)
    shown = strength.view(-1, 1, 1, 1)
    inside = torch.maximum(
        dilated_polygon(eye - origin, size, ERASED * width),
        dilated_polygon(eye - origin + ERASED_ABOVE * _upwards(eye)[:, None], size, ERASED * width),
    )
    ink = stroke_segments(line[:, :-1] - origin, line[:, 1:] - origin, size, (0.5 * LINE_WIDTH * width).clamp_min(0.5))
    part = drawing[..., rows, columns]
    if drawing.shape[1] == 1:
        around = dilated_polygon(eye - origin, size, AROUND * width) * (1.0 - inside)
        lid = _lid_tone(part, around)
    else:
        lid = _cheek_colour(drawing, eye)
    cleared = part + (lid - part) * (inside * shown)
    drawing[..., rows, columns] = cleared * (1.0 - ink * shown)


def _lid_tone(part: Tensor, around: Tensor) -> Tensor:
    """Paper, or ink where the eye lies in a shadow that is drawn black, (B, 1, 1, 1)."""
    share = around.sum((-2, -1), keepdim=True).clamp_min(1e-6)
    return _ramp((part * around).sum((-2, -1), keepdim=True) / share, IN_SHADOW)


def _cheek_colour(drawing: Tensor, eye: Tensor) -> Tensor:
    """What lies below the eye, (B, C, 1, 1)."""
    count, _, height, side = drawing.shape
    cheek = eye[:, [4, 5]].mean(1) - 0.4 * _upwards(eye)
    scale = drawing.new_tensor((2.0 / max(side - 1, 1), 2.0 / max(height - 1, 1)))
    place = (cheek * scale - 1.0).view(count, 1, 1, 2).to(drawing.dtype)
    smooth = functional.avg_pool2d(drawing, 5, 1, 2)
    return functional.grid_sample(smooth, place, padding_mode="border", align_corners=True)
