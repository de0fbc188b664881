"""The static drawer G: a photo and a style to a line drawing (auxiliary, sections 1.1 and 1.5).

From "Unpaired Portrait Drawing Generation via Asymmetric Cycle Mapping" (Yi et al. 2020). The published portrait
generator is trained towards its drawings, and draws the background with them. Convention: pictures are (B, C, H, W) in
[-1, 1]; H and W are multiples of 4, any size from 8 up.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import (
    NormalizedConvolution,
    ResidualBlock,
    down_layer,
    flat_layer,
    joining_convolution,
)
from lightning_modules.networks.image_decoder import ImageDecoder
from lightning_modules.networks.image_encoder import PHOTO_CHANNELS
from lightning_modules.networks.initialization import initialize
from lightning_modules.networks.input_checks import check_pictures, fill_batch

SIZE_MULTIPLE: Final = 4
SMALLEST_SIZE: Final = 8


class StaticDrawingGenerator(nn.Module):
    """Encoder to 1/4 size, a layer that reads the style, residual blocks, decoder; 11,968,897 parameters by default.

    Normalisation is by sample and without running statistics: training and evaluation compute the same.

    Args:
        width: channels of the features at full size; 4 ``width`` at 1/4 size.
        blocks: number of residual blocks, all of them behind the style.
        styles: numbers in a style vector.
        output_channels: 1 for line drawings, 3 for colour styles.

    Attributes:
        arguments: all of the above as given, so that a checkpoint can say what it belongs to.

    Raises:
        ConfigError: if one of them is less than 1.
    """

    def __init__(self, width: int = 64, blocks: int = 9, styles: int = 3, output_channels: int = 1) -> None:
        super().__init__()
        self.arguments = {"width": width, "blocks": blocks, "styles": styles, "output_channels": output_channels}
        if min(self.arguments.values()) < 1:
            given = ", ".join(f"{name} {value}" for name, value in self.arguments.items())
            raise ConfigError(f"a static drawing generator with {given}", "use at least 1 of each")
        self.styles = styles
        self.encoder = nn.Sequential(
            flat_layer(PHOTO_CHANNELS, width), down_layer(width, 2 * width), down_layer(2 * width, 4 * width)
        )
        self.join = NormalizedConvolution(joining_convolution("residual", 4 * width + styles, 4 * width))
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(blocks)))
        self.decoder = ImageDecoder(4 * width, output_channels)
        initialize(self)

    def forward(self, photo: Tensor, style: Tensor) -> Tensor:
        """Draw photos.

        Args:
            photo: (B, 3, H, W) in [-1, 1]; the published weights were trained at 512x512.
            style: (b, styles), or (b, styles, H/4, W/4) for a style that changes over the picture; B a multiple of b,
                repeated in the order of ``torch.cat``. Shares of the styles that add up to 1: one of them 1 for a pure
                style. The published animation uses (0, 1, 0).

        Returns:
            (B, output_channels, H, W) in [-1, 1]: -1 black ink, +1 white paper.

        Raises:
            ValueError: if a shape is another one or the batches do not fit.
        """
        height, width = check_pictures("photo", photo, PHOTO_CHANNELS, multiple=SIZE_MULTIPLE, smallest=SMALLEST_SIZE)
        size = (height // SIZE_MULTIPLE, width // SIZE_MULTIPLE)
        shape = tuple(style.shape)
        allowed = ((self.styles,), (self.styles, *size))
        if shape[1:] not in allowed or not shape[0] or not style.is_floating_point():
            raise ValueError(
                f"style must be floating point (B, {self.styles}) or (B, {self.styles}, {size[0]}, {size[1]}), "
                f"got {style.dtype} {shape}"
            )
        style = fill_batch("style", style, len(photo))
        if style.ndim == 2:
            style = style[:, :, None, None].expand(-1, -1, *size)
        features = self.encoder(photo)
        features = self.join(torch.cat((features, style.to(features.dtype)), dim=1))
        return cast("Tensor", self.decoder(self.blocks(features)))
