"""How well a mouth follows speech: closures that were reached, the lag between sound and mouth, the opening's shape.

Tracks are (T, 68, 2 | 3) in face units (outer-eye distance 1, y down, head at rest). The opening of a mouth is the mean
distance along y of the three inner lip pairs. Errors of places are in :mod:`.lip_landmark_distance`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LIPS
from lightning_modules.geometry.smoothing import resample_track

CLOSED_BELOW: Final = 0.01
"""A mouth that opens less counts as closed: face units, about 0.8 mm."""

LAG_RATE: Final = 25.0
MOST_LAG: Final = 10

_Track = NDArray[np.floating]


def mouth_opening(track: _Track) -> NDArray[np.float64]:
    """How far the inner lips are apart: (T,) face units; negative where they cross."""
    pairs = np.array(INNER_LIP_PAIRS)
    opening: NDArray[np.float64] = (track[:, pairs[:, 1], 1] - track[:, pairs[:, 0], 1]).mean(axis=1, dtype=np.float64)
    return opening


def lip_error(found: _Track, reference: _Track) -> float:
    """Mean distance of the 20 lip points in the picture plane, in percent of the eye distance. 0 is perfect.

    Args:
        found: (T, 68, 2 | 3) face units.
        reference: as many frames.

    Raises:
        ValueError: the lengths differ.
    """
    if len(found) != len(reference):
        raise ValueError(f"tracks of one length are compared, got {len(found)} and {len(reference)} frames")
    lips = list(LIPS)
    away = found[:, lips, :2].astype(np.float64) - reference[:, lips, :2]
    return 100.0 * float(np.linalg.norm(away, axis=-1).mean())


def closures_reached(track: _Track, closures: Sequence[tuple[float, float]], fps: float) -> tuple[int, int]:
    """How many labelled bilabial closures a mouth reaches.

    A closure is reached if the mouth opens by less than 0.01 in one frame at least between its start and its end. One
    that lies between two frames counts by the frame that is nearest to its middle.

    Args:
        track: (T, 68, 2 | 3) face units.
        closures: (start, end) in seconds.
        fps: frames per second.

    Returns:
        Reached, and all that lie within the track.
    """
    opening = mouth_opening(track)
    reached = counted = 0
    for start, end in closures:
        first, last = math.ceil(start * fps), math.floor(end * fps)
        if last < first:
            first = last = round(0.5 * (start + end) * fps)
        if first < len(opening):
            counted += 1
            reached += bool(opening[first : last + 1].min() < CLOSED_BELOW)
    return reached, counted


def opening_correlation(found: _Track, reference: _Track) -> float | None:
    """Pearson correlation of the mouths' openings, in -1..1; None where one of them never changes."""
    return _correlation(mouth_opening(found), mouth_opening(reference))


def best_lag(found: _Track, reference: _Track, fps: float) -> int | None:
    """By how many frames of 25 a second the opening of the mouth comes late.

    Args:
        found: (T, 68, 2 | 3) face units.
        reference: as many frames, in step with the sound.
        fps: frames per second of both.

    Returns:
        The shift in -10..10 with the highest correlation, positive if ``found`` is late; None if an opening never
        changes or the tracks are shorter than a second.
    """
    ours, theirs = (resample_track(mouth_opening(track)[:, None], fps, LAG_RATE)[:, 0] for track in (found, reference))
    if len(ours) < LAG_RATE:
        return None
    scores: dict[int, float] = {}
    for lag in range(-MOST_LAG, MOST_LAG + 1):
        late, early = (ours[lag:], theirs[: len(theirs) - lag]) if lag >= 0 else (ours[:lag], theirs[-lag:])
        score = _correlation(late, early)
        if score is not None:
            scores[lag] = score
    return max(scores, key=lambda lag: (scores[lag], -abs(lag))) if scores else None


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float | None:
    first, second = (np.asarray(values, np.float64) - np.mean(values) for values in (one, other))
    sizes = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / sizes if sizes > 1e-12 else None
