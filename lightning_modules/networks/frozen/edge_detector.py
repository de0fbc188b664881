"""Holistically nested edges (Xie and Tu 2015): the edges by which the static drawer's cycle is compared.

Auxiliary, section 1.2. The cycle asks that the edges of a photo can be recovered, not its colours.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork
from lightning_modules.networks.input_checks import check_pictures

_CONVOLUTIONS: Final = (2, 2, 3, 3, 3)  # a stage, as in VGG16
_WIDTHS: Final = (1, 2, 4, 8, 8)  # times the first width
_MEAN: Final = (104.00698793, 116.66876762, 122.67891434)  # blue, green, red, of 255
_SMALLEST: Final = 2 ** (len(_WIDTHS) - 1)


class EdgeDetector(FrozenNetwork):
    """The convolutions of VGG16 with a side output behind each of its five stages; 14,716,171 parameters by default.

    Args:
        width: channels of the first stage.
        trainable: see :class:`FrozenNetwork`.

    Attributes:
        arguments: its width as given, so that a file can say what it belongs to.
    """

    def __init__(self, width: int = 64, *, trainable: bool = False) -> None:
        super().__init__(trainable=trainable)
        self.arguments = {"width": width}
        widths = [width * factor for factor in _WIDTHS]
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(made if index else given, made, 3, padding=1) for index in range(convolutions))
            for given, made, convolutions in zip((3, *widths), widths, _CONVOLUTIONS, strict=False)
        )
        self.sides = nn.ModuleList(nn.Conv2d(made, 1, 1) for made in widths)
        self.fuse = nn.Conv2d(len(widths), 1, 1)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.settle()

    def forward(self, picture: Tensor) -> Tensor:
        """Edges of pictures.

        Args:
            picture: (B, 3, H, W), RGB in [0, 1], at least 16 pixels on each side.

        Returns:
            (B, 1, H, W), how sure an edge is, in [0, 1].

        Raises:
            ValueError: if the shape is another one.
        """
        size = check_pictures("picture", picture, 3, smallest=_SMALLEST)
        features = picture.flip(1) * 255.0 - cast("Tensor", self.mean)
        found = []
        for index, (stage, side) in enumerate(zip(self.stages, self.sides, strict=True)):
            if index:
                features = functional.max_pool2d(features, 2)
            for convolution in cast("nn.ModuleList", stage):
                features = functional.relu(convolution(features))
            found.append(functional.interpolate(side(features), size, mode="bilinear", align_corners=False))
        return torch.sigmoid(self.fuse(torch.cat(found, dim=1)))
