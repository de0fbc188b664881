"""Where a face could be: the answers of OpenCV's bundled cascades, and a lattice of squares for what they do not know.

The cascades (Viola and Jones 2001, trained by Lienhart) come inside the wheel of OpenCV. They are asked leniently:
whoever uses the proposals checks them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import BackendError
from lightning_modules.faces.face_region import FaceRegion
from lightning_modules.faces.photo import RgbPixels

if TYPE_CHECKING:
    import cv2

FRONTAL: Final = "haarcascade_frontalface_alt2.xml"
FRONTAL_LENIENT: Final = "haarcascade_frontalface_default.xml"
PROFILE: Final = "haarcascade_profileface.xml"

LEAST_FACE: Final = 24
"""Smallest box of a cascade, pixels of the picture that it is shown."""

BOX_TO_REGION: Final = (0.19, 1.08)
"""From a cascade's square box to the landmarks' region: shift down and factor on the side, shares of the box's side.
Medians over 99 photos and drawings; the spread is 0.1 of the side."""


def cascade_regions(
    rgb: RgbPixels, cascades: Sequence[str] = (FRONTAL,), *, longest_side: int = 320, border: float = 0.0
) -> list[FaceRegion]:
    """Squares that OpenCV's cascades take for faces, with a single raw answer for enough.

    Args:
        rgb: (H, W, 3) uint8.
        cascades: file names in OpenCV's folder; :data:`PROFILE` looks to both sides.
        longest_side: of the picture without its border as the cascades see it, pixels.
        border: white put around it first, share of its longer side: for faces that fill the picture.

    Returns:
        Regions in picture pixels, as the landmark network wants them; one face may be among them several times.

    Raises:
        BackendError: the installed OpenCV lacks the cascades.
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = longest_side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    gray = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    margin = round(border * longest_side)
    shown = np.pad(np.asarray(gray, np.uint8), margin, constant_values=255)
    down, factor = BOX_TO_REGION
    regions = []
    for left, top, side in _boxes(shown, cascades):
        x = (left + side / 2 - margin) * width / size[0] - 0.5
        y = (top + side / 2 + down * side - margin) * height / size[1] - 0.5
        regions.append(FaceRegion(x, y, factor * side * width / size[0], 0.0))
    return regions


def lattice_regions(width: int, height: int, *, sides: tuple[float, ...]) -> list[FaceRegion]:
    """Upright squares that cover a picture, so that any face of about their size lies well in one of them.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        sides: of the squares, shares of the picture's shorter side; those above 0.5 stick out of it at its borders.

    Returns:
        The squares, largest first; neighbours are at most a quarter of a side apart.
    """
    regions = []
    for share in sorted(sides, reverse=True):
        side = share * min(width, height)
        for y in _places(height, side):
            regions += [FaceRegion(float(x), float(y), side, 0.0) for x in _places(width, side)]
    return regions


def _places(length: int, side: float) -> npt.NDArray[np.float64]:
    """Middles of squares along one axis; the outermost have a third of their side outside."""
    first, last = side / 6 - 0.5, length - 0.5 - side / 6
    if last <= first:
        return np.array([(length - 1) / 2])
    return np.linspace(first, last, 1 + int(np.ceil((last - first) / (side / 4))))


def _boxes(gray: npt.NDArray[np.uint8], cascades: Sequence[str]) -> Iterator[tuple[float, float, float]]:
    """Left, top and side of the cascades' answers in a gray picture."""
    for name in cascades:
        for left, top, side, _ in _asked(name, gray):
            yield float(left), float(top), float(side)
        if name == PROFILE:  # it knows faces that look to the left
            for left, top, side, _ in _asked(name, np.ascontiguousarray(gray[:, ::-1])):
                yield float(gray.shape[1] - left - side), float(top), float(side)


def _asked(name: str, gray: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    with _ASKING:
        found = _cascade(name).detectMultiScale(gray, scaleFactor=1.1, minNeighbors=1, minSize=(LEAST_FACE, LEAST_FACE))
    return np.asarray(found, np.int32).reshape(-1, 4)


_ASKING = threading.Lock()  # a cascade keeps the picture it works on in itself


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    import cv2

    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    path = Path(folder) / name
    cascade = cv2.CascadeClassifier(str(path)) if path.is_file() else cv2.CascadeClassifier()
    if cascade.empty():
        raise BackendError(
            f"the installed OpenCV {cv2.__version__} has no face cascade {name}",
            "install inkspeak's OpenCV again: pip install --force-reinstall opencv-python-headless",
        )
    return cascade
