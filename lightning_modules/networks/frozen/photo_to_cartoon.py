"""The published network from photos to cartoons (photo2cartoon, auxiliary section 8): a U-GAT-IT with hourglasses.

Convention: pictures are (B, 3, H, W), RGB in [-1, 1]; H and W multiples of 16 from 32 up, trained at 256. Training and
evaluation compute the same; every sample is computed as if it were alone in its batch.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import instance_normalization
from lightning_modules.networks.input_checks import check_pictures

SIZE_MULTIPLE: Final = 16
SMALLEST_SIZE: Final = 32
_LEVELS: Final = 4
_BLOCKS: Final = 4
_EPSILON: Final = 1e-5


def _convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Reflected borders, no bias."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, padding_mode="reflect", bias=False)


class PreActivatedConvolution(nn.Module):
    """IN, ReLU, convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernel, odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.convolution = _convolution(in_channels, out_channels, kernel)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H, W)."""
        return cast("Tensor", self.convolution(functional.relu(instance_normalization(features))))


class SplitBlock(nn.Module):
    """Three convolutions in a row whose outputs of 1/2, 1/4 and 1/4 of the channels are joined and added to the input.

    Args:
        channels: of input and output, a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = PreActivatedConvolution(channels, channels // 2)
        self.second = PreActivatedConvolution(channels // 2, channels // 4)
        self.third = PreActivatedConvolution(channels // 4, channels // 4)
        # The published blocks hold a shortcut for another number of channels, which none has. It is kept, never used.
        self.shortcut = PreActivatedConvolution(channels, channels, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        first = self.first(features)
        second = self.second(first)
        return features + torch.cat((first, second, self.third(second)), dim=1)


class Hourglass(nn.Module):
    """Down to 1/16 size and up again, with a block beside each level; its answer as a picture of 3 channels.

    Args:
        channels: of the features.
        last: return the picture; otherwise it is led back into the features.
    """

    def __init__(self, channels: int, *, last: bool = False) -> None:
        super().__init__()
        self.beside = nn.ModuleList(SplitBlock(channels) for _ in range(_LEVELS))
        self.down = nn.ModuleList(SplitBlock(channels) for _ in range(_LEVELS))
        self.middle = SplitBlock(channels)
        self.up = nn.ModuleList(SplitBlock(channels) for _ in range(_LEVELS))
        self.after = SplitBlock(channels)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)
        self.to_picture = nn.Conv2d(channels, 3, 1)
        self.features = None if last else nn.Conv2d(channels, channels, 1)
        self.from_picture = None if last else nn.Conv2d(3, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W), or to (B, 3, H, W) for the last one; H and W multiples of 16."""
        kept, level = [], features
        for beside, down in zip(self.beside, self.down, strict=True):
            kept.append(beside(level))
            level = down(functional.avg_pool2d(level, 2))
        level = self.middle(level)
        for up in self.up:
            level = kept.pop() + functional.interpolate(up(level), scale_factor=2.0, mode="nearest")
        mixed = functional.relu(instance_normalization(self.mix(self.after(level))))
        picture = cast("Tensor", self.to_picture(mixed))
        if self.features is None or self.from_picture is None:
            return picture
        return features + cast("Tensor", self.features(mixed)) + cast("Tensor", self.from_picture(picture))


def mixed_normalization(features: Tensor, share: Tensor) -> Tensor:
    """Instance and layer normalisation, mixed: ``share`` of the first; both with the unbiased variance.

    Args:
        features: (B, C, H, W).
        share: (1, C, 1, 1).

    Returns:
        (B, C, H, W).
    """

    def normalized(axes: list[int]) -> Tensor:
        variance, mean = torch.var_mean(features, dim=axes, keepdim=True)
        return (features - mean) * torch.rsqrt(variance + _EPSILON)

    return share * normalized([2, 3]) + (1.0 - share) * normalized([1, 2, 3])


class MixedNormalization(nn.Module):
    """Instance and layer normalisation, mixed, with scale and shift of their own.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        return mixed_normalization(features, self.share) * self.scale + self.shift


class SoftAdaptiveNormalization(nn.Module):
    """The same, with scale and shift from what the photo's features say: from their style, their content, or between.

    Args:
        channels: of the features, of content and of style.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))
        self.content_scale_share = nn.Parameter(torch.zeros(1, channels))
        self.content_shift_share = nn.Parameter(torch.zeros(1, channels))
        self.content_scale = self._two_layers(channels)
        self.content_shift = self._two_layers(channels)
        self.style_scale = nn.Linear(channels, channels)
        self.style_shift = nn.Linear(channels, channels)

    @staticmethod
    def _two_layers(channels: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels))

    def forward(self, features: Tensor, content: Tensor, style: Tensor) -> Tensor:
        """Features (B, C, H, W), content (B, C) and style (B, C) to (B, C, H, W)."""
        scale = torch.lerp(self.style_scale(style), self.content_scale(content), self.content_scale_share)
        shift = torch.lerp(self.style_shift(style), self.content_shift(content), self.content_shift_share)
        return mixed_normalization(features, self.share) * scale[:, :, None, None] + shift[:, :, None, None]


class EncodeBlock(nn.Module):
    """``x + IN(conv(ReLU(IN(conv(x)))))``, without biases.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3)
        self.second = _convolution(channels, channels, 3)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        inner = functional.relu(instance_normalization(self.first(features)))
        return features + instance_normalization(self.second(inner))


class DecodeBlock(nn.Module):
    """A residual block with soft adaptive normalisation.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3)
        self.first_norm = SoftAdaptiveNormalization(channels)
        self.second = _convolution(channels, channels, 3)
        self.second_norm = SoftAdaptiveNormalization(channels)

    def forward(self, features: Tensor, content: Tensor, style: Tensor) -> Tensor:
        """Features (B, C, H, W), content (B, C) and style (B, C) to (B, C, H, W)."""
        inner = functional.relu(self.first_norm(self.first(features), content, style))
        return features + cast("Tensor", self.second_norm(self.second(inner), content, style))


class UpLayer(nn.Module):
    """Twice the size by repetition, convolution, mixed normalisation, ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = _convolution(in_channels, out_channels, 3)
        self.norm = MixedNormalization(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, 2H, 2W)."""
        larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
        return functional.relu(cast("Tensor", self.norm(self.convolution(larger))))


class PhotoToCartoon(nn.Module):
    """Hourglasses, encoder to 1/4 size, attention, decoder, hourglasses; 3,831,079 parameters by default.

    Args:
        width: channels of the features at full size, a multiple of 4.
        fixed_size: 0, or the side of the pictures where the style is read from every position instead of their mean
            ("not light"); such a network takes that size only. A multiple of 16.

    Attributes:
        arguments: all of the above, so that a file can say what it holds.

    Raises:
        ConfigError: if one of them is out of range.
    """

    def __init__(self, width: int = 32, fixed_size: int = 0) -> None:
        super().__init__()
        self.arguments = {"width": width, "fixed_size": fixed_size}
        if width < 4 or width % 4 or fixed_size < 0 or fixed_size % SIZE_MULTIPLE:
            found = f"a cartoon network of width {width} and fixed size {fixed_size}"
            raise ConfigError(found, f"use a multiple of 4, and 0 or a multiple of {SIZE_MULTIPLE}")
        self.fixed_size = fixed_size
        wide = 4 * width
        self.stem = _convolution(3, width, 7)
        self.before = nn.Sequential(Hourglass(width), Hourglass(width))
        self.down = nn.ModuleList((_convolution(width, 2 * width, 3, 2), _convolution(2 * width, wide, 3, 2)))
        self.encode = nn.ModuleList(EncodeBlock(wide) for _ in range(_BLOCKS))
        # Their weights are the attention; their biases are those of the classifiers that the weights were trained as.
        self.mean_attention = nn.Linear(wide, 1)
        self.peak_attention = nn.Linear(wide, 1)
        self.attended = nn.Conv2d(2 * wide, wide, 1)
        positions = (fixed_size // 4) ** 2 if fixed_size else 1
        self.style = nn.Sequential(nn.Linear(positions * wide, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU())
        self.decode = nn.ModuleList(DecodeBlock(wide) for _ in range(_BLOCKS))
        self.up = nn.Sequential(UpLayer(wide, 2 * width), UpLayer(2 * width, width))
        self.behind = nn.Sequential(Hourglass(width), Hourglass(width, last=True))
        self.finish = _convolution(3, 3, 7)

    def forward(self, photo: Tensor) -> Tensor:
        """Draw photos.

        Args:
            photo: (B, 3, H, W) in [-1, 1], white where there is no person; see the module's head for sizes.

        Returns:
            (B, 3, H, W) in [-1, 1].

        Raises:
            ValueError: if the shape is another one.
        """
        size = check_pictures("photo", photo, 3, multiple=SIZE_MULTIPLE, smallest=SMALLEST_SIZE)
        if self.fixed_size and size != (self.fixed_size, self.fixed_size):
            raise ValueError(f"photo must be {self.fixed_size} pixels wide and high, got {tuple(photo.shape)}")
        features = self.before(functional.relu(instance_normalization(self.stem(photo))))
        for down in self.down:
            features = functional.relu(instance_normalization(down(features)))
        contents = []
        for encode in self.encode:
            features = encode(features)
            contents.append(features.mean((2, 3)))
        weights = [layer.weight.view(1, -1, 1, 1) for layer in (self.mean_attention, self.peak_attention)]
        both = torch.cat([features * weight for weight in weights], dim=1)
        features = functional.relu(self.attended(both))
        style = self.style(features.flatten(1) if self.fixed_size else features.mean((2, 3)))
        for decode in self.decode:
            features = decode(features, contents.pop(), style)
        return torch.tanh(self.finish(self.behind(self.up(features))))
