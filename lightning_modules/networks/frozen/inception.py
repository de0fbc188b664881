"""The Inception network of the Fréchet inception distance: that of 2015-12-05, as every published FID uses it.

Inception v3 (Szegedy et al. 2015, arXiv 1512.00567) as frozen in TensorFlow's 2015 graph, which differs from the later
models of that name in three ways that change the features: average pooling in the mixed blocks leaves the padding out
of the average, the last mixed block pools by the maximum, and the picture is enlarged to 299 x 299 as TensorFlow 1 did
it, from the corner and without smoothing. Parameters carry the published names, so that the published file
``pt_inception-2015-12-05-6726825d.pth`` fits as it is.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork

INPUT_SIZE: Final = 299
"""Side to which every picture is brought, pixels."""


def resize_from_corner(images: Tensor, size: int) -> Tensor:
    """Bilinear resize as TensorFlow 1 did it: target pixel i reads at ``i · old / new``, not smoothed beforehand.

    Convention: neither of torch's two. The first pixel stays where it is, the last row and column repeat the edge.

    Args:
        images: (B, C, H, W), floating point.
        size: new height and width.

    Returns:
        (B, C, size, size).
    """
    for axis in (-2, -1):
        old = images.shape[axis]
        place = torch.arange(size, device=images.device, dtype=torch.float64) * (old / size)
        low = place.floor().long()
        high = (low + 1).clamp_max(old - 1)
        share = (place - low).to(images.dtype)
        share = share[:, None] if axis == -2 else share
        near, far = images.index_select(axis, low), images.index_select(axis, high)
        images = near + (far - near) * share
    return images


class _Cell(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, given: int, made: int, kernel: int | tuple[int, int], stride: int = 1, *, same: bool) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if same else (0, 0)
        self.conv = nn.Conv2d(given, made, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(made, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=1, padding=1)


class _Grid35(nn.Module):
    """Mixed_5b to 5d: 1x1, 5x5, two 3x3, and average pooling, side by side; 35 x 35."""

    def __init__(self, given: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Cell(given, 64, 1, same=True)
        self.branch5x5_1 = _Cell(given, 48, 1, same=True)
        self.branch5x5_2 = _Cell(48, 64, 5, same=True)
        self.branch3x3dbl_1 = _Cell(given, 64, 1, same=True)
        self.branch3x3dbl_2 = _Cell(64, 96, 3, same=True)
        self.branch3x3dbl_3 = _Cell(96, 96, 3, same=True)
        self.branch_pool = _Cell(given, pooled, 1, same=True)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        wide = self.branch5x5_2(self.branch5x5_1(x))
        return torch.cat([self.branch1x1(x), wide, fine, self.branch_pool(_average(x))], 1)


class _To17(nn.Module):
    """Mixed_6a: from 35 x 35 to 17 x 17."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = _Cell(288, 384, 3, 2, same=False)
        self.branch3x3dbl_1 = _Cell(288, 64, 1, same=True)
        self.branch3x3dbl_2 = _Cell(64, 96, 3, same=True)
        self.branch3x3dbl_3 = _Cell(96, 96, 3, 2, same=False)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), fine, functional.max_pool2d(x, 3, stride=2)], 1)


class _Grid17(nn.Module):
    """Mixed_6b to 6e: 1x1, one and two 7x7 each taken apart into rows and columns, and average pooling; 17 x 17."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = _Cell(768, 192, 1, same=True)
        self.branch7x7_1 = _Cell(768, inside, 1, same=True)
        self.branch7x7_2 = _Cell(inside, inside, row, same=True)
        self.branch7x7_3 = _Cell(inside, 192, column, same=True)
        self.branch7x7dbl_1 = _Cell(768, inside, 1, same=True)
        self.branch7x7dbl_2 = _Cell(inside, inside, column, same=True)
        self.branch7x7dbl_3 = _Cell(inside, inside, row, same=True)
        self.branch7x7dbl_4 = _Cell(inside, inside, column, same=True)
        self.branch7x7dbl_5 = _Cell(inside, 192, row, same=True)
        self.branch_pool = _Cell(768, 192, 1, same=True)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        two = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        two = self.branch7x7dbl_5(self.branch7x7dbl_4(two))
        return torch.cat([self.branch1x1(x), one, two, self.branch_pool(_average(x))], 1)


class _To8(nn.Module):
    """Mixed_7a: from 17 x 17 to 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = _Cell(768, 192, 1, same=True)
        self.branch3x3_2 = _Cell(192, 320, 3, 2, same=False)
        self.branch7x7x3_1 = _Cell(768, 192, 1, same=True)
        self.branch7x7x3_2 = _Cell(192, 192, (1, 7), same=True)
        self.branch7x7x3_3 = _Cell(192, 192, (7, 1), same=True)
        self.branch7x7x3_4 = _Cell(192, 192, 3, 2, same=False)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), wide, functional.max_pool2d(x, 3, stride=2)], 1)


class _Grid8(nn.Module):
    """Mixed_7b and 7c: 1x1, and 3x3 branches that end in a row and a column side by side, and pooling; 8 x 8."""

    def __init__(self, given: int, *, by_maximum: bool) -> None:
        super().__init__()
        row, column = (1, 3), (3, 1)
        self.branch1x1 = _Cell(given, 320, 1, same=True)
        self.branch3x3_1 = _Cell(given, 384, 1, same=True)
        self.branch3x3_2a = _Cell(384, 384, row, same=True)
        self.branch3x3_2b = _Cell(384, 384, column, same=True)
        self.branch3x3dbl_1 = _Cell(given, 448, 1, same=True)
        self.branch3x3dbl_2 = _Cell(448, 384, 3, same=True)
        self.branch3x3dbl_3a = _Cell(384, 384, row, same=True)
        self.branch3x3dbl_3b = _Cell(384, 384, column, same=True)
        self.branch_pool = _Cell(given, 192, 1, same=True)
        self.pool = _maximum if by_maximum else _average

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch3x3_1(x)
        two = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        made = [self.branch1x1(x), self.branch3x3_2a(one), self.branch3x3_2b(one)]
        made += [self.branch3x3dbl_3a(two), self.branch3x3dbl_3b(two), self.branch_pool(self.pool(x))]
        return torch.cat(made, 1)


class FidInception(FrozenNetwork):
    """Inception of 2015-12-05 up to its last pooling: 94 convolutions, 21,785,568 parameters, 2048 features."""

    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Cell(3, 32, 3, 2, same=False)
        self.Conv2d_2a_3x3 = _Cell(32, 32, 3, same=False)
        self.Conv2d_2b_3x3 = _Cell(32, 64, 3, same=True)
        self.Conv2d_3b_1x1 = _Cell(64, 80, 1, same=False)
        self.Conv2d_4a_3x3 = _Cell(80, 192, 3, same=False)
        self.Mixed_5b = _Grid35(192, 32)
        self.Mixed_5c = _Grid35(256, 64)
        self.Mixed_5d = _Grid35(288, 64)
        self.Mixed_6a = _To17()
        self.Mixed_6b = _Grid17(128)
        self.Mixed_6c = _Grid17(160)
        self.Mixed_6d = _Grid17(160)
        self.Mixed_6e = _Grid17(192)
        self.Mixed_7a = _To8()
        self.Mixed_7b = _Grid8(1280, by_maximum=False)
        self.Mixed_7c = _Grid8(2048, by_maximum=True)
        self.settle()

    def forward(self, images: Tensor) -> Tensor:
        """Features of pictures.

        Args:
            images: (B, 3, H, W) uint8 RGB, any size.

        Returns:
            (B, 2048) float32, at least 0; computed in float32 even under autocast.

        Raises:
            ValueError: another shape or type.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8:
            raise ValueError(f"Inception reads uint8 (B, 3, H, W), got {images.dtype} {tuple(images.shape)}")
        with torch.autocast(images.device.type, enabled=False):
            x = (resize_from_corner(images.float(), INPUT_SIZE) - 128) / 128
            x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
            x = functional.max_pool2d(x, 3, stride=2)
            x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
            x = functional.max_pool2d(x, 3, stride=2)
            x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
            x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
            x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
            return cast("Tensor", x.mean((2, 3)))
