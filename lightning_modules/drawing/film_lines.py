"""Film frames as line drawings that hold still where the film holds still (real pairs for D_coh, paper section 3.3).

A drawer that sees one frame at a time answers sensor noise with flickering strokes. Here every frame is first averaged
with its neighbours wherever they show the same (a bilateral filter over time), so that the tangent field and the line
response, which are computed from it, change only where the picture does; moved edges are left as they are, without
ghosts. The matte is averaged over time in the same way. Landmarks should come smoothed
(:func:`lightning_modules.geometry.smoothing.smooth_track`).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.drawing.drawer import StaticDrawer

REACH: Final = 2
"""Frames on each side that count."""

TOLERANCE: Final = 0.04
"""Difference of a pixel between frames, of the range [0, 1], at which it counts with weight 0.61."""


def steady_frames(frames: Tensor, *, reach: int = REACH, tolerance: float = TOLERANCE) -> Tensor:
    """Average frames over time where they agree.

    Frame t becomes the mean of frames t - reach to t + reach, each weighted pixel by pixel with
    ``exp(-d²/(2 tolerance²))``, d the largest difference over the channels of the 3 x 3 means around the pixel: one
    noisy pixel is no reason to disagree, a passing edge is.

    Args:
        frames: (T, C, H, W) in [0, 1], consecutive frames of one shot.
        reach: frames on each side; 0 changes nothing.
        tolerance: see above, positive.

    Returns:
        (T, C, H, W).

    Raises:
        ValueError: shape, reach or tolerance is out of range.
    """
    if frames.ndim != 4 or reach < 0 or tolerance <= 0:
        raise ValueError(f"cannot steady {tuple(frames.shape)} with reach {reach}, tolerance {tolerance}")
    padded = torch.nn.functional.pad(frames, (1, 1, 1, 1), mode="replicate")
    around = torch.nn.functional.avg_pool2d(padded, 3, stride=1)
    total = frames.clone()
    weights = torch.ones_like(frames[:, :1])
    for step in range(1, min(reach, len(frames) - 1) + 1):
        difference = (around[step:] - around[:-step]).abs().amax(dim=1, keepdim=True)
        weight = torch.exp(difference.square() * (-0.5 / tolerance**2))
        total[:-step] += weight * frames[step:]
        total[step:] += weight * frames[:-step]
        weights[:-step] += weight
        weights[step:] += weight
    return total / weights


def draw_film(
    frames: Tensor, drawer: StaticDrawer, *, landmarks: Tensor | None = None, mattes: Tensor | None = None
) -> Tensor:
    """Draw consecutive frames of one shot.

    Args:
        frames: (T, 3, H, W) in [0, 1].
        drawer: draws one frame.
        landmarks: (T, 68, 2 | 3) pixels, smoothed over time, or None.
        mattes: (T, 1, H, W) in [0, 1], 1 = person, or None.

    Returns:
        (T, C, H, W) in [0, 1], 1 = white paper.
    """
    steady = steady_frames(frames)
    # A matte is smooth and wavers as a whole: over its neighbours it is averaged with a wide tolerance.
    calm = None if mattes is None else steady_frames(mattes, tolerance=0.3)
    drawn = [
        drawer.draw(
            steady[number : number + 1],
            landmarks=None if landmarks is None else landmarks[number : number + 1],
            matte=None if calm is None else calm[number : number + 1],
        )
        for number in range(len(frames))
    ]
    return torch.cat(drawn)
