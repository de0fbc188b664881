"""MobileFaceNet with 136 outputs: the 68-point detector of the geometry loss (auxiliary, section 4.1)."""

from __future__ import annotations

from typing import Final, cast

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork

INPUT_SIZE: Final = 112
"""Side of the square crop, pixels."""

_OUTPUTS: Final = 136
_STRIDE: Final = 16  # pixels of the crop a feature before the last gathering
LAST_SIZE: Final = INPUT_SIZE // _STRIDE
"""Side of the features that the last convolution gathers."""

_SLOPE: Final = 0.25  # with which PReLU begins

# (channels in, out, inside, stride): strided ones change the size and have no skip, the others add their input.
_BLOCKS: Final = (
    (64, 64, 128, 2),
    *[(64, 64, 128, 1)] * 4,
    (64, 128, 256, 2),
    *[(128, 128, 256, 1)] * 6,
    (128, 128, 512, 2),
    *[(128, 128, 256, 1)] * 2,
)


class _FixedSlopes(nn.PReLU):
    """A PReLU whose slopes stay as they begin: computed with one number, kept in files as one slope a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, init=_SLOPE)
        self.weight.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x, _SLOPE)


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
        fixed_slopes: bool = False,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.convolution = nn.Conv2d(given, made, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(made)
        self.slope = None if linear else _FixedSlopes(made) if fixed_slopes else nn.PReLU(made, init=_SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.convolution(x))
        return x if self.slope is None else cast("Tensor", self.slope(x))


class _Bottleneck(nn.Module):
    """1x1 cell to more channels, 3x3 depthwise cell, 1x1 linear cell; a skip where the size stays."""

    def __init__(self, given: int, made: int, inside: int, stride: int, *, fixed_slopes: bool) -> None:
        super().__init__()
        self.expand = _Cell(given, inside, 1, fixed_slopes=fixed_slopes)
        self.depthwise = _Cell(inside, inside, 3, stride=stride, groups=inside, fixed_slopes=fixed_slopes)
        self.project = _Cell(inside, made, 1, linear=True)
        self.skips = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        made = cast("Tensor", self.project(self.depthwise(self.expand(x))))
        return x + made if self.skips else made


class MobileFaceNet(FrozenNetwork):
    """68 landmarks from a face crop; 1,007,248 parameters.

    Args:
        trainable: see :class:`FrozenNetwork`.
        fixed_slopes: for training: the PReLUs keep the slope 0.25, whose gradient is a third of a step's time on a CPU.
            The weights are the same in number and name, and mean the same to a network without this option. Not for
            weights that were trained without it.
        side: to which crops are reduced first, pixels, a multiple of 16; the last features are enlarged again to the 7
            by 7 that 112 has. 64 takes a third of the time. For weights that were trained so.

    Raises:
        ValueError: for another side.
    """

    def __init__(self, *, trainable: bool = False, fixed_slopes: bool = False, side: int = INPUT_SIZE) -> None:
        super().__init__(trainable=trainable)
        if side not in range(_STRIDE, INPUT_SIZE + 1, _STRIDE):
            raise ValueError(f"crops are reduced to a multiple of {_STRIDE} up to {INPUT_SIZE} pixels, not to {side}")
        self.arguments = {} if side == INPUT_SIZE else {"side": side}
        self.side = side
        self.stem = _Cell(3, 64, 3, stride=2, fixed_slopes=fixed_slopes)
        self.stem_depthwise = _Cell(64, 64, 3, groups=64, fixed_slopes=fixed_slopes)
        self.blocks = nn.ModuleList(_Bottleneck(*block, fixed_slopes=fixed_slopes) for block in _BLOCKS)
        self.widen = _Cell(128, 512, 1, fixed_slopes=fixed_slopes)
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
        if self.side != INPUT_SIZE:
            size = (self.side, self.side)
            crop = functional.interpolate(crop, size, mode="bilinear", align_corners=False, antialias=True)
        x = self.stem_depthwise(self.stem(crop))
        for block in self.blocks:
            x = block(x)
        if self.side != INPUT_SIZE:
            x = functional.interpolate(x, (LAST_SIZE, LAST_SIZE), mode="bilinear", align_corners=False)
        x = self.gather(self.widen(x)).flatten(1)
        return cast("Tensor", self.output_norm(self.regression(x)))
