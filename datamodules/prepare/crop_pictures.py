"""Pictures that records of every kind are made of: gray, and the part masks of a face."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

LUMINANCE: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""


def gray(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the luminance (..., H, W) of pictures (..., H, W, 3), rounded to whole levels."""
    return np.asarray(np.rint(pictures.astype(np.float32) @ LUMINANCE), np.uint8)


def part_mask_picture(landmarks: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.uint8]:
    """Return the masks of nose, eyes and lips as the channels of one picture.

    Args:
        landmarks: (68, 2 | 3) in pixels of the crop.
        size: side of the crop in pixels.

    Returns:
        uint8 (size, size, 3), 255 = inside.
    """
    import torch

    from lightning_modules.geometry.part_masks import part_masks
    from lightning_modules.pipeline.portrait import image_array

    with torch.inference_mode():
        masks = part_masks(torch.from_numpy(landmarks)[None], size)
        picture: npt.NDArray[np.uint8] = image_array(torch.cat([masks.nose, masks.eyes, masks.lips], dim=1))[0]
    return picture
