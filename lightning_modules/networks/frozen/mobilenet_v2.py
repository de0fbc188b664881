"""MobileNetV2 without its classifier (Sandler et al. 2018): the encoder of MODNet (auxiliary, section 2.1)."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

REDUCTION: Final = 32
"""Height and width of the photo over those of the deepest features."""

PUBLISHED_EIGHTHS: Final = 8
"""Eighths of its channels that the published network has: all."""

# Channels for each eighth: every published number is a multiple of 8, so that any width is exact.
_STEM, _HALF, _QUARTER, _DEEP = 4, 2, 3, 160
# (channels inside over channels given, channels made, blocks, stride of the first): the others keep size and channels.
_STAGES: Final = (
    (1, _HALF, 1, 1),
    (6, _QUARTER, 2, 2),
    (6, 4, 3, 2),
    (6, 8, 4, 2),
    (6, 12, 3, 1),
    (6, 20, 3, 2),
    (6, 40, 1, 1),
)
_HALF_AFTER: Final = 1  # so many blocks
_QUARTER_AFTER: Final = 3


class EncoderFeatures(NamedTuple):
    """What the decoder takes of B photos of H x W pixels; channels as published."""

    half: Tensor
    """(B, 16, H/2, W/2)."""
    quarter: Tensor
    """(B, 24, H/4, W/4)."""
    deep: Tensor
    """(B, 1280, H/32, W/32), in [0, 6]."""


class EncoderWidths(NamedTuple):
    """Channels of :class:`EncoderFeatures`."""

    half: int
    quarter: int
    deep: int


class _Cell(nn.Module):
    """Convolution without bias, batch norm, and ReLU6 unless ``linear``."""

    def __init__(
        self, given: int, made: int, kernel: int, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(given, made, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(made)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        x = cast("Tensor", self.norm(self.convolution(x)))
        return x if self.linear else functional.relu6(x)


class _InvertedResidual(nn.Module):
    """1x1 cell to more channels (none where they stay as many), 3x3 depthwise cell, 1x1 linear cell.

    The input is added where size and channels stay.
    """

    def __init__(self, given: int, made: int, expansion: int, stride: int) -> None:
        super().__init__()
        inside = given * expansion
        self.expand = _Cell(given, inside, 1) if expansion > 1 else None
        self.depthwise = _Cell(inside, inside, 3, stride=stride, groups=inside)
        self.project = _Cell(inside, made, 1, linear=True)
        self.skips = stride == 1 and given == made

    def forward(self, x: Tensor) -> Tensor:
        expanded = x if self.expand is None else self.expand(x)
        made = cast("Tensor", self.project(self.depthwise(expanded)))
        return x + made if self.skips else made


class MobileNetV2(nn.Module):
    """Features of a photo at three scales; 2,223,872 parameters as published.

    Args:
        eighths: of the published numbers of channels, at least 1; published 8.

    Raises:
        ValueError: if there are none.

    Attributes:
        widths: channels of what it makes.
    """

    def __init__(self, eighths: int = PUBLISHED_EIGHTHS) -> None:
        super().__init__()
        if eighths < 1:
            raise ValueError(f"an encoder of {eighths} eighths has no channels: give at least 1")
        self.widths = EncoderWidths(_HALF * eighths, _QUARTER * eighths, _DEEP * eighths)
        self.stem = _Cell(3, _STEM * eighths, 3, stride=2)
        blocks = []
        given = _STEM * eighths
        for expansion, share, count, stride in _STAGES:
            made = share * eighths
            for index in range(count):
                blocks.append(_InvertedResidual(given, made, expansion, 1 if index else stride))
                given = made
        self.blocks = nn.ModuleList(blocks)
        self.widen = _Cell(given, self.widths.deep, 1)

    def forward(self, photo: Tensor) -> EncoderFeatures:
        """Encode photos.

        Args:
            photo: (B, 3, H, W), H and W multiples of 32, in [-1, 1] for MODNet.

        Returns:
            The features after blocks 1 and 3 and at the end.
        """
        maps = [self.stem(photo)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return EncoderFeatures(maps[_HALF_AFTER], maps[_QUARTER_AFTER], self.widen(maps[-1]))
