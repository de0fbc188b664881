"""The decoder: features at 1/4 size to a drawing (paper §3.3; reference stage2 §1.5), and a lighter end for it."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.blocks import up_layer
from lightning_modules.networks.guided_head import UNDECIDED, GuidedHead

DrawingHead = Literal["full", "subpixel", "guided"]
"""Where the last convolution runs: at full size as published, or at half size with four values per pixel. A guided head
does the latter, over a drawing that it is given; see :mod:`~lightning_modules.networks.guided_head`."""


class ImageDecoder(nn.Module):
    """Transposed convolutions up, then one convolution and tanh.

    Transposed convolutions of stride 2 keep the grid that the encoder's strides made (output pixel 2i is centred on
    input pixel i), where resizing would shift features by half a pixel, and they do a quarter of the work of resizing
    first and convolving after.

    With ``head="subpixel"`` the drawing is computed at half size, 5x5, as four values per pixel which are then laid out
    as 2x2 pixels (Shi et al. 2016). Nothing with many channels exists at full size any more, where on a CPU memory, not
    arithmetic, sets the pace. The four sets of weights start equal, so that no checkerboard is there to be unlearned
    (Aitken et al. 2017); see :meth:`equalize_phases`.

    Args:
        channels: channels of the features; halved at every doubling of the size.
        output_channels: 1 for line drawings, 3 for colour styles.
        head: where the last convolution runs.
        undecided: of a guided head, see :class:`~lightning_modules.networks.guided_head.GuidedHead`.
    """

    def __init__(
        self,
        channels: int = 256,
        output_channels: int = 1,
        *,
        head: DrawingHead = "full",
        undecided: float = UNDECIDED,
    ) -> None:
        super().__init__()
        self.head = head
        self.last: nn.Conv2d | GuidedHead
        if head == "full":
            self.up = nn.Sequential(up_layer(channels, channels // 2), up_layer(channels // 2, channels // 4))
            self.last = nn.Conv2d(channels // 4, output_channels, 7, padding=3, padding_mode="reflect")
        elif head == "guided":
            self.up = nn.Sequential(up_layer(channels, channels // 2))
            self.last = GuidedHead(channels // 2, output_channels, undecided)
        else:
            self.up = nn.Sequential(up_layer(channels, channels // 2))
            self.last = nn.Conv2d(channels // 2, 4 * output_channels, 5, padding=2, padding_mode="reflect")

    def forward(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """(B, C, H/4, W/4) to (B, output_channels, H, W) in [-1, 1], -1 = black ink, +1 = white paper.

        Args:
            features: from the transfer module.
            guide: (B, output_channels, H, W) in [-1, 1], for a guided head only.

        Raises:
            ValueError: a guided head has no guide.
        """
        if isinstance(self.last, GuidedHead):
            if guide is None:
                raise ValueError("a guided generator needs the guide: the static drawing in the target pose")
            return cast("Tensor", self.last(self.up(features), guide))
        drawing = self.last(self.up(features))
        if self.head == "subpixel":
            drawing = functional.pixel_shuffle(drawing, 2)
        return torch.tanh(drawing)

    @torch.no_grad()
    def equalize_phases(self) -> None:
        """Give the four pixels of a position the weights of the first; nothing to do for a full head."""
        if isinstance(self.last, GuidedHead):
            self.last.start_at_guide()
        elif self.head == "subpixel" and not self.last.weight.is_meta:
            first = self.last.weight[::4].clone()
            self.last.weight.copy_(first.repeat_interleave(4, dim=0))
