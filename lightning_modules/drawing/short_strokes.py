"""Ticks: strokes too short to show anything, which a line drawer leaves in blurred or grainy backgrounds."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

INK: Final = 0.8
"""Tone below which a pixel belongs to a stroke."""
SHORTEST: Final = 0.1
"""Length of the shortest stroke that stays, as a share of the picture's side."""
TOGETHER: Final = 0.02
"""Short strokes nearer to each other than this share of the side are a texture: feathers, leaves, a woven chair."""
TEXTURE: Final = 1.5
"""A texture stays if it is this many times as long as the shortest stroke."""


def without_short_strokes(drawing: Tensor, shortest: float = SHORTEST) -> Tensor:
    """Take strokes off that are short and stand alone.

    A stroke is what hangs together in the eight directions; its length is the longer side of its bounding box. Its soft
    rim goes with it. Short strokes that stand close together over a length of :data:`TEXTURE` times the shortest are no
    ticks, they stay.

    Args:
        drawing: (B, 1, H, W) in [0, 1], 1 = paper.
        shortest: strokes below this share of the longer side of the picture are taken off.

    Returns:
        (B, 1, H, W); what stays is unchanged.

    Raises:
        ValueError: the drawing has several channels.
    """
    import cv2

    if drawing.shape[1] != 1:
        raise ValueError(f"a line drawing has one channel, not {drawing.shape[1]}")
    side = max(drawing.shape[-2:])
    reach = round(TOGETHER * side) | 1
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    gone = []
    for tones in drawing[:, 0].cpu().numpy():
        ink = np.asarray(tones < INK, np.uint8)
        short = _shorter(ink, shortest * side)
        texture = np.asarray(cv2.dilate(short.astype(np.uint8), near), np.uint8)
        short &= _shorter(texture, TEXTURE * shortest * side + reach - 1)
        kept = (ink > 0) & ~short
        rim = np.ones((5, 5), np.uint8)
        ticks, lines = (cv2.dilate(part.astype(np.uint8), rim) for part in (short, kept))
        gone.append((ticks > 0) & (lines == 0))
    mask = torch.from_numpy(np.stack(gone))[:, None].to(drawing.device)
    return torch.where(mask, torch.ones_like(drawing), drawing)


def _shorter(ink: NDArray[np.uint8], limit: float) -> NDArray[np.bool_]:
    """Pixels of the parts that hang together and are shorter than a limit, (H, W)."""
    import cv2

    _, labels, facts, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    short = np.maximum(facts[:, cv2.CC_STAT_WIDTH], facts[:, cv2.CC_STAT_HEIGHT]) < limit
    short[0] = False  # the paper
    found: NDArray[np.bool_] = short[labels]
    return found
