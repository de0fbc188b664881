"""What every kind of record says about where it came from: source and terms, faces, the crop's square, landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datamodules.prepare.sources import Terms
from lightning_modules.faces.face import Face, FaceBox, face_notes
from lightning_modules.faces.photo import Photo
from lightning_modules.geometry.alignment import PortraitFrame


@dataclass(frozen=True)
class PortraitSource:
    """Where a portrait came from and under which terms.

    Args:
        name: path of the photo relative to the folder that was prepared, with ``/``.
        sha256: of the file's bytes, 64 hex digits.
        width: of the photo as read, pixels.
        height: of the photo as read, pixels.
        notes: what reading changed, e.g. ``"EXIF rotation applied"``.
        licence: the licence as its source states it, or ``"unknown"``.
        attribution: title, origin and citation that go with it; empty if none is known.
    """

    name: str
    sha256: str
    width: int
    height: int
    notes: tuple[str, ...]
    licence: str
    attribution: str

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "notes": list(self.notes)}

    @classmethod
    def of_photo(cls, name: str, photo: Photo, terms: Terms) -> PortraitSource:
        """Say it of a picture that has been read."""
        height, width = photo.rgb.shape[:2]
        return cls(name, photo.sha256, width, height, photo.notes, terms.licence, terms.attribution)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> PortraitSource:
        """Read it from JSON values; what is missing raises KeyError."""
        return cls(
            name=str(facts["name"]),
            sha256=str(facts["sha256"]),
            width=int(facts["width"]),
            height=int(facts["height"]),
            notes=tuple(str(note) for note in facts["notes"]),
            licence=str(facts["licence"]),
            attribution=str(facts["attribution"]),
        )


@dataclass(frozen=True)
class PortraitFaces:
    """Which faces were found and which of them the record shows.

    Args:
        boxes: all faces found, left to right, in pixels of the photo as read.
        chosen: 1-based position of the prepared face in ``boxes``.
        confidence: of the prepared face, in [0, 1].
        notes: what makes it hard to draw, e.g. that it is cut off by the border of the photo.
    """

    boxes: tuple[FaceBox, ...]
    chosen: int
    confidence: float
    notes: tuple[str, ...] = ()

    @property
    def box(self) -> FaceBox:
        """The box of the prepared face, in pixels of the photo as read."""
        return self.boxes[self.chosen - 1]

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "boxes": [[float(edge) for edge in (box.left, box.top, box.right, box.bottom)] for box in self.boxes],
            "chosen": self.chosen,
            "confidence": float(self.confidence),
            "notes": list(self.notes),
        }

    @classmethod
    def of_photo(cls, faces: Sequence[Face], face: Face, photo: Photo) -> PortraitFaces:
        """Say it of the faces of a picture, one of which was chosen."""
        chosen = 1 + next(number for number, found in enumerate(faces) if found is face)
        return cls(tuple(found.box for found in faces), chosen, face.confidence, face_notes(face, photo))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> PortraitFaces:
        """Read it from JSON values.

        Raises:
            KeyError: something is missing.
            ValueError: the chosen face is none of the boxes.
        """
        boxes = tuple(FaceBox(*(float(edge) for edge in box)) for box in facts["boxes"])
        chosen = int(facts["chosen"])
        if not 1 <= chosen <= len(boxes):
            raise ValueError(f"face {chosen} of {len(boxes)} is chosen")
        return cls(boxes, chosen, float(facts["confidence"]), tuple(str(note) for note in facts["notes"]))


def frame_facts(frame: PortraitFrame, size: int) -> dict[str, int]:
    """Return the crop's square, and its side in the record, as JSON values."""
    return {"left": frame.left, "top": frame.top, "side": frame.side, "size": size}


def frame_of(facts: Mapping[str, Any]) -> PortraitFrame:
    """Read the crop's square from JSON values."""
    return PortraitFrame(left=int(facts["left"]), top=int(facts["top"]), side=int(facts["side"]))


def landmark_rows(landmarks: npt.NDArray[np.float32]) -> list[list[float]]:
    """Return 68 landmarks as rows of numbers with the fewest digits that give the same float32 back."""
    return [[float(str(number)) for number in row] for row in landmarks]


def landmarks_of(rows: Any) -> npt.NDArray[np.float32]:
    """Read landmarks from rows.

    Returns:
        float32 (..., 68, 3).

    Raises:
        ValueError: another shape, or a number that is not finite.
    """
    landmarks = np.array(rows, dtype=np.float32)
    if landmarks.shape[-2:] != (68, 3) or not np.isfinite(landmarks).all():
        raise ValueError(f"landmarks of shape {landmarks.shape}, 68 finite rows of 3 expected")
    return landmarks
