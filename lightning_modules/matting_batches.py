"""The batch that the matting network is trained on."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class MattingBatch(NamedTuple):
    """B photos of S x S pixels, S a multiple of 32.

    Attributes:
        photo: (B, 3, S, S) RGB in [-1, 1].
        matte: (B, 1, S, S) in [0, 1], 1 = person.
        trimap: (B, 1, S, S): 1 surely person, 0 surely background, 0.5 the band between.
    """

    photo: Tensor
    matte: Tensor
    trimap: Tensor
