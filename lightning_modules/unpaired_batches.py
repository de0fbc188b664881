"""What trains the static drawer: photos and real drawings that do not belong together.

Convention: as in :mod:`lightning_modules.batches`.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class UnpairedSample(NamedTuple):
    """One photo and one real drawing; :class:`UnpairedBatch` describes the fields, here without the B."""

    photo: Tensor
    photo_masks: Tensor
    drawing: Tensor
    drawing_masks: Tensor
    label: Tensor


class UnpairedBatch(NamedTuple):
    """B samples."""

    photo: Tensor
    """x, (B, 3, S, S) in [-1, 1]."""
    photo_masks: Tensor
    """Nose, eyes and lips of the photo, (B, 3, S, S) in [0, 1]."""
    drawing: Tensor
    """d, (B, C, S, S) in [-1, 1], +1 = white paper."""
    drawing_masks: Tensor
    """Nose, eyes and lips of the drawing, (B, 3, S, S) in [0, 1]."""
    label: Tensor
    """Number of the drawing's style, (B,) int64."""
