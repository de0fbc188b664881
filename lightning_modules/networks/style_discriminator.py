"""The static drawer's discriminator of drawings, which also tells their style (auxiliary, section 1.2).

The discriminator of photos and the local ones for nose, eyes and lips are plain
:class:`~lightning_modules.networks.patch_discriminator.PatchDiscriminator`; what a local one is shown is
:func:`~lightning_modules.networks.drawing_discriminators.masked_part`.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import instance_normalization
from lightning_modules.networks.initialization import initialize
from lightning_modules.networks.input_checks import check_pictures

_SLOPE = 0.2  # of the leaky ReLUs
_REDUCTION = 32  # a picture's side over that of the last convolution of the style head


class StyleJudgement(NamedTuple):
    """Logits for B drawings."""

    patches: Tensor
    """(B, 1, side/8 - 2, side/8 - 2), real or made, without sigmoid; 62x62 for 512x512."""
    styles: Tensor
    """(B, styles), without softmax."""


def _halving(given: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, 4, stride=2, padding=1)


def _activated(features: Tensor) -> Tensor:
    return functional.leaky_relu(instance_normalization(features), _SLOPE)


class StyleDiscriminator(nn.Module):
    """A PatchGAN of three halvings from whose third layer a second head goes on; 9,448,388 parameters by default.

    The last convolution of the style head spans all that is left of the picture: one size of pictures only.

    Args:
        input_channels: channels of the drawings.
        width: channels of the first layer; up to eight times as many further in.
        styles: how many styles are told apart.
        side: height and width of the drawings, pixels: a multiple of 32 from 64 up.

    Attributes:
        arguments: all of the above as given, so that a checkpoint can say what it belongs to.

    Raises:
        ConfigError: if no network has these sizes.
    """

    def __init__(self, input_channels: int = 1, width: int = 64, styles: int = 3, side: int = 512) -> None:
        super().__init__()
        self.arguments = {"input_channels": input_channels, "width": width, "styles": styles, "side": side}
        if min(self.arguments.values()) < 1:
            given = ", ".join(f"{name} {value}" for name, value in self.arguments.items())
            raise ConfigError(f"a style discriminator with {given}", "use at least 1 of each")
        if side % _REDUCTION or side < 2 * _REDUCTION:
            raise ConfigError(f"a style discriminator for drawings of {side} pixels", "use a multiple of 32 from 64 up")
        self.input_channels = input_channels
        self.side = side
        self.trunk = nn.ModuleList(
            (_halving(input_channels, width), _halving(width, 2 * width), _halving(2 * width, 4 * width))
        )
        self.patch_head = nn.ModuleList(
            (nn.Conv2d(4 * width, 8 * width, 4, padding=1), nn.Conv2d(8 * width, 1, 4, padding=1))
        )
        self.style_head = nn.ModuleList(
            (
                _halving(4 * width, 8 * width),
                _halving(8 * width, 8 * width),
                nn.Conv2d(8 * width, styles, side // _REDUCTION),
            )
        )
        initialize(self)

    def forward(self, drawing: Tensor) -> StyleJudgement:
        """Judge drawings, real or made.

        Args:
            drawing: (B, input_channels, side, side) in [-1, 1].

        Returns:
            The logits of both heads.

        Raises:
            ValueError: if the shape is another one.
        """
        size = check_pictures("drawing", drawing, self.input_channels)
        if size != (self.side, self.side):
            raise ValueError(f"drawing must be {self.side}x{self.side}, got {size[0]}x{size[1]}")
        first, *further = self.trunk
        features = functional.leaky_relu(first(drawing), _SLOPE)
        for convolution in further:
            features = _activated(convolution(features))
        heads = []
        for *normalized, last in (self.patch_head, self.style_head):
            judged = features
            for convolution in normalized:
                judged = _activated(convolution(judged))
            heads.append(last(judged))
        patches, styles = heads
        return StyleJudgement(patches, styles.flatten(1))
