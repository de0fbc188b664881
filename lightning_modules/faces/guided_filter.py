"""The guided filter with a colour guide (He, Sun and Tang, "Guided Image Filtering", PAMI 2013), NumPy and OpenCV.

In every window the result is an affine function of the guide's three channels, chosen by ridge regression to be close
to the input; so edges of the result lie where edges of the guide are. The coefficients may be found at a reduced size
and applied at full size ("Fast Guided Filter", 2015).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def guided_filter(guide: Floats, values: Floats, radius: int, ridge: float, full_guide: Floats | None = None) -> Floats:
    """Filter ``values`` so that they follow the edges of ``guide``.

    Args:
        guide: ``(h, w, 3)`` float32 in [0, 1].
        values: ``(h, w)`` float32, e.g. a matte.
        radius: windows are ``2 · radius + 1`` pixels wide.
        ridge: the penalty ε on the coefficients, in squared brightness; larger smooths more.
        full_guide: ``(H, W, 3)``, the same picture larger; the coefficients are then enlarged and applied to it.

    Returns:
        ``(h, w)`` float32, or ``(H, W)`` with ``full_guide``. Not clipped.

    Raises:
        ValueError: the sizes of guide and values differ.
    """
    import cv2

    if guide.shape[:2] != values.shape or guide.ndim != 3 or guide.shape[2] != 3:
        raise ValueError(f"a guide of shape {guide.shape} does not fit values of shape {values.shape}")

    def mean(picture: Floats) -> Floats:
        window = (2 * radius + 1, 2 * radius + 1)
        return np.asarray(cv2.boxFilter(picture, -1, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    with_values = mean(guide * values[..., None]) - mean_guide * mean_values[..., None]
    # covariance of the channels, a symmetric 3×3 matrix a pixel: rr rg rb / rg gg gb / rb gb bb, with the ridge on
    # its diagonal
    squares = mean(guide * guide) - mean_guide * mean_guide + np.float32(ridge)
    shifted, mean_shifted = guide[..., [1, 2, 0]], mean_guide[..., [1, 2, 0]]
    crossed = mean(guide * shifted) - mean_guide * mean_shifted
    rr, gg, bb = np.moveaxis(squares, -1, 0)
    rg, gb, rb = np.moveaxis(crossed, -1, 0)
    # its inverse by cofactors
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    r, g, b = np.moveaxis(with_values, -1, 0)
    slope = np.stack(
        [c_rr * r + c_rg * g + c_rb * b, c_rg * r + c_gg * g + c_gb * b, c_rb * r + c_gb * g + c_bb * b], axis=-1
    )
    slope /= determinant[..., None]
    offset = mean_values - (slope * mean_guide).sum(-1)
    coefficients = mean(np.concatenate([slope, offset[..., None]], axis=-1))
    if full_guide is not None:
        height, width = full_guide.shape[:2]
        coefficients = np.asarray(cv2.resize(coefficients, (width, height), interpolation=cv2.INTER_LINEAR))
        guide = full_guide
    return np.asarray((coefficients[..., :3] * guide).sum(-1) + coefficients[..., 3], dtype=np.float32)
