"""Lips that nearly meet do meet: dips of the mouth's opening become contacts.

A network trained to the least error never quite closes the mouth where it is not certain of a p, b or m; yet a mouth
that dips there and stays open looks wrong at once, and lips do not stop a millimetre before each other. So where the
opening has a dip below a threshold, the lips are brought together for a moment, along the way in which synthetic lips
close (reference stage1 §19.4 and §19.5: half a cosine in 50 ms, half a cosine out in 55 ms, at a quarter of the gap).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS

CLOSING_SECONDS, OPENING_SECONDS = 0.050, 0.055
"""How long the lips take to meet and to part."""

LEAST_DEPTH: Final = 0.006
"""By so much the opening must exceed the dip on both sides, face units."""

SIDE_SECONDS: Final = 0.12
"""Within this time."""

UPPER_SHARE: Final = 0.25
OUTER_SHARE: Final = 0.85
OUTER_OF_INNER: Final = {61: 50, 62: 51, 63: 52, 65: 56, 66: 57, 67: 58}
"""Outer lip points that follow the inner ones, by :data:`OUTER_SHARE`."""


def dips(opening: NDArray[np.floating], fps: float, below: float) -> NDArray[np.int64]:
    """Frames in which the opening of the mouth has a dip: a least value below a threshold, with more on both sides.

    Args:
        opening: (T,) face units.
        fps: frames per second.
        below: threshold, face units; 0 finds none.

    Returns:
        (K,) frames, ascending.
    """
    values = np.asarray(opening, np.float64)
    if len(values) < 3 or below <= 0.0:
        return np.empty(0, np.int64)
    middle = values[1:-1]
    least = (middle < below) & (middle <= values[:-2]) & (middle < values[2:])
    candidates = np.flatnonzero(least) + 1
    reach = max(1, round(SIDE_SECONDS * fps))
    found = [
        frame
        for frame in candidates.tolist()
        if values[max(frame - reach, 0) : frame].max() >= values[frame] + LEAST_DEPTH
        and values[frame + 1 : frame + 1 + reach].max() >= values[frame] + LEAST_DEPTH
    ]
    return np.array(found, np.int64)


def contact(frames: NDArray[np.int64], count: int, fps: float) -> NDArray[np.float64]:
    """How far the lips are brought together: (count,) in 0..1, 1 in the given frames, raised cosines around them."""
    closed = np.zeros(count)
    before, after = round(CLOSING_SECONDS * fps), round(OPENING_SECONDS * fps)
    for frame in frames.tolist():
        around = np.arange(max(frame - before, 0), min(frame + after, count - 1) + 1)
        seconds = (around - frame) / fps
        phase = np.where(seconds < 0, -seconds / CLOSING_SECONDS, seconds / OPENING_SECONDS)
        closed[around] = np.maximum(closed[around], 0.5 + 0.5 * np.cos(np.pi * np.minimum(phase, 1.0)))
    return closed


def meet_in_dips(
    moved: NDArray[np.float32], static: NDArray[np.floating], fps: float, below: float
) -> NDArray[np.int64]:
    """Bring lips together where they nearly meet, in place.

    Args:
        moved: (T, 68, 3) displacements of a face, face units; changed.
        static: (68, 3) the face at rest, head upright, y down.
        fps: frames per second.
        below: dips of the opening below this become contacts, face units; 0 changes nothing.

    Returns:
        (K,) the frames of the contacts.
    """
    upper, lower = (np.array(points) for points in zip(*INNER_LIP_PAIRS, strict=True))
    gaps = moved[:, lower, 1] - moved[:, upper, 1] + (static[lower, 1] - static[upper, 1]).astype(np.float32)
    opening = gaps.mean(axis=1, dtype=np.float64)
    frames = dips(opening, fps, below)
    if len(frames):
        share = contact(frames, len(moved), fps).astype(np.float32)[:, None] * np.maximum(gaps, 0.0)
        down, up = UPPER_SHARE * share, (1.0 - UPPER_SHARE) * share
        moved[:, upper, 1] += down
        moved[:, lower, 1] -= up
        moved[:, [OUTER_OF_INNER[point] for point in upper.tolist()], 1] += OUTER_SHARE * down
        moved[:, [OUTER_OF_INNER[point] for point in lower.tolist()], 1] -= OUTER_SHARE * up
    return frames
