"""What the published system does with the displacements that its networks predict, step by step and quirk by quirk.

For the preset ``paper`` alone: the steps bias the closed mouth, leave seams every 8.2 s and blink at the same frames
in every video (reference §15, B5, B11, B12). They are kept so that published weights can be shown as published.
Landmarks are in the published normalised frame: jaw width 1.6, x right, y down. Source: reference §6.1, §7.2, §11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.face_axes import average_face
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LID_PAIRS, OUTER_LIP_PAIRS
from lightning_modules.geometry.smoothing import smooth_track

JAW_WIDTH = 1.6
DEPTH = 0.1
"""Share of a standard face's depth that faces have here."""

LOWER_SHARE = 0.5
HEAD_WINDOW, ALL_WINDOW, UPPER_WINDOW, MOUTH_WINDOW, ORDER = 31, 5, 15, 5, 3
LIP_MERGE = 0.99
FIRST_BLINK, SHORTEST_INTERVAL, LONGER_BY = 30, 60, (30, 90)
CLOSING_FRAMES, OPENING_FRAMES = 10, 15
SHORTEST_TRACK = FIRST_BLINK + OPENING_FRAMES + 1
"""Frames below which the published blinks cannot be drawn."""

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PublishedFace:
    """A face in the published normalised frame.

    Attributes:
        local: (68, 3) normalised landmarks; z is a tenth of a standard face's.
        middle: (2,) pixels, midway between the ends of the jaw.
        unit: pixels of a normalised unit.
    """

    local: _Array
    middle: _Array
    unit: float

    def to_pixels(self, landmarks: _Array) -> _Array:
        """Normalised landmarks (T, 68, 3) in pixels; z, which the published system leaves as it is, likewise scaled."""
        pixels: _Array = landmarks * self.unit
        pixels[..., :2] += self.middle
        return pixels


def edited_points(pixels: NDArray[np.floating]) -> _Array:
    """Landmarks as the published system edits them: lips thinned by a pixel, lids widened by two (§11.1, 4).

    Args:
        pixels: (68, 2 | 3), x right, y down.

    Returns:
        (68, 2).
    """
    points = np.array(pixels, np.float64)[:, :2]
    points[49:54, 1] += 1.0
    points[55:60, 1] -= 1.0
    points[[37, 38, 43, 44], 1] -= 2.0
    points[[40, 41, 46, 47], 1] += 2.0
    return points


def published_face(pixels: NDArray[np.floating]) -> PublishedFace:
    """Normalise a face as published (§11.1, 4 and 5): edited by a few pixels, then scaled to a jaw width of 1.6.

    Args:
        pixels: (68, 2 | 3), x right, y down.

    Raises:
        ValueError: the ends of the jaw lie above each other, as in a profile.
    """
    points = edited_points(pixels)
    width = float(points[16, 0] - points[0, 0])
    if abs(width) < 1e-6:
        raise ValueError("the ends of the jaw lie above each other: the published normalisation needs a frontal face")
    middle = 0.5 * (points[0] + points[16])
    local = np.concatenate([(points - middle) * (JAW_WIDTH / width), DEPTH * average_face()[:, 2:]], axis=1)
    return PublishedFace(local, middle, width / JAW_WIDTH)


def calibrate(said: NDArray[np.floating]) -> _Array:
    """Subtract from every coordinate the mean of the lower half of its values over the segment (§6.1).

    Args:
        said: (N, ...) of one segment, N at least 2.
    """
    values = np.asarray(said, np.float64)
    count = int(len(values) * LOWER_SHARE)
    calibrated: _Array = values - np.partition(values, count - 1, axis=0)[:count].mean(axis=0)
    return calibrated


def head_part(said: NDArray[np.floating], gain: float) -> _Array:
    """The speaker-aware branch's displacements of one segment, smoothed, lips merged, scaled (§7.2).

    Args:
        said: (N, 68, 3), N at least 10.
        gain: published 0.5.
    """
    window = min(len(said) - 1, HEAD_WINDOW) // 2 * 2 + 1
    moved: _Array = smooth_track(np.asarray(said, np.float64), window, ORDER).astype(np.float64)
    for upper, lower in (*OUTER_LIP_PAIRS, *INNER_LIP_PAIRS):
        mean = 0.5 * (moved[:, upper] + moved[:, lower])
        for point in (upper, lower):
            moved[:, point] = LIP_MERGE * mean + (1.0 - LIP_MERGE) * moved[:, point]
    return gain * moved


def inner_lip_area(landmarks: NDArray[np.floating]) -> _Array:
    """Signed area of the inner lip polygon, positive where the upper lip is above the lower one: (T,)."""
    x, y = (np.asarray(landmarks[:, 60:68, axis], np.float64) for axis in (0, 1))
    around: _Array = 0.5 * (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    return around


def repair_inverted_lips(landmarks: _Array) -> int:
    """Close the inner lips of frames in which they are inverted, and let the outer lips follow, in place (§11.3).

    All frames are tested at once; only those that need it are gone through one by one, because each takes the thickness
    of its lips from the frame before it, as repaired.

    Args:
        landmarks: (T, 68, 3).

    Returns:
        Number of frames repaired.
    """
    inverted = np.flatnonzero(inner_lip_area(landmarks) < 0.0)
    for frame in inverted.tolist():
        before = landmarks[max(frame - 1, 0)].copy()
        now = landmarks[frame]
        for upper, lower in INNER_LIP_PAIRS:
            now[[upper, lower]] = 0.5 * (now[upper] + now[lower])
        # As published: the lower outer points go with the inner ones 64 to 67, not with those above them.
        for outer, inner in (*zip(range(55, 59), range(64, 68), strict=True), (59, 60)):
            now[outer, 1] = now[inner, 1] + (before[outer, 1] - before[inner, 1])
        for outer, inner in zip(range(49, 54), range(60, 65), strict=True):
            now[outer, 1] = now[inner, 1] + (before[outer, 1] - before[inner, 1])
    return len(inverted)


def blink_frames(count: int, seed: int = 0) -> list[int]:
    """Frames at which the published system's eyes are closed; with seed 0 the same in every video (§11.4).

    Args:
        count: frames of the track, 46 or more.
        seed: of NumPy's old generator.
    """
    random = np.random.RandomState(seed)
    frames = [FIRST_BLINK]
    while True:
        following = frames[-1] + SHORTEST_INTERVAL + int(random.randint(*LONGER_BY))
        if following >= count - 1 - OPENING_FRAMES:
            return frames
        frames.append(following)


def add_blinks(landmarks: _Array, frames: list[int]) -> None:
    """Narrow the eyes by a tenth and close them at some frames, in absolute places, in place (§11.4, 2).

    Args:
        landmarks: (T, 68, 3); all frames from 10 before to 15 after a blink must exist.
        frames: of the closed eyes, ascending.
    """
    for upper, lower in LID_PAIRS:
        gap = landmarks[:, lower] - landmarks[:, upper]
        landmarks[:, upper] += 0.05 * gap
        landmarks[:, lower] -= 0.05 * gap
    for frame in frames:
        first, last = frame - CLOSING_FRAMES, frame + OPENING_FRAMES
        for upper, lower in LID_PAIRS:
            closed = 0.25 * landmarks[frame, upper] + 0.75 * landmarks[frame, lower]
            for lid in (upper, lower):
                share = (np.arange(1, CLOSING_FRAMES) / CLOSING_FRAMES)[:, None]
                landmarks[first + 1 : frame, lid] = (1.0 - share) * landmarks[first, lid] + share * closed
                landmarks[frame, lid] = closed
                weight = ((OPENING_FRAMES - 1 - np.arange(1, OPENING_FRAMES)) / OPENING_FRAMES)[:, None]
                landmarks[frame + 1 : last, lid] = weight * closed + (1.0 - weight) * landmarks[last, lid]


def finish_normalised(segments: list[_Array]) -> _Array:
    """Join segments, put the top of the nose bridge in line, smooth, and round to six decimals (§11.2).

    Args:
        segments: (n, 68, 3) each, lips repaired.
    """
    track = np.concatenate(segments)
    track[:, 27] = 2.0 * track[:, 28] - track[:, 29]
    smoothed: _Array = np.asarray(smooth_track(track, ALL_WINDOW, ORDER), np.float64).round(6)
    return smoothed


def finish_pixels(track: _Array, blinks: list[int] | None) -> _Array:
    """Blink, then smooth: upper face and jaw over 15 frames, mouth over 5 (§11.4).

    Args:
        track: (T, 68, 3) pixels; not modified.
        blinks: frames of closed eyes; None leaves the eyes as they are.
    """
    finished = track.copy()
    if blinks is not None:
        add_blinks(finished, blinks)
    finished[:, :48] = smooth_track(finished[:, :48], UPPER_WINDOW, ORDER)
    finished[:, 48:] = smooth_track(finished[:, 48:], MOUTH_WINDOW, ORDER)
    return finished
