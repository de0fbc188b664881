"""The inverse generator F of the static drawer's asymmetric cycle: a drawing back to a photo (auxiliary, section 1.2).

It is used in training only. Convention: as in :mod:`~lightning_modules.networks.static_drawing_generator`.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import ResidualBlock, down_layer, flat_layer
from lightning_modules.networks.image_decoder import ImageDecoder
from lightning_modules.networks.image_encoder import PHOTO_CHANNELS
from lightning_modules.networks.initialization import initialize
from lightning_modules.networks.input_checks import check_pictures
from lightning_modules.networks.static_drawing_generator import SIZE_MULTIPLE, SMALLEST_SIZE


class InverseGenerator(nn.Module):
    """The static drawer without a style, the other way round; 11,371,907 parameters by default.

    Args:
        width: channels of the features at full size; 4 ``width`` at 1/4 size.
        blocks: number of residual blocks.
        input_channels: channels of the drawing.

    Attributes:
        arguments: all of the above as given, so that a checkpoint can say what it belongs to.

    Raises:
        ConfigError: if one of them is less than 1.
    """

    def __init__(self, width: int = 64, blocks: int = 9, input_channels: int = 1) -> None:
        super().__init__()
        self.arguments = {"width": width, "blocks": blocks, "input_channels": input_channels}
        if min(self.arguments.values()) < 1:
            given = ", ".join(f"{name} {value}" for name, value in self.arguments.items())
            raise ConfigError(f"an inverse generator with {given}", "use at least 1 of each")
        self.input_channels = input_channels
        self.encoder = nn.Sequential(
            flat_layer(input_channels, width), down_layer(width, 2 * width), down_layer(2 * width, 4 * width)
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(blocks)))
        self.decoder = ImageDecoder(4 * width, PHOTO_CHANNELS)
        initialize(self)

    def forward(self, drawing: Tensor) -> Tensor:
        """What was drawn.

        Args:
            drawing: (B, input_channels, H, W) in [-1, 1], +1 = white paper.

        Returns:
            (B, 3, H, W) in [-1, 1], RGB.

        Raises:
            ValueError: if the shape is another one.
        """
        check_pictures("drawing", drawing, self.input_channels, multiple=SIZE_MULTIPLE, smallest=SMALLEST_SIZE)
        return cast("Tensor", self.decoder(self.blocks(self.encoder(drawing))))
