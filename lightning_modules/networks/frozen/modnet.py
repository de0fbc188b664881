"""MODNet: how much of every pixel of a photo is the person (Ke et al. 2022, arXiv 2011.11961; auxiliary, section 2).

One encoder and three branches. The semantic branch says where the person is, from the deepest features; the detail
branch follows its outline at half size; the fusion branch makes the matte of both. Every resize is bilinear without
``align_corners``.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.blocks import instance_normalization
from lightning_modules.networks.frozen.frozen_network import FrozenNetwork
from lightning_modules.networks.frozen.mobilenet_v2 import (
    PUBLISHED_EIGHTHS,
    REDUCTION,
    EncoderFeatures,
    EncoderWidths,
    MobileNetV2,
)

PUBLISHED_WIDTH: Final = 32
"""Channels between the branches, as published."""

_PHOTO: Final = 3
_SEMANTIC_SHARE: Final = 3  # as many times the width at 1/16: 96 channels
_GATE_REDUCTION: Final = 4


class MattingMaps(NamedTuple):
    """Answers of the three branches for B photos of H x W pixels, all in [0, 1]."""

    semantic: Tensor
    """(B, 1, H/16, W/16): where the person is."""
    detail: Tensor
    """(B, 1, H, W): the matte near the outline, of no meaning elsewhere."""
    matte: Tensor
    """(B, 1, H, W)."""


def _resized(x: Tensor, scale: float) -> Tensor:
    return functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


class _HalfInstanceNorm(nn.Module):
    """Batch norm on the first half of the channels, instance norm without parameters on the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        by_batch, by_sample = x.tensor_split([self.batch.num_features], dim=1)
        return torch.cat([self.batch(by_batch), instance_normalization(by_sample)], dim=1)


class _Cell(nn.Module):
    """Convolution with bias, then norm and ReLU unless ``linear``."""

    def __init__(self, given: int, made: int, kernel: int, *, stride: int = 1, linear: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(given, made, kernel, stride, kernel // 2)
        self.norm = None if linear else _HalfInstanceNorm(made)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(x)
        return x if self.norm is None else functional.relu(self.norm(x))


class _Gate(nn.Module):
    """Squeeze and excitation: every channel times a number in (0, 1) that the means of all channels decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // _GATE_REDUCTION, bias=False)
        self.excite = nn.Linear(channels // _GATE_REDUCTION, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(functional.relu(self.squeeze(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


class _SemanticBranch(nn.Module):
    """The deepest features, gated and brought to 32 channels at 1/8; ``head`` makes a map at 1/16 of them."""

    def __init__(self, given: EncoderWidths, width: int) -> None:
        super().__init__()
        self.gate = _Gate(given.deep)
        self.at_sixteenth = _Cell(given.deep, _SEMANTIC_SHARE * width, 5)
        self.at_eighth = _Cell(_SEMANTIC_SHARE * width, width, 5)
        self.head = _Cell(width, 1, 3, stride=2, linear=True)

    def forward(self, features: EncoderFeatures) -> Tensor:
        x = self.at_sixteenth(_resized(self.gate(features.deep), 2))
        return cast("Tensor", self.at_eighth(_resized(x, 2)))


class _DetailBranch(nn.Module):
    """Photo, early features and semantics at 1/4, then at 1/2: 32 channels; ``head`` makes a map of H x W of them."""

    def __init__(self, given: EncoderWidths, width: int) -> None:
        super().__init__()
        self.from_half = _Cell(given.half, width, 1)
        self.half_to_quarter = _Cell(_PHOTO + width, width, 3, stride=2)
        self.from_quarter = _Cell(given.quarter, width, 1)
        self.both = _Cell(2 * width, 2 * width, 3)
        self.at_quarter = nn.Sequential(
            _Cell(3 * width + _PHOTO, 2 * width, 3), _Cell(2 * width, 2 * width, 3), _Cell(2 * width, width, 3)
        )
        self.at_half = nn.Sequential(
            _Cell(2 * width, 2 * width, 3),
            _Cell(2 * width, width, 3),
            _Cell(width, width, 3),
            _Cell(width, width, 3),
        )
        self.head = nn.Sequential(_Cell(width + _PHOTO, width, 3), _Cell(width, 1, 1, linear=True))

    def forward(self, photo: Tensor, features: EncoderFeatures, semantics: Tensor) -> Tensor:
        half = self.from_half(features.half)
        x = self.half_to_quarter(torch.cat([_resized(photo, 1 / 2), half], dim=1))
        x = self.both(torch.cat([x, self.from_quarter(features.quarter)], dim=1))
        x = self.at_quarter(torch.cat([x, _resized(semantics, 2), _resized(photo, 1 / 4)], dim=1))
        return cast("Tensor", self.at_half(torch.cat([_resized(x, 2), half], dim=1)))


class _FusionBranch(nn.Module):
    """Logits of the matte from semantics at 1/8, details at 1/2 and the photo."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.at_quarter = _Cell(width, width, 5)
        self.at_half = _Cell(2 * width, width, 3)
        self.at_full = nn.Sequential(_Cell(width + _PHOTO, width // 2, 3), _Cell(width // 2, 1, 1, linear=True))

    def forward(self, photo: Tensor, semantics: Tensor, details: Tensor) -> Tensor:
        x = _resized(self.at_quarter(_resized(semantics, 2)), 2)
        x = _resized(self.at_half(torch.cat([x, details], dim=1)), 2)
        return cast("Tensor", self.at_full(torch.cat([x, photo], dim=1)))


class MODNet(FrozenNetwork):
    """The matte of a photo; 6,487,075 parameters as published, those of the two maps for training among them.

    Args:
        trainable: see :class:`FrozenNetwork`.
        width: channels between the branches, a multiple of 4; published 32.
        encoder_eighths: eighths of the encoder's published numbers of channels; published 8.

    Raises:
        ValueError: if a number is out of its range.
    """

    def __init__(
        self, *, trainable: bool = False, width: int = PUBLISHED_WIDTH, encoder_eighths: int = PUBLISHED_EIGHTHS
    ) -> None:
        super().__init__(trainable=trainable)
        if width < 4 or width % 4:
            raise ValueError(f"the width is {width}: give a multiple of 4, for example {PUBLISHED_WIDTH}")
        self.arguments = {"width": width, "encoder_eighths": encoder_eighths}
        self.backbone = MobileNetV2(encoder_eighths)
        self.semantic = _SemanticBranch(self.backbone.widths, width)
        self.detail = _DetailBranch(self.backbone.widths, width)
        self.fusion = _FusionBranch(width)
        self.settle()

    def forward(self, photo: Tensor) -> Tensor:
        """Tell the person from the background.

        Args:
            photo: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 32. The network learned at a shorter side of about
                512 pixels; the published talking drawings give it 256 x 256.

        Returns:
            (B, 1, H, W) in [0, 1], 1 = person.

        Raises:
            ValueError: if the photo's shape is another one.
        """
        semantics, details = self._decoded(photo)
        return torch.sigmoid(self.fusion(photo, semantics, details))

    def maps(self, photo: Tensor) -> MattingMaps:
        """The matte with the two maps that only training looks at (auxiliary, section 2.5).

        Args:
            photo: as for :meth:`forward`.

        Returns:
            The answers of all three branches.

        Raises:
            ValueError: if the photo's shape is another one.
        """
        semantics, details = self._decoded(photo)
        return MattingMaps(
            torch.sigmoid(self.semantic.head(semantics)),
            torch.sigmoid(self.detail.head(torch.cat([_resized(details, 2), photo], dim=1))),
            torch.sigmoid(self.fusion(photo, semantics, details)),
        )

    def _decoded(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Semantics (B, 32, H/8, W/8) and details (B, 32, H/2, W/2)."""
        sides = photo.shape[2:]
        if photo.ndim != 4 or photo.shape[1] != _PHOTO or any(side < 1 or side % REDUCTION for side in sides):
            found = tuple(photo.shape)
            raise ValueError(f"the photo must be (B, 3, H, W) with H and W multiples of {REDUCTION}, got {found}")
        features = self.backbone(photo)
        semantics = self.semantic(features)
        return semantics, self.detail(photo, features, semantics)
