"""The drawing discriminators D_D: the global D_g and the local D_ln, D_le, D_ll for nose, eyes, lips (paper §3.3).

Convention: drawings are (B, C, H, W) in [-1, 1], +1 = white paper; masks (B, 1, H, W) in [0, 1], 1 = inside the part.
The local ones judge no crops but the whole drawing with everything outside the part painted white, and the mask beside
it (reference stage2 §3).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from lightning_modules.networks.input_checks import check_pictures
from lightning_modules.networks.patch_discriminator import PatchDiscriminator


def white_outside(drawing: Tensor, mask: Tensor) -> Tensor:
    """Paint everything outside a part white: ``drawing * mask + 1 - mask``; soft where the mask is soft.

    Args:
        drawing: (B, C, H, W) in [-1, 1].
        mask: (B, 1, H, W) in [0, 1].

    Returns:
        (B, C, H, W) in [-1, 1].
    """
    return drawing * mask + (1.0 - mask)


def masked_part(drawing: Tensor, mask: Tensor) -> Tensor:
    """What a local discriminator judges: the drawing, white outside the part, and the mask as one more channel.

    Args:
        drawing: (B, C, H, W) in [-1, 1].
        mask: (B, 1, H, W) in [0, 1].

    Returns:
        (B, C + 1, H, W).

    Raises:
        ValueError: if the mask is not one channel of the drawing's size and batch.
    """
    size = (drawing.shape[-2], drawing.shape[-1])
    check_pictures("the part's mask", mask, 1, size=size)
    if len(mask) != len(drawing):
        raise ValueError(f"{len(mask)} masks do not go with {len(drawing)} drawings")
    return torch.cat((white_outside(drawing, mask), mask.to(drawing.dtype)), dim=1)


class DrawingLogits(NamedTuple):
    """Logits of the four drawing discriminators: (B, 1, H', W') each, 30x30 for drawings of 256x256."""

    d_g: Tensor
    d_ln: Tensor
    d_le: Tensor
    d_ll: Tensor


class DrawingDiscriminators(nn.Module):
    """D_g on the whole drawing; D_ln, D_le and D_ll on nose, eyes and lips.

    Args:
        channels: channels of the drawings: 1, or 3 for colour styles.
        width: channels of each one's first layer.
        halvings: number of layers of stride 2 in each.
    """

    def __init__(self, channels: int = 1, width: int = 64, halvings: int = 3) -> None:
        super().__init__()
        self.d_g = PatchDiscriminator(channels, width, halvings)
        self.d_ln = PatchDiscriminator(channels + 1, width, halvings)
        self.d_le = PatchDiscriminator(channels + 1, width, halvings)
        self.d_ll = PatchDiscriminator(channels + 1, width, halvings)

    def forward(self, drawing: Tensor, nose: Tensor, eyes: Tensor, lips: Tensor) -> DrawingLogits:
        """Judge drawings, real or made.

        Args:
            drawing: (B, channels, H, W) in [-1, 1].
            nose: mask of the nose in these drawings, (B, 1, H, W) in [0, 1].
            eyes: the same for both eyes (and brows, where the masks hold them).
            lips: the same for the lips.

        Returns:
            The logits of all four.

        Raises:
            ValueError: if shapes do not fit.
        """
        return DrawingLogits(
            d_g=cast("Tensor", self.d_g(drawing)),
            d_ln=cast("Tensor", self.d_ln(masked_part(drawing, nose))),
            d_le=cast("Tensor", self.d_le(masked_part(drawing, eyes))),
            d_ll=cast("Tensor", self.d_ll(masked_part(drawing, lips))),
        )
