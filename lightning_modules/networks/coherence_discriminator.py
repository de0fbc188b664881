"""The temporal coherence discriminator D_coh: are these two drawings neighbours in time? (paper §3.3; stage2 §3)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from lightning_modules.networks.patch_discriminator import PatchDiscriminator


class CoherenceDiscriminator(nn.Module):
    """A PatchGAN on two frames, one behind the other in the channels.

    Args:
        channels: channels of one frame: 1, or 3 for colour styles.
        width: channels of the first layer.
        halvings: number of layers of stride 2.
    """

    def __init__(self, channels: int = 1, width: int = 64, halvings: int = 3) -> None:
        super().__init__()
        self.patches = PatchDiscriminator(2 * channels, width, halvings)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Judge pairs of frames.

        Args:
            first: (B, channels, H, W) in [-1, 1].
            second: the frames after them, of the same shape.

        Returns:
            (B, 1, H', W') logits; 30x30 for 256x256.

        Raises:
            ValueError: if the frames differ in shape, or have other channels.
        """
        if first.shape != second.shape:
            raise ValueError(f"two frames must be of one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
        return cast("Tensor", self.patches(torch.cat((first, second), dim=1)))
