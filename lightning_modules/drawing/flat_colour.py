"""Flat colours: a photo without its texture, its lightness in a few soft steps around the tone of the skin.

Convention: colours are CIE L*a*b* of the D65 white, (B, 3, H, W) float32: lightness in [0, 100], a and b about
[-100, 100]; a distance of 1 is just visible. Lengths are pixels of the picture at hand.

Nothing switches: steps are ramps, skin is a share. So a picture that changes a little changes its colours a little, and
frames of a film do not flicker. The steps are counted from the mean tone of the skin, so that it lies in the middle of
a step and not at a border.

Source:
    Winnemöller, Olsen, Gooch 2006 (bilateral smoothing, luminance in soft steps as sharp as the picture is steep);
    the skin's share and its steps are our own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from lightning_modules.drawing.guidance import Guidance
from lightning_modules.drawing.image_filters import gaussian_blur, ramp, scharr_gradient

_SKIN_SPREAD: Final = (30.0, 12.0, 12.0)
_SAME_HUE: Final = 10.0
_DARKEST_SKIN: Final = (-45.0, -28.0)
_STEP_EDGE: Final = 0.8


def lab_of(rgb: Tensor) -> Tensor:
    """CIE L*a*b* of sRGB colours in [0, 1], (B, 3, H, W); values outside are clipped."""
    from kornia.color import rgb_to_lab

    return torch.as_tensor(rgb_to_lab(rgb.clamp(0.0, 1.0)))


def rgb_of(lab: Tensor) -> Tensor:
    """Colours in sRGB, [0, 1], of CIE L*a*b* colours, (B, 3, H, W); what no screen can show is clipped."""
    from kornia.color import lab_to_rgb

    return torch.as_tensor(lab_to_rgb(lab)).clamp(0.0, 1.0)


def without_texture(lab: Tensor, sigma: float, tolerance: float, rounds: int) -> Tensor:
    """Smooth, but keep edges: bilateral filters in turn, worked out by OpenCV on the CPU.

    Args:
        lab: (B, 3, H, W).
        sigma: standard deviation in space, pixels.
        tolerance: colours that differ by much more are edges and stay; L*a*b* units, summed over the channels.
        rounds: how often it is applied.

    Returns:
        (B, 3, H, W) on the device of ``lab``.
    """
    import cv2

    filtered = []
    for picture in lab.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy():
        smooth = picture
        for _ in range(rounds):
            smooth = np.asarray(cv2.bilateralFilter(smooth, 0, tolerance, sigma), np.float32)
        filtered.append(torch.from_numpy(smooth))
    return torch.stack(filtered).permute(0, 3, 1, 2).to(lab.device).contiguous()


def skin_tone(lab: Tensor, guidance: Guidance) -> Tensor:
    """The mean colour of the skin of the face, hardly moved by hair, beard and glasses in front of it.

    Args:
        lab: (B, 3, H, W).
        guidance: where the face is.

    Returns:
        (B, 3, 1, 1). One step of a robust mean: what differs much from the mean counts little.
    """
    weight = guidance.face * (1.0 - guidance.features)
    first = _mean(lab, weight)
    apart = ((lab - first) / lab.new_tensor(_SKIN_SPREAD).view(1, 3, 1, 1)).square().sum(1, keepdim=True)
    return _mean(lab, weight * torch.exp(-0.5 * apart))


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_min(1e-6)


def skin_share(lab: Tensor, tone: Tensor, guidance: Guidance, softness: float) -> Tensor:
    """How much each pixel is skin: of the person, of the skin's hue, not much darker, and no eye, brow or lip.

    Args:
        lab: (B, 3, H, W).
        tone: (B, 3, 1, 1) the skin's mean colour.
        guidance: where person and features are.
        softness: width of the seam, pixels.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    hue = (lab[:, 1:] - tone[:, 1:]).square().sum(1, keepdim=True) / _SAME_HUE**2
    light = ramp(lab[:, :1] - tone[:, :1], *_DARKEST_SKIN)
    share = torch.exp(-0.5 * hue * hue) * light * guidance.person
    return gaussian_blur(share, softness) * (1.0 - ramp(guidance.features, 0.3, 0.9))


def evened_skin(lab: Tensor, tone: Tensor, skin: Tensor, reach: float, evenness: float) -> Tensor:
    """Skin of one hue, whose light and shade are broad.

    Args:
        lab: (B, 3, H, W).
        tone: (B, 3, 1, 1) the skin's mean colour.
        skin: (B, 1, H, W) in [0, 1], how much each pixel is skin.
        reach: over which light and shade are averaged within the skin, pixels.
        evenness: share in [0, 1] of the skin's own hue that is replaced by the mean.

    Returns:
        (B, 3, H, W); the same where there is no skin.
    """
    weight = skin + 1e-3
    both = gaussian_blur(torch.cat((lab[:, :1] * weight, weight), dim=1), reach)
    light = lab[:, :1] + (both[:, :1] / both[:, 1:] - lab[:, :1]) * skin
    return torch.cat((light, lab[:, 1:] + (tone[:, 1:] - lab[:, 1:]) * (evenness * skin)), dim=1)


def soft_steps(values: Tensor, softness: Tensor | float) -> Tensor:
    """A staircase that rises by 1 at every half: n - 1/2 to n + 1/2 becomes n, with a ramp from step to step.

    Args:
        values: of any shape.
        softness: half the width of the ramps, in (0, 1/2]; at 1/2 the staircase is a straight line.

    Returns:
        The same shape; continuous and never falling; whole numbers stay.
    """
    step = torch.floor(values + 0.5)
    part = values - step
    rise = (part - 0.5) / softness
    fall = (part + 0.5) / softness
    return step + 0.5 * (1.0 + rise).clamp(0.0, 1.0) - 0.5 * (1.0 - fall).clamp(0.0, 1.0)


def step_softness(values: Tensor, least: float) -> Tensor:
    """Ramps that are about two pixels wide where values are steep, and wider where they hardly change.

    Args:
        values: (B, 1, H, W), what :func:`soft_steps` takes.
        least: smallest softness: within so much of a border noise moves a value over it.

    Returns:
        (B, 1, H, W) in [least, 1/2].
    """
    along_x, along_y = scharr_gradient(values)
    return (_STEP_EDGE * torch.sqrt(along_x * along_x + along_y * along_y)).clamp(least, 0.5)


def brightened(light: Tensor, tone: Tensor, amount: float) -> Tensor:
    """Lightness with paler skin, the blacks as black as they were.

    Args:
        light: (B, 1, H, W) in [0, 100].
        tone: (B, 1, 1, 1) the skin's lightness.
        amount: in [0, 1]; the skin rises by this share of ``t (1 - t)``, t its lightness in [0, 1].

    Returns:
        (B, 1, H, W) in [0, 100]; rises with ``light``.
    """
    part, skin = (light / 100.0).clamp(1e-4, 1.0), (tone / 100.0).clamp(0.3, 0.95)
    power = torch.log(skin + amount * skin * (1.0 - skin)) / torch.log(skin)
    share = ((part - 0.1) / (skin - 0.1)).clamp(0.0, 1.0)
    return 100.0 * (part + share * share * (3.0 - 2.0 * share) * (part**power - part))
