"""The square around the face that detector and identity features look at: where it is, and how it is cut out.

Convention: a window is (left, top, side) in pixels of the frame, (B | 1, 3). With whole numbers it covers the pixel
columns ``left .. left + side - 1``; fractions are allowed and mean the same square in between. It may leave the frame:
what lies outside is white paper.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor

from lightning_modules.geometry.alignment import CHIN_SHARE, FACE_WIDTH_SHARE
from lightning_modules.geometry.part_masks import face_extents
from lightning_modules.geometry.points import constant

FACE_LEFT: Final = 0.15
FACE_TOP: Final = 0.20
FACE_SIDE: Final = 0.70
"""The face square as shares of the paper's portrait crop: x 0.15-0.85, y 0.20-0.90."""

Kernel = Literal["bicubic", "bilinear"]
WindowChoice = Literal["frame", "landmarks"]

_CUBIC: Final = -0.75  # the constant of torch's and OpenCV's bicubic kernel


def face_square(size: int, like: Tensor) -> Tensor:
    """The window of the face square in a portrait crop.

    Args:
        size: side of the crop, pixels.
        like: gives device and dtype.

    Returns:
        (1, 3). At 256 published data use whole pixels within half a pixel of it.
    """
    return constant((FACE_LEFT * size, FACE_TOP * size, FACE_SIDE * size), like)[None]


def landmark_window(landmarks: Tensor) -> Tensor:
    """The face square of the portrait crop that these landmarks would get, wherever they lie in the frame.

    For landmarks that do not come from a portrait crop, or from one that was cropped again: the fixed square would
    show the detector a face that is off its middle. For a frontal face in a portrait crop both squares agree.

    Args:
        landmarks: (B, 68, 2 | 3) pixels.

    Returns:
        (B, 3); no gradient.
    """
    with torch.no_grad():
        side = (face_extents(landmarks) / FACE_WIDTH_SHARE).clamp(min=1.0)
        middle = (landmarks[..., 0].amin(1) + landmarks[..., 0].amax(1)) / 2
        left = middle - (side - 1) / 2
        top = landmarks[..., 1].amax(1) + 0.5 - CHIN_SHARE * side
        return torch.stack((left + FACE_LEFT * side, top + FACE_TOP * side, FACE_SIDE * side), dim=-1)


def chosen_window(drawing: Tensor, landmarks: Tensor, choice: WindowChoice) -> Tensor:
    """The window to look at in square drawings.

    Args:
        drawing: (B, C, S, S).
        landmarks: (B, 68, 2 | 3) pixels; read only for the choice ``"landmarks"``.
        choice: the fixed face square of the ``"frame"`` (published), or :func:`landmark_window`.

    Returns:
        (B | 1, 3).

    Raises:
        ValueError: if the drawings are not square.
    """
    size = drawing.shape[-1]
    if drawing.shape[-2] != size:
        raise ValueError(f"drawings must be square, got {tuple(drawing.shape)}")
    return face_square(size, drawing) if choice == "frame" else landmark_window(landmarks)


def _kernel_weights(fraction: Tensor, kernel: Kernel) -> Tensor:
    """Weights of the taps around positions with these fractions: (..., n) to (..., n, 4 | 2)."""
    if kernel == "bilinear":
        return torch.stack((1 - fraction, fraction), dim=-1)

    def near(x: Tensor) -> Tensor:
        return ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((_CUBIC * x - 5 * _CUBIC) * x + 8 * _CUBIC) * x - 4 * _CUBIC

    return torch.stack((far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)), dim=-1)


def _resampling(start: Tensor, side: Tensor, length: int, count: int, kernel: Kernel, *, corners: bool) -> Tensor:
    """Matrices (B, count, length) that resample one axis of the window; taps stay inside the window."""
    steps = torch.arange(count, device=start.device, dtype=start.dtype)
    start, side = start[:, None], side[:, None]
    local = steps * (side - 1) / max(count - 1, 1) if corners else (steps + 0.5) * side / count - 0.5
    position = start + local
    base = torch.floor(position)
    weights = _kernel_weights(position - base, kernel)
    offsets = torch.arange(-1, 3, device=start.device) if kernel == "bicubic" else torch.arange(2, device=start.device)
    first, last = torch.floor(start)[..., None], torch.ceil(start + side - 1)[..., None]
    taps = torch.minimum(torch.maximum(base[..., None] + offsets, first), last)
    pixels = torch.arange(length, device=start.device, dtype=start.dtype)
    return (weights[..., None] * (taps[..., None] == pixels)).sum(-2)


def crop_square(
    image: Tensor,
    window: Tensor,
    size: tuple[int, int],
    kernel: Kernel = "bicubic",
    *,
    align_corners: bool = False,
    outside: float = 1.0,
) -> Tensor:
    """Cut every sample's window out and resize it; linear in the image, differentiable, one product an axis.

    For whole-pixel windows equal to cutting the square out of a white surround and ``torch.nn.functional.interpolate``
    without anti-aliasing. The loop-free form takes another window for every sample.

    Args:
        image: (B, C, H, W), any range.
        window: (B | 1, 3) left, top, side in pixels; see the module's convention.
        size: (height, width) of the result.
        kernel: how to interpolate.
        align_corners: as in ``interpolate``: the outermost pixel centres stay outermost.
        outside: value of what lies outside the image (1: white).

    Returns:
        (B, C, height, width). No gradient reaches the window.

    Raises:
        ValueError: if a shape is wrong.
    """
    if image.ndim != 4 or window.ndim != 2 or window.shape[1] != 3 or len(window) not in (1, len(image)):
        raise ValueError(
            f"image must be (B, C, H, W) and window (B | 1, 3), got {tuple(image.shape)}, {tuple(window.shape)}"
        )
    with torch.no_grad():
        window = window.to(device=image.device, dtype=image.dtype)
        left, top, side = window.unbind(-1)
        rows = _resampling(top, side, image.shape[-2], size[0], kernel, corners=align_corners)
        columns = _resampling(left, side, image.shape[-1], size[1], kernel, corners=align_corners)
    return rows[:, None] @ (image - outside) @ columns[:, None].mT + outside
