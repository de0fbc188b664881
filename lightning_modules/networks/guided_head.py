"""The end of a generator that is guided by a drawing: it draws over it where it knows better.

Beyond the paper. The static drawing, carried to the target pose by the landmarks, is right almost everywhere; what is
wrong with it is local: stretched lines, the inside of a mouth, what a turned head uncovers. So the guided generator
reads that drawing, and gives ink g and a share s for every pixel: ``guide + s (g - guide)``. It starts with a small
share, that is, with the guide, and so is a usable renderer from its first step on.

Convention: drawings are (B, K, H, W) in [-1, 1], -1 = ink; H and W are multiples of 4.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

FIRST_SHARE_LOGIT: Final = -3.0
"""Logit of the share before any training: 0.047."""
_HIDDEN: Final = 32
_QUARTER: Final = 4


class GuideEncoder(nn.Module):
    """Features of the guide at 1/4 size, to be added to those of the photo: every 4 x 4 pixels are one position.

    Args:
        drawing_channels: K.
        channels: of the features.
    """

    def __init__(self, drawing_channels: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            drawing_channels * _QUARTER**2, channels, 3, padding=1, padding_mode="reflect", bias=False
        )

    def forward(self, guide: Tensor) -> Tensor:
        """(B, K, H, W) to (B, channels, H/4, W/4); paper alone gives 0."""
        return cast("Tensor", self.convolution(functional.pixel_unshuffle(guide - 1.0, _QUARTER)))


class GuidedHead(nn.Module):
    """Features at half size and the guide to a drawing. All convolutions run at half size.

    Args:
        channels: of the features.
        drawing_channels: K, of guide and drawing.
    """

    def __init__(self, channels: int, drawing_channels: int) -> None:
        super().__init__()
        self.drawing_channels = drawing_channels
        self.read = nn.Conv2d(4 * drawing_channels, _HIDDEN, 5, padding=2, padding_mode="reflect")
        self.join = nn.Conv2d(channels + _HIDDEN, _HIDDEN, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(_HIDDEN, 4 * (drawing_channels + 1), 3, padding=1, padding_mode="reflect")

    def forward(self, features: Tensor, guide: Tensor) -> Tensor:
        """Features (B, C, H/2, W/2) and guide (B, K, H, W) to the drawing (B, K, H, W)."""
        ink, share = self.ink_and_share(features, guide)
        return guide + share * (ink - guide)

    def ink_and_share(self, features: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """The ink, (B, K, H, W) in [-1, 1], and how much of it shows in place of the guide, (B, 1, H, W) in [0, 1]."""
        seen = functional.relu(self.read(functional.pixel_unshuffle(guide, 2)))
        joined = functional.relu(self.join(torch.cat((features, seen), dim=1)))
        made = functional.pixel_shuffle(self.last(joined), 2)
        ink, share = torch.split(made, [self.drawing_channels, 1], dim=1)
        return torch.tanh(ink), torch.sigmoid(share)

    @torch.no_grad()
    def start_at_guide(self) -> None:
        """Let the untrained head give the guide, and the four pixels of each position the same weights."""
        first = self.last.weight[::4].clone()
        self.last.weight.copy_(first.repeat_interleave(4, dim=0))
        self.last.bias[4 * self.drawing_channels :] = FIRST_SHARE_LOGIT  # type: ignore[index]  # it has a bias
