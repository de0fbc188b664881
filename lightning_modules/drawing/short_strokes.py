"""Ticks: strokes too short to show anything, which a line drawer leaves in blurred or grainy backgrounds."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

INK: Final = 0.8
"""Tone below which a pixel belongs to a stroke."""
SHORTEST: Final = 0.1
"""Length of the shortest stroke that stays, as a share of the picture's side."""


def without_short_strokes(drawing: Tensor, shortest: float = SHORTEST) -> Tensor:
    """Take strokes off that are short and stand alone.

    A stroke is what hangs together in the eight directions; its length is the longer side of its bounding box. Its soft
    rim goes with it.

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
    limit = shortest * max(drawing.shape[-2:])
    gone = []
    for tones in drawing[:, 0].cpu().numpy():
        _, labels, facts, _ = cv2.connectedComponentsWithStats((tones < INK).astype(np.uint8), connectivity=8)
        length = np.maximum(facts[:, cv2.CC_STAT_WIDTH], facts[:, cv2.CC_STAT_HEIGHT])
        short = length < limit
        short[0] = False  # the paper
        kept = (labels > 0) & ~short[labels]
        rim = np.ones((5, 5), np.uint8)
        ticks, lines = (cv2.dilate(part.astype(np.uint8), rim) for part in (short[labels], kept))
        gone.append((ticks > 0) & (lines == 0))
    mask = torch.from_numpy(np.stack(gone))[:, None].to(drawing.device)
    return torch.where(mask, torch.ones_like(drawing), drawing)
