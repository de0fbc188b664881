"""Foreground over background: Eq. 1 of the paper."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.pipeline.inpainting import dilate


def compose(foreground: Tensor, background: Tensor, mask: Tensor) -> Tensor:
    """Lay the moving person over the still background: ``d = d_o · m' + d_b · (1 − m')``.

    Args:
        foreground: d_o, (B, C, H, W) in [0, 1], the drawing of the person, already warped.
        background: d_b, (1 or B, C, H, W) in [0, 1], the drawing of the background with the person taken out.
        mask: m', (B, 1, H, W) in [0, 1], the foreground mask warped with the same flow as the foreground.

    Returns:
        (B, C, H, W) in [0, 1].

    Source:
        Paper Eq. 1.
    """
    return background + (foreground - background) * mask


def drawing_mask(matte: Tensor, *, margin: float = 0.006, lower: float = 0.15, upper: float = 0.55) -> Tensor:
    """Turn a soft photographic matte into the mask m_p with which a *drawing* is cut out.

    A half-transparent matte pixel would fade a black line to grey, so the soft edge is steepened; and the line that
    draws the silhouette lies half outside the person, so the mask is grown until it holds the whole line.

    Args:
        matte: (B, 1, H, W) in [0, 1].
        margin: growth as a fraction of the image height.
        lower: matte value that becomes 0.
        upper: matte value that becomes 1.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    steep = ((matte - lower) / (upper - lower)).clamp(0.0, 1.0)
    return dilate(steep * steep * (3.0 - 2.0 * steep), round(margin * matte.shape[-2]))
