"""A mouth that is open in the photo, moved: its teeth belong to the head and not to the lips.

A warp by the landmarks squeezes the teeth of a smile into a pile of lines when the lips close, and stretches them when
they open further. Here the inside of the mouth is carried with the head as a whole, and the moving lips uncover or hide
it, as they do with real teeth.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.drawing.mouth_interior import (
    LIP_LINE_WIDTH,
    in_profile,
    mouth_opening,
    mouth_picture,
    open_in_photo,
    outer_eye_distance,
)
from lightning_modules.geometry.landmark_groups import INNER_LIP
from lightning_modules.geometry.sampling import sample
from lightning_modules.geometry.shapes import dilated_polygon

CLOSING: Final = (0.6, 0.9)
"""How far a mouth that is open in the photo is closed when the line between its lips begins to show, and is whole."""
OWN_LINE: Final = 1.5
"""The photo's mouth reaches so many widths of a lip line beyond its inner lips: their line goes with the teeth."""
_WITH_THE_HEAD: Final = (27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)
"""Landmarks that neither lips nor lids move: nose and eye corners."""


def head_placement(source: Tensor, target: Tensor, positions: Tensor) -> Tensor:
    """Where places of the moved picture lie in the photo, if they move with the head as a whole.

    Least squares over nose and eye corners: shift, turn and size in the plane.

    Args:
        source: (B, 68, 2), the photo's landmarks, pixels.
        target: (B, 68, 2), landmarks of the moved picture.
        positions: (..., 2), order (x, y), in the moved picture.

    Returns:
        (B, ..., 2) in the photo.
    """
    points = list(_WITH_THE_HEAD)
    here, there = target[:, points], source[:, points]
    here_middle, there_middle = here.mean(1, keepdim=True), there.mean(1, keepdim=True)
    (x, y), (to_x, to_y) = (here - here_middle).unbind(-1), (there - there_middle).unbind(-1)
    size = (x * x + y * y).sum(1).clamp_min(1e-6)
    along = ((x * to_x + y * to_y).sum(1) / size)[:, None]
    across = ((x * to_y - y * to_x).sum(1) / size)[:, None]
    flat = positions.reshape(1, -1, 2) - here_middle
    turned = torch.stack(
        (along * flat[..., 0] - across * flat[..., 1], across * flat[..., 0] + along * flat[..., 1]), dim=-1
    )
    return (turned + there_middle).view(len(target), *positions.shape)


def move_open_mouth(drawing: Tensor, static: Tensor, landmarks: Tensor, rest: Tensor) -> Tensor:
    """Carry the inside of mouths that are open in the photo with the head.

    What the photo does not show, because the lips have opened further, is drawn as in a mouth that was closed. Lips
    that close get a line between them.

    Args:
        drawing: (B, C, H, W) in [0, 1], already warped to ``landmarks``.
        static: (B or 1, C, H, W) in [0, 1], d_s before the warp.
        landmarks: (B, 68, 2), pixels of ``drawing``.
        rest: (B or 1, 68, 2), the photo's own landmarks in the same pixels.

    Returns:
        (B, C, H, W) in [0, 1]; unchanged where the mouth is closed in the photo, at rest and in profile.
    """
    count = len(drawing)
    own = (open_in_photo(rest) * ~in_profile(rest)).expand(count)
    if not bool((own > 0).any()):
        return drawing
    source = rest.expand(count, -1, -1)
    picture = mouth_picture(landmarks, *drawing.shape[1:])
    rows, columns = picture.rows, picture.columns
    across = torch.arange(columns.start, columns.stop, device=drawing.device, dtype=landmarks.dtype)
    down = torch.arange(rows.start, rows.stop, device=drawing.device, dtype=landmarks.dtype)
    places = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
    placed = head_placement(source, landmarks, places)
    seen = sample(static.expand(count, -1, -1, -1), placed, padding="border")
    reach = OWN_LINE * LIP_LINE_WIDTH * outer_eye_distance(rest)
    mouth_in_photo = dilated_polygon(rest[:, list(INNER_LIP)], (drawing.shape[-2], drawing.shape[-1]), reach)
    known = sample(mouth_in_photo.expand(count, -1, -1, -1), placed)
    interior = picture.interior + (seen - picture.interior) * known
    strength = own.view(-1, 1, 1, 1)
    mouth = drawing[..., rows, columns]
    filled = mouth + (interior - mouth) * (picture.inside * strength)
    closed = 1.0 - mouth_opening(landmarks) / mouth_opening(source).clamp_min(1e-6)
    line = ((closed - CLOSING[0]) / (CLOSING[1] - CLOSING[0])).clamp(0.0, 1.0) * own
    result = drawing.clone()
    result[..., rows, columns] = filled * (1.0 - picture.line * line.view(-1, 1, 1, 1))
    return result
