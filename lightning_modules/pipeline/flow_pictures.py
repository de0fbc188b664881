"""Flow and visibility as pictures to look at."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_STRONGEST: Final = 30.0
"""Pixels of flow that are shown in full colour."""
_COLORS: Final = np.array([[60, 160, 75], [205, 70, 60], [235, 235, 235]], np.uint8)


def flow_picture(flow: Tensor, shown: Tensor | None = None, strongest: float = _STRONGEST) -> NDArray[np.uint8]:
    """Flow as colour: hue is the direction, saturation the length.

    Args:
        flow: (2, H, W), order (x, y), pixels; any device.
        shown: (H, W) bool; the rest is white. None: everything.
        strongest: length in full colour, pixels.

    Returns:
        (H, W, 3) RGB.
    """
    across, down = flow.detach().float().cpu().numpy()
    hue = (np.arctan2(down, across) + np.pi) * (90 / np.pi)
    strength = np.clip(np.hypot(across, down) / strongest, 0, 1) * 255
    if shown is not None:
        strength = np.where(shown.cpu().numpy(), strength, 0)
    picture = np.stack([np.clip(hue, 0, 179), strength, np.full_like(hue, 255)], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_HSV2RGB), np.uint8)


def visibility_picture(classes: Tensor) -> NDArray[np.uint8]:
    """Visibility classes as colours: green visible, red occluded, gray background.

    Args:
        classes: (H, W), 0 to 2; any device.

    Returns:
        (H, W, 3) RGB.
    """
    return np.asarray(_COLORS[classes.cpu().numpy().astype(np.int64)], np.uint8)
