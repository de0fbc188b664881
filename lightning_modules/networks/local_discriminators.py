"""The static drawer's local discriminators for nose, eyes and lips (Yi et al. 2020; auxiliary, section 1.2)."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.drawing_discriminators import masked_part
from lightning_modules.networks.input_checks import check_pictures
from lightning_modules.networks.patch_discriminator import PatchDiscriminator

PARTS = ("nose", "eyes", "lips")
"""In the order of the channels of part masks."""


class LocalDiscriminators(nn.Module):
    """One PatchGAN a part; each sees the drawing, white outside its part, and the mask as one more channel.

    Args:
        channels: channels of the drawings.
        width: channels of each one's first layer.
        halvings: number of layers of stride 2 in each.
    """

    def __init__(self, channels: int = 1, width: int = 64, halvings: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.parts = nn.ModuleList(PatchDiscriminator(channels + 1, width, halvings) for _ in PARTS)

    def forward(self, drawing: Tensor, masks: Tensor) -> tuple[Tensor, ...]:
        """Judge the parts of drawings, real or made.

        Args:
            drawing: (B, channels, H, W) in [-1, 1].
            masks: nose, eyes, lips of these drawings, (B, 3, H, W) in [0, 1]; for a made one those of its photo.

        Returns:
            Logits (B, 1, H', W') of nose, eyes, lips.

        Raises:
            ValueError: if shapes do not fit.
        """
        check_pictures("drawing", drawing, self.channels)
        check_pictures("masks", masks, len(PARTS))
        return tuple(
            part(masked_part(drawing, mask))
            for part, mask in zip(self.parts, masks.chunk(len(PARTS), dim=1), strict=True)
        )
