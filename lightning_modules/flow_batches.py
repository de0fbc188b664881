"""What the training of flow map A is fed with."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FlowBatch(NamedTuple):
    """B pairs of views."""

    source: Tensor
    """(B, 68, 2) float32 landmarks of the photo, order (x, y), pixels of a 256 x 256 picture."""
    target: Tensor
    """(B, 68, 2) float32 landmarks to show."""
    flow: Tensor
    """(B, 2, 224, 224) float32 true backward flow, order (x, y), pixels at 224: target pixel p shows source pixel
    p + flow(p); 0 on the background."""
    visibility: Tensor
    """(B, 224, 224) uint8: 0 visible in the photo, 1 occluded there, 2 background."""
