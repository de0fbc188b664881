"""Finding faces in drawings: detectors know photographs, so a drawing is shown to them in several ways.

Ink on paper differs from a photo in scale of detail (hatching), in lacking tone, and often in filling the sheet. Each
way answers one of these; the first one in which a face is found counts, and the record says which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import NoFaceError
from lightning_modules.faces.face import Face, FaceAnalyzer, FaceList, make_face
from lightning_modules.faces.photo import Photo, RgbPixels
from lightning_modules.faces.plausibility import roll


@dataclass(frozen=True)
class Showing:
    """One way to show a drawing to a detector.

    Attributes:
        name: for the record and for messages.
        border: white border on every side, share of the longer side.
        longest_side: to which the bordered drawing is resized, pixels; None leaves it as large as it is.
        blur: sigma of a Gaussian that melts hatching into tone, share of the longer side of the drawing.
    """

    name: str
    border: float = 0.0
    longest_side: int | None = None
    blur: float = 0.0


@dataclass(frozen=True)
class SecondLook:
    """What is changed about a showing to see whether the same face is found again.

    Attributes:
        blur: added to its blur.
        blur_factor: its blur is multiplied with, first.
        least_blur: at least so much blur.
        border: added to its border.
        scale: factor on the size that is shown.
    """

    blur: float = 0.0
    blur_factor: float = 1.0
    least_blur: float = 0.0
    border: float = 0.0
    scale: float = 1.0

    def changed(self, showing: Showing, shape: tuple[int, ...]) -> Showing:
        """The showing of a drawing of this shape with the change."""
        longest = showing.longest_side
        if self.scale != 1.0:
            longest = round((longest or max(shape[:2]) * (1 + 2 * showing.border)) * self.scale)
        blur = max(showing.blur * self.blur_factor + self.blur, self.least_blur)
        return Showing(f"{showing.name}, again", showing.border + self.border, longest, blur)


SHOWINGS: Final = (
    Showing("as it is"),
    Showing("enlarged", longest_side=1024),
    Showing("reduced", longest_side=192),
    Showing("hatching melted", blur=0.006),
    Showing("a white border", border=0.5),
    Showing("a white border, hatching melted", border=0.3, blur=0.01),
)


def find_drawn_faces(
    rgb: RgbPixels, analyzer: FaceAnalyzer, showings: Sequence[Showing] = SHOWINGS
) -> tuple[FaceList, str]:
    """Find the faces of a drawing.

    Args:
        rgb: (H, W, 3) uint8.
        analyzer: made for photos, or with a method ``find_drawn_faces`` of its own.
        showings: tried in order.

    Returns:
        The faces in pixels of ``rgb``, and the name of the showing in which they were found; an empty list and an
        empty name where there is none. An analyzer that knows drawings is shown it as it is, once.
    """
    knows = getattr(analyzer, "find_drawn_faces", None)
    if knows is not None:
        faces = knows(rgb)
        return faces, SHOWINGS[0].name if faces else ""
    tried: list[str] = []
    for showing in showings:
        shown, back = _show(rgb, showing)
        found = analyzer.find_faces(shown)
        tried.append(showing.name)
        if found:
            faces = [make_face(back(face.landmarks), face.confidence) for face in found]
            return FaceList(faces, tried=tuple(tried)), showing.name
    return FaceList(tried=tuple(tried)), ""


SECOND_LOOKS: Final = (
    SecondLook(blur=0.003),
    SecondLook(border=0.12),
    SecondLook(scale=0.85),
    SecondLook(blur_factor=0.6, least_blur=0.002, border=0.05),
)
SAME_LANDMARKS: Final = 0.2
"""Mean distance of the landmarks of two looks at one face, in outer-eye distances, up to which they agree."""

ENOUGH: Final = {"plain": 2, "melted": 3}
"""Second looks that must agree, where the drawing was shown with all its lines and where hatching was melted."""

MOST_LEAN: Final = 30.0
"""Melted hatching makes up faces that lean; beyond this angle in degrees none of them was one."""


def face_is_doubtful(rgb: RgbPixels, face: Face, showing: str, analyzer: FaceAnalyzer) -> str:
    """Say why a face found in a drawing is rather something else that looks like one; nothing if it is a face.

    A face is found again, with the same landmarks, when the drawing is shown a little differently; folds, hands and
    hatching are not. On 59 drawings of two artists this refused all 10 wrong faces and 2 of 49 right ones. An
    analyzer that knows drawings has seen to it itself, and is not asked again.

    Args:
        rgb: (H, W, 3) uint8, the drawing.
        face: found in it.
        showing: name of the one of :data:`SHOWINGS` in which it was found.
        analyzer: that found it.
    """
    if hasattr(analyzer, "find_drawn_faces"):
        return ""
    first = next(one for one in SHOWINGS if one.name == showing)
    lean = abs(roll(face.landmarks))
    if first.blur and lean > MOST_LEAN:
        return f"it leans by {lean:.0f}° and shows only where hatching is melted"
    size = float(np.linalg.norm(face.landmarks[45, :2] - face.landmarks[36, :2]))
    again = 0
    for look in SECOND_LOOKS:
        found, _ = find_drawn_faces(rgb, analyzer, (look.changed(first, rgb.shape),))
        apart = (np.linalg.norm((other.landmarks - face.landmarks)[:, :2], axis=1).mean() / size for other in found)
        again += min(apart, default=np.inf) <= SAME_LANDMARKS
    wanted = ENOUGH["melted" if first.blur else "plain"]
    if again < wanted:
        return f"it is found again in {again} of {len(SECOND_LOOKS)} other looks, wanted {wanted}"
    return ""


def no_drawn_face(photo: Photo, faces: FaceList) -> NoFaceError:
    """Return the error for a drawing in which no showing revealed a face."""
    height, width = photo.rgb.shape[:2]
    found = f"no face found in {width}×{height} pixels (tried: {', '.join(faces.tried)})"
    return NoFaceError(found, "leave it out, or crop it to one head seen from the front", photo.path)


Back = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def _show(rgb: RgbPixels, showing: Showing) -> tuple[RgbPixels, Back]:
    """The picture a detector gets to see, and the way back from its pixels."""
    import cv2

    shown = rgb
    if showing.blur:
        shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), showing.blur * max(rgb.shape[:2])), np.uint8)
    border = round(showing.border * max(rgb.shape[:2]))
    if border:
        shown = np.pad(shown, ((border, border), (border, border), (0, 0)), constant_values=255)
    height, width = shown.shape[:2]
    scale_x = scale_y = 1.0
    if showing.longest_side is not None and showing.longest_side != max(height, width):
        ratio = showing.longest_side / max(height, width)
        size = max(1, round(width * ratio)), max(1, round(height * ratio))
        shown = np.asarray(
            cv2.resize(shown, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC), np.uint8
        )
        scale_x, scale_y = size[0] / width, size[1] / height

    def back(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        points = landmarks.astype(np.float64)
        points[:, 0] = (points[:, 0] + 0.5) / scale_x - 0.5 - border
        points[:, 1] = (points[:, 1] + 0.5) / scale_y - 0.5 - border
        points[:, 2] /= scale_x
        return points.astype(np.float32)

    return shown, back
