"""Film frames as line drawings that hold still where the film holds still (real pairs for D_coh, paper section 3.3).

A drawer that sees one frame at a time answers sensor noise with flickering strokes. Here every frame is first averaged
with its neighbours wherever they show the same (a bilateral filter over time), and so are the structure tensors from
which a drawer takes the tangents of its strokes, and the line responses that it gathers along them: they change only
where the picture does, and what moved is hardly mixed. The matte is averaged over time in the same way. Landmarks
should come smoothed
(:func:`lightning_modules.geometry.smoothing.smooth_track`).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from lightning_modules.drawing.drawer import ShotDrawer, StaticDrawer
from lightning_modules.drawing.steadying import REACH, TOLERANCE, Agreement

METHOD: Final = "frames, tangents and lines over time"
"""How :func:`draw_film` draws: part of the settings of prepared film, changed whenever film is drawn otherwise."""

_MATTE_TOLERANCE: Final = 0.3


def steady_frames(frames: Tensor, *, reach: int = REACH, tolerance: float = TOLERANCE) -> Tensor:
    """Average frames over time where they agree.

    Frame t becomes the mean of frames t - reach to t + reach, each weighted pixel by pixel as
    :mod:`lightning_modules.drawing.steadying` says.

    Args:
        frames: (T, C, H, W) in [0, 1], consecutive frames of one shot.
        reach: frames on each side; 0 changes nothing.
        tolerance: difference of a pixel at which it counts with weight 0.61, positive.

    Returns:
        (T, C, H, W).

    Raises:
        ValueError: shape, reach or tolerance is out of range.
    """
    return Agreement(frames, reach=reach, tolerance=tolerance).averaged(frames)


def draw_film(
    frames: Tensor, drawer: StaticDrawer, *, landmarks: Tensor | None = None, mattes: Tensor | None = None
) -> Tensor:
    """Draw consecutive frames of one shot.

    Args:
        frames: (T, 3, H, W) in [0, 1].
        drawer: draws one frame; one that can draw a shot has its tangents and lines steadied too.
        landmarks: (T, 68, 2 | 3) pixels, smoothed over time, or None.
        mattes: (T, 1, H, W) in [0, 1], 1 = person, or None.

    Returns:
        (T, C, H, W) in [0, 1], 1 = white paper.
    """
    steady = steady_frames(frames)
    # A matte is smooth and wavers as a whole: over its neighbours it is averaged with a wide tolerance.
    calm = None if mattes is None else steady_frames(mattes, tolerance=_MATTE_TOLERANCE)
    if isinstance(drawer, ShotDrawer):
        return drawer.draw_shot(steady, landmarks=landmarks, mattes=calm, steady=Agreement(steady).steady)
    drawn = [
        drawer.draw(
            steady[number : number + 1],
            landmarks=None if landmarks is None else landmarks[number : number + 1],
            matte=None if calm is None else calm[number : number + 1],
        )
        for number in range(len(frames))
    ]
    return torch.cat(drawn)
