"""The image encoders of the portrait generator: one per scale, each with a double feature warp, merged at 1/4 size.

Paper §3.3 and Fig. 3; reference stage2 §1.1. The three encoders share no weights, all read the same photo, and differ
in where the warp sits. What comes before the warp depends on the photo alone and is computed once per photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import torch
from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import BlockType, down_layer, flat_layer, joining_convolution
from lightning_modules.networks.feature_warping import Compat, double_feature_warp

PHOTO_CHANNELS: Final = 3
LAST_LEVEL: Final = 2
"""The encoders halve the picture twice; their features meet at 1/4 of its size."""


class WarpingEncoder(nn.Module):
    """One encoder: flat layer, down, down, with the double warp behind the layer of its level.

    The layers give ``width``, ``2 width`` and ``4 width`` channels at levels 0, 1 and 2. The layer before the warp
    gives its share of them only: half when the warp makes two copies, all when it makes one.

    Args:
        width: channels of level 0 behind the warp.
        level: where the warp sits: 0, 1 or 2.
        warp_a: whether flow map A moves a copy.
        warp_b: whether flow map B moves a copy.
        compat: numerics of the warp.
    """

    def __init__(self, width: int, level: int, *, warp_a: bool, warp_b: bool, compat: Compat) -> None:
        super().__init__()
        self.level = level
        self.warp_a = warp_a
        self.warp_b = warp_b
        self.compat = compat
        nominal = [width << index for index in range(LAST_LEVEL + 1)]
        given = [
            channels // (warp_a + warp_b) if index == level else channels for index, channels in enumerate(nominal)
        ]
        self.layers = nn.ModuleList(
            [
                flat_layer(PHOTO_CHANNELS, given[0]),
                *(down_layer(nominal[index - 1], given[index]) for index in range(1, LAST_LEVEL + 1)),
            ]
        )

    def encode(self, photo: Tensor) -> Tensor:
        """Features before the warp: photo (B, 3, H, W) to (B, C, H / 2^level, W / 2^level)."""
        for index in range(self.level + 1):
            photo = self.layers[index](photo)
        return photo

    def warp(self, encoded: Tensor, grid_b: Tensor | None, flow_a: Tensor | None, validity_a: Tensor | None) -> Tensor:
        """The warp and the layers behind it: to (B, 4 width, H/4, W/4). Maps of an ablated warp are not read."""
        features = double_feature_warp(
            encoded,
            grid_b if self.warp_b else None,
            flow_a if self.warp_a else None,
            validity_a if self.warp_a else None,
            self.level,
            self.compat,
        )
        for index in range(self.level + 1, LAST_LEVEL + 1):
            features = self.layers[index](features)
        return features


class ImageEncoder(nn.Module):
    """The encoders of all scales and the convolution, without norm or activation, that merges them.

    Args:
        width: channels at full size; the merged features have four times as many.
        scales: levels at which features are warped, in the order in which they are merged; (0, 1, 2) in the paper,
            one of them for the single-scale ablation.
        warp_a: use flow map A.
        warp_b: use flow map B.
        block_type: ``"separable"`` makes the merging convolution point-wise.
        compat: numerics of the warp.

    Raises:
        ConfigError: if no warp or no scale is left, or a scale is not 0, 1 or 2, or named twice.
    """

    def __init__(
        self,
        width: int = 64,
        *,
        scales: Sequence[int] = (0, 1, 2),
        warp_a: bool = True,
        warp_b: bool = True,
        block_type: BlockType = "residual",
        compat: Compat = None,
    ) -> None:
        super().__init__()
        if not (warp_a or warp_b):
            raise ConfigError("a generator with neither flow map A nor flow map B", "keep warp_a or warp_b")
        if not scales or len(set(scales)) != len(scales) or not set(scales) <= set(range(LAST_LEVEL + 1)):
            raise ConfigError(f"warp scales {tuple(scales)}", "give one or more of 0, 1, 2, each once")
        if width < 2 or width % 2:
            raise ConfigError(f"a generator of width {width}", "use an even width of at least 2")
        self.branches = nn.ModuleList(
            WarpingEncoder(width, level, warp_a=warp_a, warp_b=warp_b, compat=compat) for level in scales
        )
        self.merge = joining_convolution(block_type, 4 * width * len(scales), 4 * width)

    def _branches(self) -> Sequence[WarpingEncoder]:
        return cast("Sequence[WarpingEncoder]", self.branches)

    def encode(self, photo: Tensor) -> tuple[Tensor, ...]:
        """What depends on the photo alone: (B, 3, H, W) to one (B, C, H / 2^L, W / 2^L) for each scale L."""
        return tuple(branch.encode(photo) for branch in self._branches())

    def warp(
        self, encoded: Sequence[Tensor], grid_b: Tensor | None, flow_a: Tensor | None, validity_a: Tensor | None
    ) -> Tensor:
        """Warp, finish and merge the features of all scales: to (B, 4 width, H/4, W/4)."""
        finished = [
            branch.warp(features, grid_b, flow_a, validity_a)
            for branch, features in zip(self._branches(), encoded, strict=True)
        ]
        return cast("Tensor", self.merge(torch.cat(finished, dim=1)))
