"""The landmark encoder: a picture of the 68 landmarks to features at 1/4 size (paper §3.3; reference stage2 §1.3)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from lightning_modules.networks.blocks import NormalizedConvolution, down_layer


class LandmarkEncoder(nn.Module):
    """Three 3x3 convolutions with IN: flat, down, down; the last one without ReLU.

    One encoder, with the same weights, reads both the source and the target landmarks.

    Args:
        width: channels of the first layer; the features have twice as many.
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.output_channels = 2 * width
        self.layers = nn.Sequential(
            NormalizedConvolution(nn.Conv2d(1, width, 3, padding=1)),
            down_layer(width, 2 * width),
            down_layer(2 * width, 2 * width, relu=False),
        )

    def forward(self, landmark_image: Tensor) -> Tensor:
        """(B, 1, H, W) in [-1, 1], -1 = nothing, +1 = a disc at each landmark, to (B, 2 width, H/4, W/4)."""
        return cast("Tensor", self.layers(landmark_image))
