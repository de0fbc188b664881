"""Self-consistency of MODNet on photos without mattes: its branches agree with one another, its outline stays.

Adapting to photos of another kind, the network teaches itself (Ke et al. 2022, section 3.4; auxiliary, section 2.5):
semantic map and matte pull each other together, each taken as given by the other; and a copy that stands still since
the epoch began, the teacher, holds the detail in the band around the outline, which would blur otherwise. The published
sum is ``100 · semantics + 1 · outline``.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.matting import SEMANTIC_REDUCTION, coarse_matte
from lightning_modules.losses.precision import in_full_precision
from lightning_modules.networks.frozen.modnet import MattingMaps

_PERSON: Final = 0.1  # from here on both maps count a pixel as person
_NOTHING: Final = 0.01  # below this a map that teaches counts as 0
_BAND_SHARE: Final = 0.05  # side of the square that makes the band, over the mean of height and width


@torch.no_grad()
def outline_band(maps: MattingMaps) -> Tensor:
    """Where the outline of the person runs, as matte and semantic map see it together.

    The person is where the matte is above 0.1 *and* the semantic map, thresholded alike and enlarged bilinearly, is not
    0 there, as a product; the band is where dilation and erosion of that with a square differ.

    Args:
        maps: of H x W pixels.

    Returns:
        (B, 1, H, W) of 0 and 1. The square's side is 5 % of the mean of H and W, made odd so that it has a middle, and
        at least 3 (published: 25 at 512, as here).
    """
    height, width = maps.matte.shape[-2:]
    where = functional.interpolate(
        (maps.semantic > _PERSON).float(), scale_factor=SEMANTIC_REDUCTION, mode="bilinear", align_corners=False
    )
    person = (maps.matte > _PERSON).float() * where
    radius = max(1, int((height + width) / 2 * _BAND_SHARE) // 2)
    side = 2 * radius + 1
    grown = functional.max_pool2d(person, side, stride=1, padding=radius)
    shrunk = -functional.max_pool2d(-person, side, stride=1, padding=radius)
    return (grown != shrunk).float()


@in_full_precision
def semantic_consistency_loss(semantic: Tensor, matte: Tensor) -> Tensor:
    """Mean squared difference of the semantic map and the coarse matte, twice: each moves while the other is given.

    Args:
        semantic: (B, 1, H/16, W/16) in [0, 1].
        matte: made of the same photos, (B, 1, H, W) in [0, 1].

    Returns:
        A scalar in [0, 2]. Values below 0.01 of the one that is given count as 0.
    """
    coarse = coarse_matte(matte)
    return functional.mse_loss(semantic, _given(coarse)) + functional.mse_loss(coarse, _given(semantic))


def _given(teaching: Tensor) -> Tensor:
    fixed = teaching.detach()
    return fixed * (fixed > _NOTHING)


@in_full_precision
def outline_consistency_loss(maps: MattingMaps, teacher: MattingMaps) -> Tensor:
    """Mean absolute difference from the teacher in the band around the outline: of the detail map and of the matte.

    Args:
        maps: of the network.
        teacher: of the teacher, for the same photos; taken as given.

    Returns:
        A scalar in [0, 2]: the mean over the photos; a photo without a band counts 0.
    """
    maps, teacher = MattingMaps(*maps), MattingMaps(*teacher)  # widened ones come as a list
    band = outline_band(maps)
    area = band.sum((1, 2, 3)).clamp(min=1)

    def within(one: Tensor, other: Tensor) -> Tensor:
        return ((band * (one - other.detach()).abs()).sum((1, 2, 3)) / area).mean()

    return within(maps.detail, teacher.detail) + within(maps.matte, teacher.matte)


class MattingConsistencyLoss(nn.Module):
    """The weighted terms.

    Args:
        semantics: weight of :func:`semantic_consistency_loss`; published 100.
        outline: weight of :func:`outline_consistency_loss`; published 1.
    """

    def __init__(self, semantics: float = 100.0, outline: float = 1.0) -> None:
        super().__init__()
        self.weights = {"semantics": semantics, "outline": outline}

    def forward(self, maps: MattingMaps, teacher: MattingMaps) -> dict[str, Tensor]:
        """Terms by name, each times its weight; arguments as for :func:`outline_consistency_loss`."""
        return {
            "semantics": self.weights["semantics"] * semantic_consistency_loss(maps.semantic, maps.matte),
            "outline": self.weights["outline"] * outline_consistency_loss(maps, teacher),
        }
