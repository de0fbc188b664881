"""The supervised losses of MODNet: where the person is, the outline, the matte (auxiliary, section 2.5; Ke et al.).

A trimap says of every pixel: person (1), background (0), or unknown (0.5), the band in which the outline runs. The
published sum is ``10 · semantic + 10 · detail + 1 · matte``.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision
from lightning_modules.networks.frozen.modnet import MattingMaps

SEMANTIC_REDUCTION: Final = 16
"""Side of a matte over that of the semantic map."""

_BLUR_SPREAD: Final = 0.8  # standard deviation of the 3 x 3 Gaussian, in its pixels
_BAND_FACTOR: Final = 4.0  # weight of the errors in the unknown band, beside those everywhere


def coarse_matte(matte: Tensor) -> Tensor:
    """A matte as the semantic branch is to see it: bilinear at 1/16, then a 3 x 3 Gaussian of spread 0.8.

    Args:
        matte: (B, 1, H, W) in [0, 1], H and W multiples of 16 and at least 32.

    Returns:
        (B, 1, H/16, W/16) in [0, 1]; borders are mirrored.
    """
    small = functional.interpolate(matte, scale_factor=1 / SEMANTIC_REDUCTION, mode="bilinear", align_corners=False)
    side = math.exp(-0.5 / _BLUR_SPREAD**2)
    profile = small.new_tensor([side, 1.0, side]) / (1.0 + 2.0 * side)
    kernel = torch.outer(profile, profile)[None, None]
    return functional.conv2d(functional.pad(small, (1, 1, 1, 1), mode="reflect"), kernel)


def known_from(trimap: Tensor, matte: Tensor) -> Tensor:
    """A matte that takes over the trimap wherever that is sure: errors there count nothing.

    Args:
        trimap: (B, 1, H, W) of 0, 0.5 and 1.
        matte: (B, 1, H, W).

    Returns:
        (B, 1, H, W): ``matte`` in the unknown band, else the trimap.
    """
    return torch.where(trimap == 0.5, matte, trimap)


@in_full_precision
def semantic_matting_loss(semantic: Tensor, matte: Tensor) -> Tensor:
    """Mean squared difference of the semantic map from the coarse matte.

    Args:
        semantic: (B, 1, H/16, W/16) in [0, 1].
        matte: the matte wanted, (B, 1, H, W) in [0, 1].

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: if shapes do not fit.
    """
    wanted = coarse_matte(matte)
    _require_one_shape(semantic, wanted, "semantic map", "coarse matte")
    return functional.mse_loss(semantic, wanted)


@in_full_precision
def detail_matting_loss(detail: Tensor, matte: Tensor, trimap: Tensor) -> Tensor:
    """Mean absolute difference of the detail map from the matte, in the unknown band; over all pixels of the frame.

    Args:
        detail: (B, 1, H, W) in [0, 1].
        matte: the matte wanted, of the same shape.
        trimap: of the same shape.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: if shapes do not fit.
    """
    _require_one_shape(detail, matte, "detail map", "matte")
    _require_one_shape(trimap, matte, "trimap", "matte")
    return functional.l1_loss(known_from(trimap, detail), known_from(trimap, matte))


@in_full_precision
def matte_loss(made: Tensor, matte: Tensor, trimap: Tensor, photo: Tensor) -> Tensor:
    """Absolute differences of the matte and of the photo seen through it, both once more for the unknown band.

    With ``k`` the matte that takes over the trimap outside of the band, α the matte wanted and I the photo:
    ``|a - α| + 4 |k - α| + |I a - I α| + 4 |I k - I α|``, each a mean over its elements (the compositional ones over
    three channels).

    Args:
        made: a, (B, 1, H, W) in [0, 1].
        matte: α, of the same shape.
        trimap: of the same shape.
        photo: I, (B, 3, H, W) in [-1, 1], as the network sees it (published: so mid-gray pixels compose to nothing).

    Returns:
        A scalar in [0, 10].

    Raises:
        ValueError: if shapes do not fit.
    """
    _require_one_shape(made, matte, "matte made", "matte")
    _require_one_shape(trimap, matte, "trimap", "matte")
    _require_one_shape(photo[:, :1], matte, "photo", "matte")
    within = known_from(trimap, made)
    whole = functional.l1_loss(made, matte) + _BAND_FACTOR * functional.l1_loss(within, matte)
    seen = functional.l1_loss(photo * made, photo * matte)
    return whole + seen + _BAND_FACTOR * functional.l1_loss(photo * within, photo * matte)


def _require_one_shape(one: Tensor, other: Tensor, name: str, other_name: str) -> None:
    if one.shape != other.shape:
        raise ValueError(f"{name} {tuple(one.shape)} and {other_name} {tuple(other.shape)} must be of one shape")


class SupervisedMattingLoss(nn.Module):
    """The weighted terms.

    Args:
        semantic: weight of :func:`semantic_matting_loss`; published 10.
        detail: weight of :func:`detail_matting_loss`; published 10.
        matte: weight of :func:`matte_loss`; published 1.
    """

    def __init__(self, semantic: float = 10.0, detail: float = 10.0, matte: float = 1.0) -> None:
        super().__init__()
        self.weights = {"semantic": semantic, "detail": detail, "matte": matte}

    def forward(self, maps: MattingMaps, matte: Tensor, trimap: Tensor, photo: Tensor) -> dict[str, Tensor]:
        """Terms by name, each times its weight.

        Args:
            maps: what the network made of the photos.
            matte: (B, 1, H, W) in [0, 1], the mattes wanted.
            trimap: (B, 1, H, W) of 0, 0.5 and 1.
            photo: (B, 3, H, W) in [-1, 1].
        """
        terms = {
            "semantic": semantic_matting_loss(maps.semantic, matte),
            "detail": detail_matting_loss(maps.detail, matte, trimap),
            "matte": matte_loss(maps.matte, matte, trimap, photo),
        }
        return {name: self.weights[name] * term for name, term in terms.items()}
