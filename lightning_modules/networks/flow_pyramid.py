"""What every network for flow map A gives, whatever its architecture (Li et al. 2019; reference stage2 §2.1)."""

from __future__ import annotations

from typing import Final, NamedTuple

from torch import Tensor

POINTS: Final = 68
LANDMARK_MAPS: Final = 2 * POINTS
"""Channels that a flow network reads: one disc map a source landmark, then one a target landmark."""

VISIBILITY_CLASSES: Final = 3
"""Visible in the source, occluded there, background; in this order."""


class FlowPyramid(NamedTuple):
    """Flow from target to source at every size, and what each target pixel is."""

    flows: tuple[Tensor, ...]
    """(B, 2, H / 2^(i+1), W / 2^(i+1)) for i = 0, 1, ...: backward flow (x, y) in pixels of the full size, over 20."""
    visibility: Tensor
    """Logits of :data:`VISIBILITY_CLASSES`, (B, 3, H / 2, W / 2)."""


def check_depth(size: int, levels: int) -> None:
    """Require that a picture can be halved as often as a network of ``levels`` does it: levels + 1 times.

    Raises:
        ValueError: if it cannot; at the published 224 pixels 4 levels are the most.
    """
    if size % 2 ** (levels + 1):
        raise ValueError(f"{levels} levels need a side that is a multiple of {2 ** (levels + 1)}, got {size}")
