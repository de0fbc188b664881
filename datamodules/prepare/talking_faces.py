"""Following the face that talks through a video: one track of landmarks for every stretch in which it is seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.film_clips import FASTEST, SAME_FACE
from lightning_modules.faces.face import Face
from lightning_modules.geometry.alignment import face_extent

MOST_LOST: Final = 5
"""Frames for which a face may be out of sight: they are interpolated. After more the track ends (§10.3)."""


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face over consecutive frames.

    Attributes:
        first: number of the first frame, from 0.
        landmarks: (K, 68, 3) float32, pixels; frames without a detection are interpolated, in all three coordinates.
        interpolated: how many those are.
        ended: why it ends: ``"lost"``, ``"jump"`` (a cut, or another face) or ``"end"`` of the video.
    """

    first: int
    landmarks: npt.NDArray[np.float32]
    interpolated: int
    ended: str

    def __len__(self) -> int:
        return len(self.landmarks)


class _Following:
    """The face that is followed now."""

    def __init__(self, first: int, face: Face) -> None:
        self.first = first
        self.frames: list[npt.NDArray[np.float32] | None] = [face.landmarks]
        self.last = face
        self.lost = 0

    def offer(self, found: list[Face]) -> str:
        """Take the faces of the next frame; ``""`` while the face is followed, else why it ends."""
        best = max(found, key=lambda face: face.box.overlap(self.last.box), default=None)
        if best is None or best.box.overlap(self.last.box) < SAME_FACE:
            self.frames.append(None)
            self.lost += 1
            return "lost" if self.lost > MOST_LOST else ""
        step = np.linalg.norm((best.landmarks - self.last.landmarks)[:, :2], axis=1).mean()
        if step > FASTEST * face_extent(self.last.landmarks) * (1 + self.lost):
            return "jump"
        self.frames.append(best.landmarks)
        self.last, self.lost = best, 0
        return ""

    def track(self, ended: str) -> FaceTrack:
        """What was followed, without the frames after the last detection."""
        frames = self.frames[: len(self.frames) - self.lost] if self.lost else self.frames
        seen = [number for number, points in enumerate(frames) if points is not None]
        landmarks = filled_gaps(np.stack([points for points in frames if points is not None]), seen, len(frames))
        return FaceTrack(self.first, landmarks, len(frames) - len(seen), ended)


def follow_faces(faces: Iterable[list[Face]]) -> list[FaceTrack]:
    """Follow the largest face; where it is lost for longer than :data:`MOST_LOST` frames or jumps, begin anew.

    Args:
        faces: those of each frame, in order.

    Returns:
        The tracks, in order; together they leave out only frames without a face to follow.
    """
    tracks: list[FaceTrack] = []
    following: _Following | None = None
    for number, found in enumerate(faces):
        if following is not None:
            ended = following.offer(found)
            if not ended:
                continue
            tracks.append(following.track(ended))
            following = None
        if found:
            following = _Following(number, max(found, key=lambda face: face.box.area))
    if following is not None:
        tracks.append(following.track("end"))
    return tracks


def filled_gaps(landmarks: npt.NDArray[np.float32], seen: list[int], count: int) -> npt.NDArray[np.float32]:
    """Interpolate the frames without a detection.

    Args:
        landmarks: (S, 68, 3) of the frames with one.
        seen: their S numbers, ascending, the first 0 and the last ``count - 1``.
        count: frames wanted.

    Returns:
        (count, 68, 3), linear in time between the detections on both sides.
    """
    at = np.interp(np.arange(count), seen, np.arange(len(seen)))
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(seen) - 1)
    share = (at - low)[:, None, None]
    return np.asarray(landmarks[low] * (1 - share) + landmarks[high] * share, np.float32)
