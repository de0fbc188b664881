"""From the pictures of a record to planes of the loading size, and from planes to the tensors of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def loaded_planes(picture: npt.NDArray[np.uint8], size: int, channels: int) -> npt.NDArray[np.uint8]:
    """Bring a picture to the loading size and a number of channels.

    Args:
        picture: (S, S) gray or (S, S, 3) RGB.
        size: side L, pixels; reached by PIL's antialiased bicubic, as published.
        channels: 1 (colour becomes luminance, before the resize) or 3 (gray is repeated).

    Returns:
        (channels, L, L).
    """
    from PIL import Image

    if channels == 1 and picture.ndim == 3:
        picture = np.rint(picture.astype(np.float32) @ _LUMINANCE).astype(np.uint8)
    if picture.shape[0] != size:
        picture = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    return np.ascontiguousarray(np.broadcast_to(planes, (channels, size, size)))


def loaded_landmarks(landmarks: npt.NDArray[np.floating], record_size: int, size: int) -> npt.NDArray[np.float32]:
    """Landmarks (..., 68, 2|3) of a record in pixels of the loading size: half-pixel centres, as PIL resizes."""
    ratio = size / record_size
    return np.asarray((landmarks[..., :2].astype(np.float64) + 0.5) * ratio - 0.5, np.float32)


def picture_tensor(planes: npt.NDArray[Any]) -> Tensor:
    """uint8 planes as float32 in [-1, 1], 255 = 1."""
    return torch.from_numpy(np.ascontiguousarray(planes)).float().div_(127.5).sub_(1.0)


def mask_tensor(planes: npt.NDArray[Any]) -> Tensor:
    """uint8 planes as float32 in [0, 1], 255 = 1."""
    return torch.from_numpy(np.ascontiguousarray(planes)).float().div_(255.0)
