"""LPIPS with AlexNet (Zhang et al. 2018, version 0.1): how different two pictures look.

The static drawer's relaxed cycle compares edge maps by it (auxiliary, section 1.3).
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork
from lightning_modules.networks.input_checks import check_pictures

_LAYERS: Final = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
_POOLED: Final = (1, 2)  # layers behind a 3 x 3 maximum of stride 2
_SHIFT: Final = (-0.030, -0.088, -0.188)
_SCALE: Final = (0.458, 0.448, 0.450)
_SMALLEST: Final = 32


class PerceptualDistance(FrozenNetwork):
    """The convolutions of AlexNet with a weight for each channel of each layer; 2,470,848 parameters.

    Args:
        trainable: see :class:`FrozenNetwork`.
    """

    def __init__(self, *, trainable: bool = False) -> None:
        super().__init__(trainable=trainable)
        given = (3, *(layer[0] for layer in _LAYERS))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, made, kernel, stride, padding)
            for channels, (made, kernel, stride, padding) in zip(given, _LAYERS, strict=False)
        )
        self.heads = nn.ModuleList(nn.Conv2d(layer[0], 1, 1, bias=False) for layer in _LAYERS)
        self.register_buffer("shift", torch.tensor(_SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE)[:, None, None], persistent=False)
        self.settle()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances of pictures.

        Args:
            first: (B, 1 | 3, H, W) in [-1, 1], sides at least 32; grey is repeated.
            second: the same shape.

        Returns:
            (B,), 0 for equal pictures; larger is more different.

        Raises:
            ValueError: if a shape is another one.
        """
        size = check_pictures("the first picture", first, first.shape[1], smallest=_SMALLEST)
        check_pictures("the second picture", second, first.shape[1], size=size)
        total = first.new_zeros(len(first))
        for head, one, other in zip(self.heads, self._features(first), self._features(second), strict=True):
            total = total + cast("Tensor", head((one - other).square())).mean((1, 2, 3))
        return total

    def _features(self, picture: Tensor) -> list[Tensor]:
        """Features of all five layers, each position of length 1."""
        features = (picture.expand(-1, 3, -1, -1) - cast("Tensor", self.shift)) / cast("Tensor", self.scale)
        found = []
        for layer, convolution in enumerate(self.convolutions):
            if layer in _POOLED:
                features = functional.max_pool2d(features, 3, stride=2)
            features = functional.relu(convolution(features))
            found.append(features * (features.square().sum(1, keepdim=True) + 1e-8).rsqrt())
        return found
