"""Windows of speech features: what both branches of stage 1 look at (reference stage1 §5).

The published window i covers feature frames i .. i + 17 and predicts the landmarks of frame i, its first: 272 ms of
look-ahead and no past. A content branch may hear more: its attributes ``past`` and ``future`` say how many frames
before and after the landmarks' own it is given. Features are (T, C) at 62.5 frames a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

WINDOW: Final = 18
"""Feature frames of a published window."""
CHUNK: Final = 512
"""Windows evaluated at once where memory is to be bounded."""


def window_view(features: Tensor, length: int = WINDOW) -> Tensor:
    """All windows of a clip, as a view that takes no memory.

    Args:
        features: (..., T, C), T at least ``length``.
        length: frames of a window.

    Returns:
        (..., T - length + 1, length, C); entry i begins at frame i.

    Raises:
        ValueError: if the clip is shorter than a window.
    """
    if features.ndim < 2 or features.shape[-2] < length:
        raise ValueError(f"features of at least {length} frames (..., T, C) are needed, got {tuple(features.shape)}")
    return features.unfold(-2, length, 1).movedim(-1, -2)


def window_chunks(features: Tensor, frames: Tensor, chunk: int = CHUNK) -> Iterator[Tensor]:
    """Chosen windows in bounded parts: only one part is copied at a time.

    Args:
        features: (T, C).
        frames: (N,) int64, first frames of the windows, each from 0 to T - 18.
        chunk: most windows of a part.

    Yields:
        (n, 18, C) with n at most ``chunk``, in the order of ``frames``.

    Raises:
        ValueError: if shapes do not fit or a window leaves the clip.
    """
    windows = window_view(features)
    if features.ndim != 2 or frames.ndim != 1:
        raise ValueError(f"(T, C) features and (N,) frames are needed, got {features.shape} and {frames.shape}")
    if len(frames) and not 0 <= int(frames.min()) <= int(frames.max()) < len(windows):
        raise ValueError(f"windows must begin from 0 to {len(windows) - 1}, got {frames.min()} to {frames.max()}")
    for start in range(0, len(frames), chunk):
        yield windows[frames[start : start + chunk]]


def follow_one_another(windows: Tensor) -> bool:
    """Whether the windows (..., N, W, C) of each clip are a view of one stretch, as :func:`window_view` makes them.

    Seen from the strides: nothing is compared, so no device is waited for. Never of a single window.
    """
    return windows.shape[-3] > 1 and windows.shape[-2] > 1 and windows.stride(-3) == windows.stride(-2)


def joined_windows(windows: Tensor) -> Tensor:
    """The stretch whose view the windows are: (B, N, W, C) to (B, N + W - 1, C); without B as if it were 1."""
    joined = torch.cat((windows[..., 0, :], windows[..., -1, 1:, :]), dim=-2)
    return joined.reshape(-1, *joined.shape[-2:])


def published_windows(windows: Tensor, past: int) -> Tensor:
    """Of windows (..., W, C) with ``past`` frames before the landmarks' own, the published part: (..., 18, C), a view.

    Raises:
        ValueError: if the windows end sooner.
    """
    if windows.shape[-2] < past + WINDOW:
        raise ValueError(f"windows of {windows.shape[-2]} frames end before {past} + {WINDOW}")
    return windows[..., past : past + WINDOW, :]


def check_windows(windows: Tensor, features: int) -> None:
    """Require windows (..., N, frames, features) of floating point numbers, N at least 1.

    Raises:
        ValueError: if they are not.
    """
    shape = tuple(windows.shape)
    if windows.ndim < 3 or shape[-1] != features or 0 in shape or not windows.is_floating_point():
        raise ValueError(f"windows must be floating point (..., N, frames, {features}), got {windows.dtype} {shape}")
