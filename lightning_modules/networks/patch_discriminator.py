"""The PatchGAN that all discriminators are made of (paper §3.3; reference stage2 §3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.blocks import instance_normalization
from lightning_modules.networks.initialization import initialize
from lightning_modules.networks.input_checks import check_pictures

_SLOPE = 0.2  # of the leaky ReLUs
_WIDEST = 8  # times the first width


class PatchDiscriminator(nn.Module):
    """4x4 convolutions with leaky ReLU 0.2: ``halvings`` of stride 2, then two of stride 1, the last one to logits.

    All but the first and the last have instance normalisation. Each logit sees a patch of the picture (70x70 pixels
    with three halvings); a 256² picture has 30x30 of them.

    Args:
        input_channels: channels of what is judged.
        width: channels of the first layer; doubled by every further one up to eight times.
        halvings: number of layers of stride 2.
    """

    def __init__(self, input_channels: int = 1, width: int = 64, halvings: int = 3) -> None:
        super().__init__()
        self.input_channels = input_channels
        self.smallest_size = 3 * 2**halvings  # the last normalised layer then still has 2x2 positions
        widths = [width * min(2**index, _WIDEST) for index in range(halvings + 1)]
        strides = [2] * halvings + [1, 1]
        self.layers = nn.ModuleList(
            nn.Conv2d(given, made, 4, stride=stride, padding=1)
            for given, made, stride in zip([input_channels, *widths], [*widths, 1], strides, strict=True)
        )
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Judge pictures.

        Args:
            x: (B, input_channels, H, W), usually in [-1, 1]; for three halvings both sides at least 24.

        Returns:
            (B, 1, H', W') logits without sigmoid; 30x30 for 256x256.

        Raises:
            ValueError: if the shape does not fit.
        """
        check_pictures("the judged picture", x, self.input_channels, smallest=self.smallest_size)
        final = len(self.layers) - 1
        for index, convolution in enumerate(self.layers):
            x = convolution(x)
            if 0 < index < final:
                x = instance_normalization(x)
            if index < final:
                x = functional.leaky_relu(x, _SLOPE)
        return x
