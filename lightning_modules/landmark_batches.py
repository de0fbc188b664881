"""What a data module hands to the training of the landmark network."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FaceLandmarksBatch(NamedTuple):
    """B crops of faces with their landmarks."""

    crop: Tensor
    """(B, 3, 112, 112) float32 in [0, 1], RGB."""
    landmarks: Tensor
    """(B, 68, 2) float32: x and y as fractions of the crop's sides, 0 and 1 at the outer edges of its first and last
    pixel: the centre of pixel p is at (p + 0.5) / 112. They may leave [0, 1]."""
    domain: Tensor
    """(B,) int64: what the crop shows, a number of ``LandmarkRegression.domains``."""
