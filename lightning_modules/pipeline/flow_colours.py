"""Flow maps as pictures: hue says where to, strength how far. NumPy, no frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.color import hsv2rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray


def flow_colours(flow: NDArray[np.floating], longest: float | None = None) -> NDArray[np.uint8]:
    """A flow map in colours: white stands still; right is red, down yellow-green, left cyan, up violet.

    Args:
        flow: (H, W, 2), pixels, order (x, y), x right, y down. A value that is not finite is grey.
        longest: displacement in pixels of full colour; longer ones look the same. ``None`` takes the map's longest.

    Returns:
        (H, W, 3), RGB.

    Raises:
        ValueError: another shape.
    """
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"a flow map is (H, W, 2), not {flow.shape}")
    known = np.isfinite(flow).all(axis=2)
    x, y = np.moveaxis(np.where(known[..., None], flow, 0.0).astype(np.float64), 2, 0)
    length = np.hypot(x, y)
    most = float(length.max(initial=0.0)) if longest is None else longest
    hue = np.arctan2(y, x) / (2 * np.pi) % 1.0
    strength = np.clip(length / most, 0.0, 1.0) if most > 0 else np.zeros_like(length)
    colours = hsv2rgb(np.stack([hue, strength, np.ones_like(hue)], axis=2))
    colours[~known] = 0.5
    shown: NDArray[np.uint8] = np.rint(255 * colours).astype(np.uint8)
    return shown
