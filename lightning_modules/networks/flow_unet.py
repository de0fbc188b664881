"""The flow network "unet": nested down- and upward convolutions with a flow at every size (auxiliary, section 6.2).

The published blocks apply their leading LeakyReLU in place, so what they hand on beside it is the activated value; here
that is written out.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.flow_pyramid import LANDMARK_MAPS, VISIBILITY_CLASSES, FlowPyramid, check_depth

_STEM_SLOPE = _HEAD_SLOPE = 0.1
_DOWN_SLOPE = 0.2


def _down(given: int, made: int, kernel: int, stride: int, padding: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, kernel, stride, padding, bias=False)


class _Level(nn.Module):
    """One nested block: down by 2, what is below it, up by 2, and a flow from the result.

    Args:
        outer: channels that come in and leave upwards.
        inner: channels below.
        outermost: nothing is handed on beside it, and nothing activated before it.
        innermost: nothing is below it.
    """

    def __init__(self, outer: int, inner: int, *, outermost: bool, innermost: bool) -> None:
        super().__init__()
        self.outermost = outermost
        self.down = _down(outer, inner, 4, 2, 1)
        self.down_norm = None if innermost else nn.BatchNorm2d(inner)
        self.up = nn.ConvTranspose2d(inner if innermost else 2 * inner, outer, 4, 2, 1, bias=outermost)
        self.up_norm = nn.BatchNorm2d(outer)
        self.flow = nn.Conv2d(outer, 2, 3, padding=1)

    def descend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What is handed on beside the block, and what goes below."""
        beside = x if self.outermost else functional.leaky_relu(x, _DOWN_SLOPE)
        below = cast("Tensor", self.down(beside))
        return beside, below if self.down_norm is None else self.down_norm(below)

    def ascend(self, below: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the level, and the flow read off them."""
        features = cast("Tensor", self.up_norm(self.up(functional.relu(below))))
        return features, self.flow(functional.leaky_relu(features, _HEAD_SLOPE))


class FlowUNet(nn.Module):
    """Landmark maps to flow and visibility; 16,900,811 parameters at the default sizes.

    Args:
        width: channels of the stem; 2 ``width`` at half size, doubled from level to level.
        levels: nested blocks, at least 2.
        widest: the largest number of channels.
    """

    def __init__(self, width: int = 32, levels: int = 4, widest: int = 512) -> None:
        super().__init__()
        self.stem = nn.ModuleList([_down(LANDMARK_MAPS, width, 7, 1, 3), _down(width, 2 * width, 3, 2, 1)])
        self.stem_norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(2 * width)])
        widths = [min(widest, 2 * width * 2**level) for level in range(levels + 1)]
        self.levels = nn.ModuleList(
            _Level(widths[level], widths[level + 1], outermost=level == 0, innermost=level == levels - 1)
            for level in range(levels)
        )
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
        x = landmark_maps
        for convolution, norm in zip(self.stem, self.stem_norms, strict=True):
            x = functional.leaky_relu(norm(convolution(x)), _STEM_SLOPE)
        handed_on = []
        for level in self.levels:
            beside, x = level.descend(x)  # type: ignore[operator]  # a list of modules forgets their class
            handed_on.append(beside)
        flows: list[Tensor] = []
        for index in reversed(range(len(self.levels))):
            x, flow = self.levels[index].ascend(x)  # type: ignore[operator]
            flows.insert(0, flow)
            x = torch.cat((handed_on[index], x), dim=1) if index else x
        return FlowPyramid(tuple(flows), self.visibility(functional.leaky_relu(x, _HEAD_SLOPE)))
