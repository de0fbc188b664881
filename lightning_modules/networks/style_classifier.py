"""Tells the style of a real drawing: its softmax is the style vector that the static drawer learns (auxiliary, 1.1).

Published: VGG19 on three styles. Here a small network, because a style is the manner of the stroke and not what is
drawn: it sees patches of some 60 pixels and takes their mean.
"""

from __future__ import annotations

from typing import Final, cast

from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.input_checks import check_pictures

_HALVINGS: Final = 4
_SMALLEST: Final = 2**_HALVINGS


class StyleClassifier(nn.Module):
    """Four convolutions of stride 2 with group normalisation, the mean over the picture, one linear layer.

    Args:
        input_channels: channels of the drawings.
        width: channels of the first layer; doubled by each of the others.
        styles: how many are told apart.

    Attributes:
        arguments: all of the above as given, so that a checkpoint can say what it belongs to.

    Raises:
        ConfigError: if one of them is less than 1.
    """

    def __init__(self, input_channels: int = 1, width: int = 16, styles: int = 3) -> None:
        super().__init__()
        self.arguments = {"input_channels": input_channels, "width": width, "styles": styles}
        if min(self.arguments.values()) < 1:
            given = ", ".join(f"{name} {value}" for name, value in self.arguments.items())
            raise ConfigError(f"a style classifier with {given}", "use at least 1 of each")
        self.input_channels = input_channels
        widths = [input_channels, *(width * 2**layer for layer in range(_HALVINGS))]
        layers: list[nn.Module] = []
        for layer in range(_HALVINGS):
            given_width, made = widths[layer : layer + 2]
            # One group: normalisation by drawing keeps how busy one place is beside another.
            layers += [nn.Conv2d(given_width, made, 5, stride=2, padding=2), nn.GroupNorm(1, made), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], styles)

    def forward(self, drawing: Tensor) -> Tensor:
        """Logits of the styles of drawings.

        Args:
            drawing: (B, input_channels, H, W) in [-1, 1], sides at least 16.

        Returns:
            (B, styles), without softmax.

        Raises:
            ValueError: if the shape is another one.
        """
        check_pictures("drawing", drawing, self.input_channels, smallest=_SMALLEST)
        return cast("Tensor", self.head(self.layers(drawing).mean((2, 3))))
