"""Structural similarity of two grey pictures (Wang et al. 2004), fast enough for every frame of a video.

Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, data range 1, reflected at the border without its own
pixel: what ``torchmetrics`` computes with ``data_range=1.0``, which takes a hundred times longer in float64 on a CPU,
because its window is not taken apart into rows and columns. float64 throughout: in half precision, or in the TF32 of
GPUs, the variances of white paper drown in rounding.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

RADIUS: Final = 5
"""Of the window, pixels."""

_SIGMA: Final = 1.5
_C1: Final = 0.01**2
_C2: Final = 0.03**2
_WEIGHTS: Final = tuple(math.exp(-0.5 * (offset / _SIGMA) ** 2) for offset in range(-RADIUS, RADIUS + 1))
_KERNEL: Final = tuple(weight / sum(_WEIGHTS) for weight in _WEIGHTS)


def _window_mean(pictures: Tensor) -> Tensor:
    """Weighted mean over the window about each pixel, (N, 1, H, W) float64; by OpenCV where it can read them."""
    if pictures.device.type != "cpu":
        return _window_mean_anywhere(pictures)
    kernel = np.array(_KERNEL)
    means = np.empty(pictures.shape)
    for picture, mean in zip(pictures[:, 0].numpy(), means[:, 0], strict=True):
        cv2.sepFilter2D(picture, cv2.CV_64F, kernel, kernel, dst=mean, borderType=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(means)


def _window_mean_anywhere(pictures: Tensor) -> Tensor:
    kernel = pictures.new_tensor(_KERNEL)
    padded = functional.pad(pictures, (RADIUS,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))


def similarity_map(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity about each pixel.

    Args:
        first: (N, 1, H, W) grey in [0, 1], from 11 x 11; turned into float64.
        second: the same shape.

    Returns:
        (N, 1, H, W) float64, -1 to 1; 1 where the pictures are equal.

    Raises:
        ValueError: the shapes differ or are others.
    """
    if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 1 or min(first.shape[2:]) <= 2 * RADIUS:
        raise ValueError(f"pictures are (N, 1, H, W) from 11 x 11, got {tuple(first.shape)} and {tuple(second.shape)}")
    found = torch.empty_like(first, dtype=torch.float64)
    with torch.no_grad(), torch.autocast(first.device.type, enabled=False):
        # One pair at a time, and in place: it stays in the processor's cache, and new memory costs as much as the sums.
        four = first.new_empty(4, *first.shape[1:], dtype=torch.float64)
        for x, y, alike in zip(first.detach().double(), second.detach().double(), found, strict=True):
            # Only the sum of the two variances counts, so that four means do instead of five.
            four[0], four[1] = x, y
            torch.mul(x, x, out=four[2]).addcmul_(y, y)
            torch.mul(x, y, out=four[3])
            mean_x, mean_y, power, product = _window_mean(four)
            cross = torch.mul(mean_x, mean_y, out=alike)
            squares = mean_x.mul_(mean_x).addcmul_(mean_y, mean_y)
            covariance, variances = product.sub_(cross), power.sub_(squares)
            cross.mul_(2).add_(_C1).mul_(covariance.mul_(2).add_(_C2))
            cross.div_(squares.add_(_C1).mul_(variances.add_(_C2)))
    return found


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean of :func:`similarity_map` over the whole picture: (N,) float64."""
    return similarity_map(first, second).mean((1, 2, 3))
