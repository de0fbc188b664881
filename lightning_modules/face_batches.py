"""What the identity features are trained on: several views of each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class FaceSample(NamedTuple):
    """Views of one face."""

    views: Tensor
    """float32 (V, 3, 112, 96) in [-1, 1], the square face window squeezed, as the identity loss shows it."""
    person: Tensor
    """long (), who it is, counted through all people of the data module."""
    photo: Tensor
    """long (), which photo validation's views are of; -1 in training, where each view may be of another."""


class FaceBatch(NamedTuple):
    """Views of B faces."""

    views: Tensor
    """float32 (B, V, 3, 112, 96) in [-1, 1]."""
    person: Tensor
    """long (B,)."""
    photo: Tensor
    """long (B,)."""


def stack_faces(samples: Sequence[FaceSample]) -> FaceBatch:
    """A batch of samples."""
    return FaceBatch(*(torch.stack(column) for column in zip(*samples, strict=True)))
