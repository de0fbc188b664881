"""MobileFaceNet with 136 outputs: the 68-point detector of the geometry loss (auxiliary, section 4.1)."""

from __future__ import annotations

from typing import Final, cast

from torch import Tensor, nn

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork

INPUT_SIZE: Final = 112
"""Side of the square crop, pixels."""

_OUTPUTS: Final = 136

# (channels in, out, inside, stride): strided ones change the size and have no skip, the others add their input.
_BLOCKS: Final = (
    (64, 64, 128, 2),
    *[(64, 64, 128, 1)] * 4,
    (64, 128, 256, 2),
    *[(128, 128, 256, 1)] * 6,
    (128, 128, 512, 2),
    *[(128, 128, 256, 1)] * 2,
)


class _Cell(nn.Module):
    """Convolution without bias, batch norm, and a PReLU with one slope a channel unless ``linear``."""

    def __init__(
        self,
        given: int,
        made: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.convolution = nn.Conv2d(given, made, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(made)
        self.slope = None if linear else nn.PReLU(made)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.convolution(x))
        return x if self.slope is None else cast("Tensor", self.slope(x))


class _Bottleneck(nn.Module):
    """1x1 cell to more channels, 3x3 depthwise cell, 1x1 linear cell; a skip where the size stays."""

    def __init__(self, given: int, made: int, inside: int, stride: int) -> None:
        super().__init__()
        self.expand = _Cell(given, inside, 1)
        self.depthwise = _Cell(inside, inside, 3, stride=stride, groups=inside)
        self.project = _Cell(inside, made, 1, linear=True)
        self.skips = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        made = cast("Tensor", self.project(self.depthwise(self.expand(x))))
        return x + made if self.skips else made


class MobileFaceNet(FrozenNetwork):
    """68 landmarks from a face crop; 1,007,248 parameters.

    Args:
        trainable: see :class:`FrozenNetwork`.
    """

    def __init__(self, *, trainable: bool = False) -> None:
        super().__init__(trainable=trainable)
        self.stem = _Cell(3, 64, 3, stride=2)
        self.stem_depthwise = _Cell(64, 64, 3, groups=64)
        self.blocks = nn.ModuleList(_Bottleneck(*block) for block in _BLOCKS)
        self.widen = _Cell(128, 512, 1)
        self.gather = _Cell(512, 512, 7, padding=0, groups=512, linear=True)
        self.regression = nn.Linear(512, _OUTPUTS, bias=False)
        self.output_norm = nn.BatchNorm1d(_OUTPUTS)
        self.settle()

    def forward(self, crop: Tensor) -> Tensor:
        """Detect the landmarks of one face a crop.

        Args:
            crop: (B, 3, 112, 112) in [0, 1], no mean or deviation taken out. The published loader reads BGR (RGB moves
                the points by less than 0.1 of the 112 pixels).

        Returns:
            (B, 136): x and y in turn for the 68 points, as fractions of the crop's sides; they may leave [0, 1].

        Raises:
            ValueError: if the crop's shape is another one.
        """
        if crop.ndim != 4 or crop.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"the crop must be (B, 3, {INPUT_SIZE}, {INPUT_SIZE}), got {tuple(crop.shape)}")
        x = self.stem_depthwise(self.stem(crop))
        for block in self.blocks:
            x = block(x)
        x = self.gather(self.widen(x)).flatten(1)
        return cast("Tensor", self.output_norm(self.regression(x)))
