"""Faces as fixed points of a landmark network: what it sees does not move when the square it is shown moves.

The network answers for every square with the landmarks of a face. Over a face these stay on the face however the
square lies; over anything else they go along with the square. So a proposal is refined by showing the network the
square around its own answer, proposals that end on the same landmarks are taken together, and what is left is shown
in several squares that are shifted, scaled, turned and mirrored: the less the landmarks move, the surer the face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.faces.face_region import FaceRegion
from lightning_modules.faces.landmark_region import (
    Nudge,
    View,
    cut_views,
    face_size,
    region_of_landmarks,
    to_picture,
)
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.faces.plausibility import looks_like_a_face

LandmarkNetwork = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""From crops (B, 112, 112, 3), RGB in [0, 1], to landmarks (B, 68, 2), fractions of the crops' sides."""

Landmarks = npt.NDArray[np.float64]

REFINEMENTS: Final = 3
"""How often the network is shown the square around its own answer."""

MOST_AT_ONCE: Final = 64
"""Crops in one batch: more gain no speed and take 12 MB each hundred."""

SETTLED: Final = 0.02
"""Movement of the landmarks by one more look, in face sizes, from which on a proposal is not followed any further."""

SAME_LANDMARKS: Final = 0.2
"""Mean distance of the landmarks of two proposals, in face sizes, up to which they have found the same face."""

MOST_JUDGED: Final = 12
"""Candidates whose consistency is measured, those first to which most proposals led."""

NUDGES: Final = (
    Nudge(),
    Nudge(mirrored=True),
    Nudge(right=0.1, scale=1.15),
    Nudge(right=-0.1, scale=0.9, mirrored=True),
    Nudge(down=0.1, scale=0.9, turn=12.0),
    Nudge(down=-0.1, scale=1.15, turn=-12.0, mirrored=True),
    Nudge(right=0.07, down=-0.07, turn=-12.0),
    Nudge(right=-0.07, down=0.07, turn=12.0, mirrored=True),
)


@dataclass(frozen=True, eq=False)
class Candidate:
    """What one or several proposals led to.

    Attributes:
        landmarks: (68, 2) picture pixels.
        support: how many proposals led to it.
        settled: whether another look did not move it.
    """

    landmarks: Landmarks
    support: int
    settled: bool = False


@dataclass(frozen=True, eq=False)
class Judged:
    """A candidate whose consistency was measured.

    Attributes:
        landmarks: (68, 2) picture pixels, the mean over all nudged views.
        support: how many proposals led to it.
        spread: mean distance of the landmarks of a view from that mean, in face sizes: 0 when nothing moves.
    """

    landmarks: Landmarks
    support: int
    spread: float


def candidate_of(landmarks: npt.NDArray[np.floating]) -> Candidate:
    """A candidate of landmarks (68, 2|3) that are known already, for instance from the frame before."""
    return Candidate(np.asarray(landmarks, np.float64)[:, :2], 1)


def seen_in(rgb: RgbPixels, views: Sequence[View], network: LandmarkNetwork) -> Landmarks:
    """The network's landmarks of each view.

    Args:
        rgb: (H, W, 3) uint8.
        views: squares of the picture.
        network: asked in batches of at most 64.

    Returns:
        (B, 68, 2) picture pixels.
    """
    answers = [np.empty((0, 68, 2))]
    for first in range(0, len(views), MOST_AT_ONCE):
        some = views[first : first + MOST_AT_ONCE]
        answers.append(to_picture(network(cut_views(rgb, some)), some))
    return np.concatenate(answers)


def refined(
    rgb: RgbPixels, regions: Sequence[FaceRegion], network: LandmarkNetwork, *, least_support: int = 1
) -> list[Candidate]:
    """Follow each proposal to the landmarks at which the network stays.

    Proposals are given up when their landmarks are not those of a face, or leave the square they were seen in.

    Args:
        rgb: (H, W, 3) uint8.
        regions: the proposals.
        network: finds the landmarks of a square.
        least_support: proposals that must agree after the first look to be followed further. On a face neighbours in
            a lattice agree; elsewhere their answers lie as far apart as they do.

    Returns:
        The ends of their ways, each once, those first to which most proposals led.
    """
    height, width = rgb.shape[:2]

    def followed(
        squares: Sequence[FaceRegion], before: Sequence[Candidate | None], supports: Sequence[int]
    ) -> list[Candidate]:
        answers = seen_in(rgb, [View(region) for region in squares], network)
        return [
            Candidate(points, support, settled=earlier is not None and _moved(points, earlier.landmarks) < SETTLED)
            for points, region, earlier, support in zip(answers, squares, before, supports, strict=True)
            if _stays_near(points, region) and looks_like_a_face(points, width, height)
        ]

    candidates = merged(followed(regions, [None] * len(regions), [1] * len(regions)))
    candidates = [one for one in candidates if one.support >= least_support]
    for _ in range(REFINEMENTS):
        moving = [one for one in candidates if not one.settled]
        if not moving:
            break
        squares = [region_of_landmarks(one.landmarks) for one in moving]
        resting = [one for one in candidates if one.settled]
        candidates = merged([*resting, *followed(squares, moving, [one.support for one in moving])])
    return candidates


def merged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Take together what lies on the same landmarks.

    Args:
        candidates: in any order.

    Returns:
        One for each face, its landmarks those of the best supported member and its support the sum; best supported
        first.
    """
    if not candidates:
        return []
    ordered = sorted(candidates, key=lambda one: -one.support)
    points = np.stack([one.landmarks for one in ordered])
    size = np.array([face_size(one) for one in points])
    free = np.ones(len(ordered), bool)
    found = []
    for number, best in enumerate(ordered):
        if not free[number]:
            continue
        distance = np.linalg.norm(points - best.landmarks, axis=2).mean(1) / np.minimum(size, size[number])
        same = free & (distance <= SAME_LANDMARKS)
        free &= ~same
        support = sum(ordered[one].support for one in np.flatnonzero(same))
        found.append(Candidate(best.landmarks, support, best.settled))
    return sorted(found, key=lambda one: -one.support)


def judged(rgb: RgbPixels, candidates: Sequence[Candidate], network: LandmarkNetwork) -> list[Judged]:
    """Measure how consistent candidates are.

    Args:
        rgb: (H, W, 3) uint8.
        candidates: the first 12 are looked at.
        network: finds the landmarks of a square.

    Returns:
        One for each that was looked at, in the order given.
    """
    chosen = list(candidates[:MOST_JUDGED])
    regions = [region_of_landmarks(one.landmarks) for one in chosen]
    views = [nudge.applied_to(region) for region in regions for nudge in NUDGES]
    answers = seen_in(rgb, views, network).reshape(len(chosen), len(NUDGES), 68, 2)
    results = []
    for candidate, points in zip(chosen, answers, strict=True):
        mean = points.mean(0)
        spread = float(np.linalg.norm(points - mean, axis=2).mean()) / face_size(mean)
        results.append(Judged(mean, candidate.support, spread))
    return results


def _moved(landmarks: Landmarks, before: Landmarks) -> float:
    """Mean distance of landmarks from those before, in face sizes."""
    return float(np.linalg.norm(landmarks - before, axis=1).mean()) / face_size(before)


def _stays_near(landmarks: Landmarks, region: FaceRegion) -> bool:
    """Whether landmarks that were seen in a square lie in and about it: a network's answers from afar are guesses."""
    there = region_of_landmarks(landmarks)
    step = float(np.hypot(there.center_x - region.center_x, there.center_y - region.center_y))
    return step < 0.5 * region.side and 0.4 < there.side / region.side < 2.5
