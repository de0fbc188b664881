"""The flow network "unet_v2": residual blocks down and up, each upward one fed by its mirror image (auxiliary §6.3)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.flow_pyramid import LANDMARK_MAPS, VISIBILITY_CLASSES, FlowPyramid, check_depth

_UNITS = 2  # residual blocks a level


class ResidualCell(nn.Module):
    """Convolution without bias, then batch norm; ReLU before it unless ``plain``."""

    def __init__(self, given: int, made: int, kernel: int = 3, *, stride: int = 1, plain: bool = False) -> None:
        super().__init__()
        self.plain = plain
        self.convolution = nn.Conv2d(given, made, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(made)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to features, of half the size with stride 2."""
        return cast("Tensor", self.norm(self.convolution(x if self.plain else functional.relu(x))))


class _Enlarge(nn.Module):
    """ReLU, convolution to four times the channels, these laid out as 2 x 2 pixels, batch norm."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(given, 4 * made, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(made)

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.norm(functional.pixel_shuffle(self.convolution(functional.relu(x)), 2)))


class _MirrorUnit(nn.Module):
    """``x + cell(x beside what the mirrored block made)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mirrored = ResidualCell(width, width, 1)
        self.joined = ResidualCell(2 * width, width)

    def forward(self, x: Tensor, mirrored: Tensor) -> Tensor:
        return cast("Tensor", x + self.joined(torch.cat((x, self.mirrored(mirrored)), dim=1)))


class ResidualLevel(nn.Module):
    """One size: two residual blocks and a halving on the way down; a doubling, two blocks and a flow on the way up."""

    def __init__(self, width: int, below: int) -> None:
        super().__init__()
        self.units = nn.ModuleList(ResidualCell(width, width) for _ in range(_UNITS))
        self.halve = ResidualCell(width, below, stride=2)
        self.enlarge = _Enlarge(below, width)
        self.mirror_units = nn.ModuleList(_MirrorUnit(width) for _ in range(_UNITS))
        self.flow = nn.Conv2d(width, 2, 3, padding=1)

    def descend(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What the blocks made, and what goes below."""
        made = []
        for unit in self.units:
            x = x + unit(x)
            made.append(x)
        return made, self.halve(x)

    def ascend(self, below: Tensor, made: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Features of the level, and the flow read off them; the blocks run from the last to the first."""
        x = self.enlarge(below)
        for unit, mirrored in zip(reversed(self.mirror_units), reversed(made), strict=True):
            x = unit(x, mirrored)
        return x, self.flow(functional.relu(x))


class FlowResidualUNet(nn.Module):
    """Landmark maps to flow and visibility; 4,932,747 parameters at the default sizes.

    Args:
        width: channels of the stem; (n + 2) ``width`` at level n.
        levels: sizes from half the picture down.
        widest: the largest number of channels.
    """

    def __init__(self, width: int = 32, levels: int = 4, widest: int = 128) -> None:
        super().__init__()
        widths = [min(widest, width * (level + 2)) for level in range(levels + 1)]
        self.enter = ResidualCell(LANDMARK_MAPS, width, 1, plain=True)
        self.enter_unit = ResidualCell(width, width)
        self.enter_halve = ResidualCell(width, widths[0], stride=2)
        self.levels = nn.ModuleList(ResidualLevel(widths[level], widths[level + 1]) for level in range(levels))
        self.visibility = nn.Conv2d(widths[0], VISIBILITY_CLASSES, 3, padding=1)

    def forward(self, landmark_maps: Tensor) -> FlowPyramid:
        """Predict.

        Args:
            landmark_maps: (B, 136, S, S), 0 and 1; S a multiple of 2^(levels + 1).

        Returns:
            As many flows as levels, the largest first, and the visibility.

        Raises:
            ValueError: if the picture cannot be halved so often.
        """
        check_depth(landmark_maps.shape[-1], len(self.levels))
        x = self.enter(landmark_maps)
        x = self.enter_halve(x + self.enter_unit(x))
        made = []
        for level in self.levels:
            blocks, x = level.descend(x)  # type: ignore[operator]  # a list of modules forgets their class
            made.append(blocks)
        flows: list[Tensor] = []
        for level, blocks in zip(reversed(self.levels), reversed(made), strict=True):
            x, flow = level.ascend(x, blocks)  # type: ignore[operator]
            flows.insert(0, flow)
        return FlowPyramid(tuple(flows), self.visibility(functional.relu(x)))
