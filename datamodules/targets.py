"""Target landmarks l_t: whose they are, whether they are laid onto the photo's face, and how l_t1 and l_t2 differ.

Landmarks here are (68, 2) float32, order (x, y), pixels of the crop.

Source: paper section 3.3; stage 2, section 5.2 (the published mixture and jitter) and section 14 (what it lacks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import ConfigError
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LIPS

Points = npt.NDArray[np.float32]
Change = Literal["published", "symmetric", "motion"]

PUBLISHED_SIZE: Final = 256
"""Side of the pictures that pixel counts of the paper refer to."""


@dataclass(frozen=True)
class TargetSettings:
    """How target landmarks are made.

    Attributes:
        own_share: share of samples whose target is the photo's own face; published 0.1, the rest are drawings' faces.
        talking_share: share of samples whose targets are the photo's own face as a landmark track moves it, l_t1 and
            l_t2 two neighbouring frames: what the generator is used for. Published 0; own and talking share together
            are at most 1.
        aligned: lay the drawing's landmarks onto the photo's face by the best rotation, scale and shift; published
            false, so that the generator also learns to move the face within the frame.
        change: from l_t1 to l_t2: ``"published"`` adds U[0, m) to each coordinate (one shared draw for both
            coordinates of all lip points), ``"symmetric"`` U[-m/2, m/2) in the same way, ``"motion"`` what the face
            does between two neighbouring frames of a landmark track.
        most_change: m, pixels of a 256 px picture.

    Raises:
        ConfigError: a value is out of its range.
    """

    own_share: float = 0.1
    talking_share: float = 0.0
    aligned: bool = True
    change: Change = "symmetric"
    most_change: float = 3.0

    @property
    def needs_tracks(self) -> bool:
        """Whether landmark tracks are asked for."""
        return self.change == "motion" or self.talking_share > 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.own_share <= 1.0:
            raise ConfigError(f"own_share is {self.own_share}", "give a share from 0 to 1")
        if not 0.0 <= self.talking_share <= 1.0 - self.own_share:
            found = f"talking_share is {self.talking_share}, beside an own_share of {self.own_share}"
            raise ConfigError(found, "give a share from 0 up, so that both add up to 1 at most")
        if self.change not in get_args(Change):
            raise ConfigError(f"unknown change {self.change!r}", f"choose one of {', '.join(get_args(Change))}")
        if not 0.0 <= self.most_change <= 64.0:
            raise ConfigError(f"most_change is {self.most_change}", "give 0 to 64 pixels")


@dataclass(frozen=True)
class Similarity:
    """Rotation, one scale and shift: ``p -> linear @ p + shift``, pixels.

    Attributes:
        linear: (2, 2), scale times rotation.
        shift: (2,).
    """

    linear: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]

    def points(self, points: npt.NDArray[np.floating]) -> Points:
        """Move points (..., 2)."""
        return np.asarray(points.astype(np.float64) @ self.linear.T + self.shift, dtype=np.float32)

    def planes(self, planes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Move pictures (K, S, S), bilinear, 0 where nothing was."""
        import cv2

        matrix = np.concatenate([self.linear, self.shift[:, None]], axis=1)
        size = planes.shape[-2:][::-1]
        moved = [cv2.warpAffine(np.ascontiguousarray(plane), matrix, size, flags=cv2.INTER_LINEAR) for plane in planes]
        return np.stack(moved)


def similarity_between(source: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> Similarity:
    """The similarity that moves one set of points closest to another (least squares, Procrustes; no mirroring).

    Args:
        source: (N, 2).
        target: (N, 2).

    Raises:
        ValueError: shapes differ or all source points coincide.
    """
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise ValueError(f"expected two sets (N, 2), got {source.shape} and {target.shape}")
    middle, goal = source.mean(0, dtype=np.float64), target.mean(0, dtype=np.float64)
    # As complex numbers a rotation with scale is one factor: <source, target> / <source, source>.
    from_ = (source[:, 0] - middle[0]) + 1j * (source[:, 1] - middle[1])
    to = (target[:, 0] - goal[0]) + 1j * (target[:, 1] - goal[1])
    spread = float((np.abs(from_) ** 2).sum())
    if spread == 0.0:
        raise ValueError("all source points coincide")
    factor = complex((np.conj(from_) * to).sum() / spread)
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return Similarity(linear, goal - linear @ middle)


def jitter(generator: np.random.Generator, size: int, *, most_change: float, symmetric: bool) -> Points:
    """Offsets (68, 2) of the slight change, pixels of a picture of ``size``: the lips move as one.

    Args:
        generator: of the sample.
        size: side of the picture.
        most_change: m, width of the uniform distribution, pixels of a 256 px picture.
        symmetric: U[-m/2, m/2) instead of the published U[0, m), whose mean drifts down and right.
    """
    offsets = generator.random((68, 2))
    offsets[list(LIPS)] = offsets[LIPS[0]]
    if symmetric:
        offsets -= 0.5
    return np.asarray(offsets * (most_change * size / PUBLISHED_SIZE), dtype=np.float32)


def motion(generator: np.random.Generator, tracks: Sequence[Points], face: Points) -> Points:
    """Offsets (68, 2): what a track's face does from a random frame to the next, in size and posture of ``face``.

    Args:
        generator: of the sample.
        tracks: each (T, 68, 2|3), T at least 2; every pair of neighbours is as likely.
        face: (68, 2) that is to move.
    """
    number, frame = _random_pair(generator, tracks)
    before, after = tracks[number][frame, :, :2], tracks[number][frame + 1, :, :2]
    linear = similarity_between(before, face).linear
    return np.asarray((after - before).astype(np.float64) @ linear.T, dtype=np.float32)


def talking(
    generator: np.random.Generator, tracks: Sequence[Points], rests: Sequence[Points], face: Points
) -> tuple[Points, Points]:
    """A face as it talks: l_t1 and l_t2, (68, 2) each, of two neighbouring frames of a random track.

    Args:
        generator: of the sample.
        tracks: each (T, 68, 2|3), T at least 2; every pair of neighbours is as likely.
        rests: the face at rest of each track, :func:`face_at_rest`.
        face: (68, 2) at rest; moves as the track's face does, in its own size and posture.
    """
    number, frame = _random_pair(generator, tracks)
    rest = rests[number]
    linear = similarity_between(rest, face).linear
    first, second = (
        face + np.asarray((tracks[number][k, :, :2] - rest).astype(np.float64) @ linear.T, dtype=np.float32)
        for k in (frame, frame + 1)
    )
    return first, second


def face_at_rest(track: Points) -> Points:
    """The face of a track when it is silent, (68, 2): the median over the quarter of frames whose lips are closest.

    Args:
        track: (T, 68, 2|3).
    """
    points = track[..., :2]
    upper, lower = (np.array(pair) for pair in zip(*INNER_LIP_PAIRS, strict=True))
    gaps = np.linalg.norm(points[:, lower] - points[:, upper], axis=-1).mean(1)
    quiet = np.argsort(gaps, kind="stable")[: max(1, len(track) // 4)]
    return np.asarray(np.median(points[quiet], axis=0), dtype=np.float32)


def _random_pair(generator: np.random.Generator, tracks: Sequence[Points]) -> tuple[int, int]:
    """Number of a track and of the first of two neighbouring frames; every pair is as likely."""
    pairs = np.array([len(track) - 1 for track in tracks])
    chosen = int(generator.integers(pairs.sum()))
    number = int(np.searchsorted(np.cumsum(pairs), chosen, side="right"))
    return number, chosen - int(pairs[:number].sum())


def changed(
    generator: np.random.Generator, landmarks: Points, size: int, settings: TargetSettings, tracks: Sequence[Points]
) -> Points:
    """l_t2: landmarks slightly changed as the settings say.

    Args:
        generator: of the sample.
        landmarks: l_t1, (68, 2).
        size: side of the picture.
        settings: which change, and how much of it.
        tracks: landmark tracks, for ``change="motion"``.
    """
    if settings.change == "motion":
        return landmarks + motion(generator, tracks, landmarks)
    symmetric = settings.change == "symmetric"
    return landmarks + jitter(generator, size, most_change=settings.most_change, symmetric=symmetric)
