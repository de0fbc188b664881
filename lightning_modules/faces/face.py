"""Faces found in a photo, the interface of the analyzers that find them, and the choice of one of several."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import FaceChoiceError, NoFaceError
from lightning_modules.faces.photo import Photo, RgbPixels
from lightning_modules.geometry.landmark_groups import CHIN, LEFT_BROW, POINT_COUNT, RIGHT_BROW

# The hairline lies about this share of the brow-to-chin height above the brows (mean of 132 frontal meshes: 0.245).
FOREHEAD_SHARE = 0.25
# Beyond this angle, in degrees, the far side of a face is hidden and its landmarks are a guess.
LARGE_TURN = 40.0
# Below this width the drawing of a face has less detail than its landmarks claim.
SMALL_FACE = 64.0


@dataclass(frozen=True)
class FaceBox:
    """A face's upright rectangle in photo pixels (pixel centres at integers); it may stick out of the photo."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """Middle (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap(self, other: FaceBox) -> float:
        """Area of the intersection divided by the area of the union, in [0, 1]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.area + other.area - width * height)

    def __str__(self) -> str:
        return f"{self.left:.0f},{self.top:.0f}–{self.right:.0f},{self.bottom:.0f} ({self.width:.0f}×{self.height:.0f})"


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a photo.

    Attributes:
        box: rectangle from chin to hairline, see :func:`face_box`.
        landmarks: ``(68, 3)`` float32, photo pixels, order (x, y, z): x right, y down, pixel centres at integers, z
            in the same scale, positive towards the viewer and 0 half-way between the outer eye corners (points 36 and
            45).
        confidence: how sure the analyzer is that this is a face, in [0, 1].
    """

    box: FaceBox
    landmarks: npt.NDArray[np.float32]
    confidence: float

    def __post_init__(self) -> None:
        if self.landmarks.shape != (POINT_COUNT, 3) or self.landmarks.dtype != np.float32:
            raise ValueError(f"landmarks must be float32 (68, 3), got {self.landmarks.dtype} {self.landmarks.shape}")
        if not np.isfinite(self.landmarks).all():
            raise ValueError("landmarks must be finite")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must lie in [0, 1], got {self.confidence}")


class FaceList(list[Face]):
    """The faces of a photo, left to right, with what was tried to find them.

    Attributes:
        tried: the steps taken, in order, for the message of :class:`~lightning_modules.errors.NoFaceError`.
        hint: what the user could do, where the analyzer found a clue although it found no face; else empty.
        found_by: name of the analyzer that found them, where one asks several; else empty.
    """

    def __init__(
        self, faces: Iterable[Face] = (), *, tried: tuple[str, ...] = (), hint: str = "", found_by: str = ""
    ) -> None:
        super().__init__(sorted(faces, key=lambda face: face.box.center))
        self.tried = tried
        self.hint = hint
        self.found_by = found_by


class FaceAnalyzer(Protocol):
    """Finds faces and their 68 landmarks.

    Attributes:
        name: the name by which :func:`~lightning_modules.faces.face_analyzers.make_face_analyzer` makes it.
    """

    name: str

    def find_faces(self, rgb: RgbPixels) -> list[Face]:
        """All faces of a photo ``(H, W, 3)`` uint8 RGB, left to right; empty where there is none."""
        ...


def face_box(landmarks: npt.NDArray[np.floating]) -> FaceBox:
    """Rectangle around 68 landmarks ``(68, 2|3)`` and the forehead, which they do not cover.

    The brow points are repeated a quarter of the brow-to-chin distance further up along the face.
    """
    points = landmarks[:, :2]
    brows = points[[*RIGHT_BROW, *LEFT_BROW]]
    forehead = brows + FOREHEAD_SHARE * (brows.mean(0) - points[CHIN])
    around = np.concatenate([points, forehead])
    left, top = around.min(0)
    right, bottom = around.max(0)
    return FaceBox(float(left), float(top), float(right), float(bottom))


def head_turn(landmarks: npt.NDArray[np.floating]) -> float:
    """Angle in degrees by which a head is turned to the side (yaw), from landmarks ``(68, 3)``.

    0 is frontal; positive when it looks to the right of the picture. Measured on the outer eye corners and the ends
    of the jaw, whose connecting lines run from side to side of the head.
    """
    across = (landmarks[45] - landmarks[36]) + (landmarks[16] - landmarks[0])
    return math.degrees(math.atan2(-float(across[2]), math.hypot(float(across[0]), float(across[1]))))


def make_face(landmarks: npt.NDArray[np.floating], confidence: float) -> Face:
    """A :class:`Face` of landmarks ``(68, 3)`` in photo pixels; shifts z to 0 between the outer eye corners."""
    points = np.array(landmarks, dtype=np.float32)
    points[:, 2] -= (points[36, 2] + points[45, 2]) / 2
    return Face(face_box(points), points, float(np.clip(confidence, 0.0, 1.0)))


def describe_faces(faces: Iterable[Face]) -> str:
    """The boxes in the order in which ``choose_face`` counts them: ``"1: 120,80–300,290 (180×210), 2: …"``."""
    return ", ".join(f"{number}: {face.box}" for number, face in enumerate(faces, start=1))


def choose_face(faces: list[Face], choice: Literal["largest"] | int, photo: Photo) -> Face:
    """Choose one face of a photo.

    Args:
        faces: what ``find_faces`` returned, left to right.
        choice: ``"largest"`` (by the area of the box), or the number of the face from the left, starting at 1.
        photo: the photo, for the messages.

    Raises:
        NoFaceError: there is none; names the size of the photo and what was tried.
        FaceChoiceError: there is no face of that number; lists the boxes.
    """
    height, width = photo.rgb.shape[:2]
    if not faces:
        tried = getattr(faces, "tried", ())
        steps = f" (tried: {', '.join(tried)})" if tried else ""
        drawn = "," if "starter" in steps else "; look for drawn faces with --landmarks mediapipe+starter;"
        remedy = getattr(faces, "hint", "") or (
            f"use a photo that shows a whole face from the front{drawn} or give the 68 landmarks of the face in a file"
        )
        raise NoFaceError(f"no face found in {width}×{height} pixels{steps}", remedy, photo.path)
    if choice == "largest":
        return max(faces, key=lambda face: face.box.area)
    if isinstance(choice, bool) or not isinstance(choice, int):
        raise FaceChoiceError(f"face {choice!r} is not a choice", "say largest, or a number from the left", photo.path)
    if not 1 <= choice <= len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FaceChoiceError(
            f"face {choice} was asked for, but {count} found in {width}×{height} pixels ({describe_faces(faces)})",
            f"choose a number from 1 to {len(faces)}, or largest",
            photo.path,
        )
    return faces[choice - 1]


def face_notes(face: Face, photo: Photo) -> tuple[str, ...]:
    """What makes a face hard to draw well, in words for the user: small, turned far, or cut off by the border."""
    height, width = photo.rgb.shape[:2]
    notes = []
    if face.box.width < SMALL_FACE:
        notes.append(f"the face is only {face.box.width:.0f} pixels wide: its drawing will be coarse")
    if (turn := abs(head_turn(face.landmarks))) > LARGE_TURN:
        notes.append(f"the head is turned by about {turn:.0f}°: the far side of the face is a guess")
    points = face.landmarks[:, :2]
    outside = (points < -0.5).any(1) | (points[:, 0] > width - 0.5) | (points[:, 1] > height - 0.5)
    if outside.any():
        notes.append(f"the face is cut off by the border of the photo ({int(outside.sum())} of 68 landmarks outside)")
    return tuple(notes)
