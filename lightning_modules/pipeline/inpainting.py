"""Fill the part of a photo that the head covers, so that a moving head uncovers paper and not its own ghost.

The published system draws the *whole* photo as background, face included, and shows a ghost of the old face wherever
the head moved away (reference stage 2 §4.2, Eq. 1). Here the head is taken out of the photo before the
background is drawn.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name the field uses


def fill_smoothly(image: Tensor, known: Tensor) -> Tensor:
    """Fill the unknown part of an image by the push–pull pyramid of its known part.

    Each level halves the image as the mean of its known pixels until one pixel is left; on the way back every unknown
    pixel takes the (bilinearly enlarged) coarser value. The filling is smooth, so a line drawer finds no line in it.

    Args:
        image: (B, C, H, W), any range.
        known: (B, 1, H, W) in [0, 1]; 1 keeps the pixel, 0 fills it, values between blend.

    Returns:
        (B, C, H, W): equal to ``image`` where ``known`` is 1. With nothing known at all the result is zero.

    Source:
        Gortler et al., "The Lumigraph", SIGGRAPH 1996, §3.4.2 (push–pull).
    """
    height, width = image.shape[-2:]
    if height == 1 and width == 1:
        return image * (known > 0)
    padding = (0, width % 2, 0, height % 2)
    weight = F.pad(known, padding)
    total = F.avg_pool2d(weight, 2)
    coarse = F.avg_pool2d(F.pad(image * known, padding), 2) / total.clamp_min(1e-8)
    # A coarse pixel is trusted fully as soon as one of its four pixels is known: averages of few pixels are still data.
    filled = fill_smoothly(coarse, (total * 4.0).clamp(max=1.0))
    fine = F.interpolate(filled, scale_factor=2.0, mode="bilinear", align_corners=False)[..., :height, :width]
    return image * known + fine * (1.0 - known)


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Grow a mask by ``radius`` pixels in the maximum norm.

    Args:
        mask: (B, 1, H, W).
        radius: pixels, at least 0.

    Returns:
        (B, 1, H, W), the maximum over a square of side ``2·radius + 1``.
    """
    if radius == 0:
        return mask
    side = 2 * radius + 1  # along the rows, then along the columns: the same maximum of far fewer numbers
    rows = F.max_pool2d(mask, (1, side), stride=1, padding=(0, radius))
    return F.max_pool2d(rows, (side, 1), stride=1, padding=(radius, 0))


def covered_region(matte: Tensor, *, margin: float = 0.035) -> Tensor:
    """Where a photo shows the person or may show something of the person.

    Args:
        matte: (B, 1, H, W) in [0, 1], 1 = person.
        margin: how far beyond the matte the photo is distrusted, as a fraction of the image height: single hairs and
            the blur of the matte's edge would otherwise leave a rim of marks around the head.

    Returns:
        (B, 1, H, W) of 0 and 1.
    """
    return dilate((matte > 0.05).to(matte.dtype), round(margin * matte.shape[-2]))


def without_foreground(photo: Tensor, covered: Tensor) -> Tensor:
    """The photo with the person taken out.

    Args:
        photo: (B, 3, H, W) in [0, 1].
        covered: (B, 1, H, W) from :func:`covered_region`.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    return fill_smoothly(photo, 1.0 - covered)
