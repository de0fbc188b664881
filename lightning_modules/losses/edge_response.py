"""Edges of a picture without a trained network: what the static drawer's cycle compares where no HED is at hand.

The gradient of the tone at three widths, relative to how dark the place is, squeezed to [0, 1). It knows contrast only:
a trained detector would also tell outlines from texture.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.drawing.image_filters import gaussian_blur, scharr_gradient
from lightning_modules.losses.precision import in_full_precision

WIDTHS: Final = (1 / 256, 2 / 256, 4 / 256)
"""Standard deviations of the blurs, shares of the shorter side."""

_SHARES: Final = (0.299, 0.587, 0.114)
_FLOOR: Final = 0.2  # of the tone, so that black does not count for infinitely dark
_HALF: Final = 0.05  # relative contrast of a step, times the peak 0.4 of a Gaussian: answered by one half at about 1/8


@in_full_precision
def edge_response(picture: Tensor) -> Tensor:
    """Edges of pictures.

    With t = log(luminance + 0.2) blurred by s pixels, ``m = s |grad t|``, which is the same for every width of an ideal
    step, the answer of a width is ``m² / (m² + 0.05²)``; the result is the mean over the widths.

    Args:
        picture: (B, 3, H, W), RGB in [0, 1].

    Returns:
        (B, 1, H, W) in [0, 1).

    Raises:
        ValueError: if the shape is another one.
    """
    if picture.ndim != 4 or picture.shape[1] != len(_SHARES):
        raise ValueError(f"picture must be (B, 3, H, W), got {tuple(picture.shape)}")
    shares = picture.new_tensor(_SHARES)[:, None, None]
    tone = ((picture * shares).sum(1, keepdim=True).clamp_min(0.0) + _FLOOR).log()
    found = []
    for width in WIDTHS:
        sigma = width * min(picture.shape[-2:])
        right, down = scharr_gradient(gaussian_blur(tone, sigma))
        strength = sigma * sigma * (right.square() + down.square())
        found.append(strength / (strength + _HALF * _HALF))
    return torch.stack(found).mean(0)


class EdgeResponse(nn.Module):
    """:func:`edge_response` as a network without weights, called as the trained edge detector is."""

    def forward(self, picture: Tensor) -> Tensor:
        """Edges (B, 1, H, W) of pictures (B, 3, H, W) in [0, 1]."""
        return edge_response(picture)
