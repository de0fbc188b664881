"""Where a film cuts from one shot to the next.

Two signs together tell a cut: the colours are others (histograms), and nothing is where it was (structural similarity
of reduced frames). Each alone is fooled, the first by a flash or a lamp, the second by a fast pan. Their mean is
compared with a fixed limit and with what is usual around it in the same film.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.crop_pictures import LUMINANCE

CUT_LIMIT: Final = 0.35
"""Smallest difference of two neighbouring frames that can be a cut; 0 = the same, 1 = nothing in common."""

STANDING_OUT: Final = 1.5
"""A cut differs this many times more than the frames around it do."""

NEIGHBOURS: Final = 6
"""Differences on each side that it is compared with."""

_WIDTH, _HEIGHT, _BINS = 64, 36, 8


@dataclass(frozen=True)
class Shot:
    """Frames of a film between two cuts.

    Attributes:
        first: number of its first frame, from 0.
        stop: number of the frame after its last.
    """

    first: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True)
class FrameSigns:
    """What is kept of a frame to compare it with the next.

    Attributes:
        tones: float32 (36, 64), luminance in [0, 1].
        colours: float32 (512,), share of the pixels in each of 8 x 8 x 8 colours.
    """

    tones: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float32]


def frame_signs(rgb: npt.NDArray[np.uint8]) -> FrameSigns:
    """Reduce a frame (H, W, 3) to what :func:`difference` compares."""
    import cv2

    small = np.asarray(cv2.resize(rgb, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA))
    bins = (small.reshape(-1, 3) // (256 // _BINS)).astype(np.int64)
    counts = np.bincount(bins @ np.array([_BINS * _BINS, _BINS, 1]), minlength=_BINS**3)
    # Neighbouring bins share a little, so that a slight change of light does not move a whole area into the next one.
    spread = counts.reshape(_BINS, _BINS, _BINS).astype(np.float32)
    for axis in range(3):
        padded = np.pad(spread, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        parts = [np.take(padded, range(start, start + _BINS), axis=axis) for start in range(3)]
        spread = 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2]
    luminance = small.astype(np.float32) @ LUMINANCE / 255.0
    return FrameSigns(luminance, (spread / spread.sum()).ravel())


def difference(one: FrameSigns, other: FrameSigns) -> float:
    """How much two frames differ, 0 to 1: mean of half the distance of their colours and of lost structure."""
    colours = 0.5 * float(np.abs(one.colours - other.colours).sum())
    return 0.5 * (colours + 1.0 - _similarity(one.tones, other.tones))


def _similarity(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Mean structural similarity over 8 x 8 windows (Wang 2004), clipped at 0."""
    import cv2

    def mean(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.blur(values, (8, 8))[4:-3, 4:-3])

    first, second = mean(one), mean(other)
    covariance = mean(one * other) - first * second
    spreads = mean(one * one) - first**2 + mean(other * other) - second**2
    light = (2 * first * second + 1e-4) / (first**2 + second**2 + 1e-4)
    return max(0.0, float((light * (2 * covariance + 9e-4) / (spreads + 9e-4)).mean()))


def find_cuts(differences: Sequence[float]) -> list[int]:
    """Return the numbers of the frames that begin a new shot.

    Args:
        differences: entry k is that between frames k and k + 1.
    """
    values = np.asarray(differences, dtype=np.float64)
    cuts = []
    for k, value in enumerate(values):
        around = np.concatenate([values[max(0, k - NEIGHBOURS) : k], values[k + 1 : k + 1 + NEIGHBOURS]])
        usual = float(np.median(around)) if len(around) else 0.0
        if value >= CUT_LIMIT and value >= STANDING_OUT * usual:
            cuts.append(k + 1)
    return cuts


def find_shots(frames: Iterable[npt.NDArray[np.uint8]]) -> list[Shot]:
    """Divide a film into shots, reading its frames once and keeping none.

    Args:
        frames: (H, W, 3) uint8 RGB, in order.

    Returns:
        The shots in order; together they hold every frame. Empty for a film without frames.
    """
    differences: list[float] = []
    before: FrameSigns | None = None
    for frame in frames:
        signs = frame_signs(frame)
        if before is not None:
            differences.append(difference(before, signs))
        before = signs
    if before is None:
        return []
    edges = [0, *find_cuts(differences), len(differences) + 1]
    return [Shot(first, stop) for first, stop in itertools.pairwise(edges)]
