"""SphereFace-20a up to its embedding: the features R of the identity loss (paper Eq. 6; auxiliary, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from torch import Tensor, nn

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork

INPUT_SIZE: Final = (112, 96)
"""(height, width) of the face crop, pixels."""

PUBLISHED_WIDTHS: Final = (64, 128, 256, 512)
"""Channels of the four published stages."""

_UNITS: Final = (1, 2, 4, 1)  # residual units a stage


class SphereFaceFeatures(NamedTuple):
    """Features of B faces, in the order of depth; channels as published."""

    stage_1: Tensor
    """(B, 64, 56, 48)."""
    stage_2: Tensor
    """(B, 128, 28, 24)."""
    stage_3: Tensor
    """(B, 256, 14, 12)."""
    stage_4: Tensor
    """(B, 512, 7, 6)."""
    embedding: Tensor
    """(B, 512), the layer named fc5."""


class _Stage(nn.Module):
    """A strided convolution, then residual units of two; every convolution has a bias and a PReLU after it.

    The second PReLU of a unit stands before the sum, and nothing after it.
    """

    def __init__(self, given: int, made: int, units: int) -> None:
        super().__init__()
        count = 1 + 2 * units
        self.convolutions = nn.ModuleList(
            nn.Conv2d(made if index else given, made, 3, stride=1 if index else 2, padding=1) for index in range(count)
        )
        self.slopes = nn.ModuleList(nn.PReLU(made) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        cells = list(zip(self.convolutions, self.slopes, strict=True))

        def cell(index: int, x: Tensor) -> Tensor:
            convolution, slope = cells[index]
            return cast("Tensor", slope(convolution(x)))

        x = cell(0, x)
        for index in range(1, len(cells), 2):
            x = x + cell(index + 1, cell(index, x))
        return x


class SphereFace(FrozenNetwork):
    """Five feature tensors of a face crop; 22,670,656 parameters (the classifier of the published file is left out).

    Args:
        widths: channels of the four stages.
        embedding: numbers of the embedding.
        trainable: see :class:`FrozenNetwork`.

    Attributes:
        arguments: widths and embedding, for files.

    Raises:
        ValueError: if there are not four widths, or a size is below 1.
    """

    def __init__(
        self, widths: Sequence[int] = PUBLISHED_WIDTHS, embedding: int = 512, *, trainable: bool = False
    ) -> None:
        super().__init__(trainable=trainable)
        if len(widths) != len(_UNITS) or min(*widths, embedding) < 1:
            raise ValueError(f"there must be 4 widths and all sizes at least 1, got {list(widths)} and {embedding}")
        self.arguments: dict[str, Any] = {"widths": list(widths), "embedding": embedding}
        self.stages = nn.ModuleList(
            _Stage(given, made, units) for given, made, units in zip((3, *widths[:-1]), widths, _UNITS, strict=True)
        )
        height, width = INPUT_SIZE
        self.embedding = nn.Linear(widths[-1] * (height // 16) * (width // 16), embedding)
        self.settle()

    def forward(self, crop: Tensor) -> SphereFaceFeatures:
        """Features of one face a crop.

        Args:
            crop: (B, 3, 112, 96) in [-1, 1]. The network's own convention is aligned BGR; the identity loss gives it
                unaligned RGB, as published.

        Returns:
            The four stages and the embedding.

        Raises:
            ValueError: if the crop's shape is another one.
        """
        if crop.ndim != 4 or crop.shape[1:] != (3, *INPUT_SIZE):
            raise ValueError(f"the crop must be (B, 3, {INPUT_SIZE[0]}, {INPUT_SIZE[1]}), got {tuple(crop.shape)}")
        maps = []
        x = crop
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        first, second, third, fourth = maps
        return SphereFaceFeatures(first, second, third, fourth, self.embedding(x.flatten(1)))
