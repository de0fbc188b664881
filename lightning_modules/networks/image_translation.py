"""Landmark lines and a photo to a frame: the image translation of the MakeItTalk baseline (reference stage1 §12)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.input_checks import check_pictures

_WIDEST = 8  # times the first width


def _convolution(given: int, made: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, stride, padding=1, bias=False)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = _convolution(width, width)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        made = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(x + self.second_norm(self.second(made)))


class _Level(nn.Module):
    """Half the size, what lies further in, and back; all but the outermost put their input beside their output."""

    def __init__(self, given: int, made: int, widths: list[int], *, outermost: bool = False) -> None:
        super().__init__()
        width, *further = widths
        self.down = _convolution(given, width, stride=2)
        self.down_norm = nn.Identity() if outermost or not further else nn.BatchNorm2d(width)
        self.down_blocks = nn.Sequential(_Residual(width), _Residual(width))
        self.inner = _Level(width, width, further) if further else None
        self.up = _convolution(2 * width if further else width, made)
        self.up_norm = None if outermost else nn.BatchNorm2d(made)
        self.up_blocks = None if outermost else nn.Sequential(_Residual(made), _Residual(made))

    def forward(self, x: Tensor) -> Tensor:
        low = self.down_blocks(torch.relu(self.down_norm(self.down(x))))
        if self.inner is not None:
            low = self.inner(low)
        high: Tensor = self.up(functional.interpolate(low, scale_factor=2.0, mode="nearest"))
        if self.up_norm is None or self.up_blocks is None:
            return high
        return torch.cat((x, self.up_blocks(torch.relu(self.up_norm(high)))), dim=1)


class ImageTranslation(nn.Module):
    """A U-Net of residual blocks; 69,860,736 parameters by default.

    Args:
        input_channels: landmark lines (3) and photo (3).
        output_channels: of the frame.
        width: channels at half size; they double at each further level up to eight times.
        levels: how often the size is halved.

    Attributes:
        arguments: all of the above as given, so that a file can say what it belongs to.
    """

    def __init__(self, input_channels: int = 6, output_channels: int = 3, width: int = 64, levels: int = 6) -> None:
        super().__init__()
        self.arguments = {
            "input_channels": input_channels,
            "output_channels": output_channels,
            "width": width,
            "levels": levels,
        }
        self.input_channels, self.levels = input_channels, levels
        widths = [width * min(2**level, _WIDEST) for level in range(levels)]
        self.outermost = _Level(input_channels, output_channels, widths, outermost=True)

    def forward(self, landmark_raster_and_photo: Tensor) -> Tensor:
        """Draw a frame.

        Args:
            landmark_raster_and_photo: (B, 6, H, W), landmark lines first, both BGR in [0, 1] as published; sides are
                multiples of 64.

        Returns:
            (B, 3, H, W) before ``tanh``, BGR; published frames are ``tanh`` of it with negative values cut to 0.

        Raises:
            ValueError: if the shape does not fit.
        """
        check_pictures(
            "landmark_raster_and_photo", landmark_raster_and_photo, self.input_channels, multiple=2**self.levels
        )
        drawn: Tensor = self.outermost(landmark_raster_and_photo)
        return drawn
