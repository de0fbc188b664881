"""The static drawing carried to another pose: what a warp can make of it, with mouths and closed eyes drawn."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lightning_modules.drawing.closed_lids import draw_closed_lids
from lightning_modules.drawing.mouth_interior import draw_mouth_interior
from lightning_modules.drawing.open_mouth import move_open_mouth
from lightning_modules.geometry.articulated_map import articulated_map
from lightning_modules.geometry.sampling import sample


class MovedDrawing(NamedTuple):
    """A static drawing in other poses, and the map that carried it."""

    drawing: Tensor
    """(B, C, S, S) in [0, 1]."""
    positions: Tensor
    """Backward sampling map (B, S, S, 2), order (x, y), pixels; whatever moves with the drawing is moved by it."""


def moved_drawing(
    drawing: Tensor, source: Tensor, target: Tensor, *, stride: int = 4, drawn_features: bool = True
) -> MovedDrawing:
    """Warp d_s from the landmarks at rest to others by :func:`.articulated_map.articulated_map`.

    Args:
        drawing: d_s, (B or 1, C, S, S) in [0, 1], 1 = paper.
        source: its landmarks, (B or 1, 68, 2), pixels.
        target: landmarks to show, (B, 68, 2), pixels.
        stride: the smooth part of the map is evaluated on every ``stride``-th pixel and interpolated between.
        drawn_features: draw the inside of mouths that open, let the teeth of open ones go with the head, and draw the
            line of eyes that close; False: the warp alone, which stretches lips and teeth and squeezes open eyes.
    """
    count = len(target)
    positions = articulated_map(source.expand(count, -1, -1), target, drawing.shape[-1], stride=stride)
    moved = sample(drawing.expand(count, -1, -1, -1), positions, padding="border")
    if drawn_features:
        moved = move_open_mouth(moved, drawing, target, source)
        moved = draw_closed_lids(draw_mouth_interior(moved, target, source), target, source)
    return MovedDrawing(moved, positions)
