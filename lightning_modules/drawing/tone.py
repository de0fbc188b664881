"""From a photo to the tone a draughtsman sees: skin is paper white, however dark, pale or unevenly lit it is.

Convention: pictures (B, C, H, W) float32. Tone: 1 = as light as the lit skin near by, 0 = the darkest of the picture;
lighter things go above 1. Tone does not change when the photo is made lighter, darker or flatter (gain and offset).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.drawing.image_filters import resized, wide_gaussian_blur

_LUMA: Final = (0.299, 0.587, 0.114)
_BLACK_SHARE: Final = 0.01
_LEAST_CONTRAST: Final = 0.06
_WHITE_POWER: Final = 3.0
_LEAST_WHITE: Final = 0.2
_TOP: Final = 1.4


def luminance(photo: Tensor) -> Tensor:
    """Luma of a colour picture (ITU-R BT.601 weights): (B, 3, H, W) or (B, 1, H, W) to (B, 1, H, W)."""
    if photo.shape[1] == 1:
        return photo
    weights = photo.new_tensor(_LUMA).view(1, 3, 1, 1)
    return (photo * weights).sum(1, keepdim=True)


def exposure(light: Tensor, face: Tensor) -> Tensor:
    """Set black to the darkest part of the picture and 1 to the mean of the face.

    Args:
        light: (B, 1, H, W) luminance.
        face: (B, 1, H, W) in [0, 1], where the skin is.

    Returns:
        (B, 1, H, W), at least 0. A picture with less contrast than 0.06 between the two comes out paler, and a
        constant one is 1 throughout.
    """
    batch, _, height, width = light.shape
    small = resized(light, (max(1, height // 4), max(1, width // 4)), "area").reshape(batch, -1)
    black = torch.quantile(small, _BLACK_SHARE, dim=1).view(batch, 1, 1, 1)
    above = (light - black).clamp_min(0.0)
    skin = (above * face).sum((1, 2, 3), keepdim=True) / face.sum((1, 2, 3), keepdim=True).clamp_min(1e-6)
    return (1.0 - (skin - above) / skin.clamp_min(_LEAST_CONTRAST)).clamp_min(0.0)


def paper_white(tone: Tensor, face: Tensor, sigma: float) -> Tensor:
    """How light the lit skin around each pixel is: a mean of the face that leans to its lighter parts.

    Away from the face the nearest part of it counts, so that hair is compared with the skin beside it.

    Args:
        tone: (B, 1, H, W), at least 0.
        face: (B, 1, H, W) in [0, 1].
        sigma: reach, pixels.

    Returns:
        (B, 1, H, W), at least 0.2. Power mean of exponent 3, normalised convolution.
    """
    weight = face + 1e-4
    powered = wide_gaussian_blur(torch.cat((weight * tone.clamp_min(1e-3) ** _WHITE_POWER, weight), dim=1), sigma)
    mean = (powered[:, :1] / powered[:, 1:].clamp_min(1e-8)) ** (1.0 / _WHITE_POWER)
    return mean.clamp_min(_LEAST_WHITE)


def relight(tone: Tensor, white: Tensor) -> Tensor:
    """Tone relative to the paper white, highlights cut at 1.4: (B, 1, H, W) each."""
    return (tone / white).clamp_max(_TOP)
