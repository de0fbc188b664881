"""The end of a generator that is guided by a drawing: it draws over it where it knows better.

Beyond the paper. The static drawing, carried to the target pose by the landmarks, is right almost everywhere; what is
wrong with it is local: stretched lines, the inside of a mouth, what a turned head uncovers. So the guided generator
reads that drawing and gives a change of every pixel, which is added and cut off at black and white. It starts with no
change, that is, with the guide, and so is a usable renderer from its first step on.

A share between guide and ink, the more obvious choice, was tried and fell silent: as new ink is gray and wrong almost
everywhere, the share is first driven to where its sigmoid has no gradient any more, and stays there.

Convention: drawings are (B, K, H, W) in [-1, 1], -1 = ink; H and W are multiples of 4.
"""

from __future__ import annotations

from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

UNDECIDED: Final = 0.8
"""Change that does not show, of the 2 from white to black, where nothing else is said."""
RAMP: Final = 0.4
"""Beyond it a change shows more and more; this much further on it is that from white to black."""
_HIDDEN: Final = 32
_BORDER: Final = 8
_QUARTER: Final = 4


class _CutOff(torch.autograd.Function):
    """See :func:`cut_off`."""

    @staticmethod
    def forward(context: Any, drawing: Tensor) -> Tensor:
        context.save_for_backward(drawing)
        return drawing.clamp(-1.0, 1.0)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (drawing,), (gradient,) = context.saved_tensors, gradients
        # A step goes against the gradient, so where this is positive the value is to become smaller.
        further_out = ((drawing < -1.0) & (gradient > 0.0)) | ((drawing > 1.0) & (gradient < 0.0))
        return gradient.masked_fill(further_out, 0.0)


class _Decided(torch.autograd.Function):
    """See :func:`decided`."""

    @staticmethod
    def forward(context: Any, change: Tensor, undecided: float) -> Tensor:  # noqa: ARG004  torch hands it over
        share = ((change.abs() - undecided) / RAMP).clamp(0.0, 1.0)
        return 2.0 * torch.sign(change) * share * share * (3.0 - 2.0 * share)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004  torch hands it over
        return gradients[0], None


def decided(change: Tensor, undecided: float) -> Tensor:
    """Changes up to ``undecided`` do not show, those beyond are from white to black or back: a pen knows no haze.

    The gradient passes unchanged. A network that is not yet sure where a line belongs spreads it as a gray cloud. Here
    that stays paper, and the network goes on learning beneath, until it is sure. (With what remains of a change shown
    as it is, ``change - undecided``, longer training brought the cloud back: it grew until it showed.)
    """
    return cast("Tensor", _Decided.apply(change, undecided))  # type: ignore[no-untyped-call]  # torch declares it so


def cut_off(drawing: Tensor) -> Tensor:
    """Values beyond black and white become black and white; the gradient passes unless it asks for still more of that.

    With none at all, what is once too white could never become ink again: a white pixel of the guide lies at the very
    edge. With all of it, what asks for black lines (Eq. 5) would pull without end.
    """
    return cast("Tensor", _CutOff.apply(drawing))  # type: ignore[no-untyped-call]  # torch declares it so


def from_border(pictures: Tensor) -> Tensor:
    """Share of a change that is shown, (H, W): 0 at the frame's edge, 1 from 8 pixels inside.

    At the edge the convolutions see the picture reflected, and draw what is not there.
    """
    height, width = pictures.shape[-2:]
    down = torch.arange(height, device=pictures.device, dtype=pictures.dtype)
    across = torch.arange(width, device=pictures.device, dtype=pictures.dtype)
    distance = torch.minimum(
        torch.minimum(down, height - 1 - down)[:, None], torch.minimum(across, width - 1 - across)[None]
    )
    return (distance / _BORDER).clamp(max=1.0)


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
        undecided: change that does not show, of the 2 from white to black.
    """

    def __init__(self, channels: int, drawing_channels: int, undecided: float = UNDECIDED) -> None:
        super().__init__()
        self.undecided = undecided
        self.read = nn.Conv2d(4 * drawing_channels, _HIDDEN, 5, padding=2, padding_mode="reflect")
        self.join = nn.Conv2d(channels + _HIDDEN, _HIDDEN, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(_HIDDEN, 4 * drawing_channels, 3, padding=1, padding_mode="reflect")

    def forward(self, features: Tensor, guide: Tensor) -> Tensor:
        """Features (B, C, H/2, W/2) and guide (B, K, H, W) to the drawing (B, K, H, W)."""
        return cut_off(guide + self.change(features, guide))

    def change(self, features: Tensor, guide: Tensor) -> Tensor:
        """What is added to the guide, (B, K, H, W) in [-2, 2]: any tone to any other, none at the edge."""
        # The tanh reaches 2 behind what is taken off.
        seen = functional.relu(self.read(functional.pixel_unshuffle(guide, 2)))
        joined = functional.relu(self.join(torch.cat((features, seen), dim=1)))
        most = 2.0 + self.undecided
        wanted = most * torch.tanh(functional.pixel_shuffle(self.last(joined), 2) / most)
        return decided(wanted, self.undecided) * from_border(wanted)

    @torch.no_grad()
    def start_at_guide(self) -> None:
        """Let the untrained head change nothing; the layers before it carry their signal at its own strength."""
        if self.last.weight.is_meta:
            return  # see initialize
        for layer in (self.read, self.join):
            nn.init.kaiming_normal_(layer.weight)
        self.last.weight.zero_()
