"""Faces in several looks: the photo of a prepared record, a simple cartoon of it, and three line drawings.

The static drawing comes with the record; the others are drawn once, when a set is first opened, and kept with it
(0.7 s a photo on one CPU core; without pencil and outline 0.03 s). All looks of a face lie on each other: same frame,
same landmarks.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from datamodules.datasets.decoded import Decoded, DecodedSet, decode_once
from datamodules.datasets.pixels import loaded_landmarks, loaded_planes
from datamodules.prepare.record import PreparedPortrait, read_record
from lightning_modules.drawing.drawer import StaticDrawer, make_drawer
from lightning_modules.errors import PreparedSetError

PLANES: Final = {
    "photo": slice(0, 3),
    "cartoon": slice(3, 6),
    "ink": slice(6, 7),
    "pencil": slice(7, 8),
    "outline": slice(8, 9),
}
"""Which planes of a face show which look, 255 = white; see also :data:`MATTE`."""

MATTE: Final = slice(9, 10)
"""The plane with the person's matte, 255 = person."""

PLANE_COUNT: Final = 10
DEFAULT_SIZE: Final = 256
"""Side of a frame, pixels: that of the paper's pictures, so that crops are as coarse as those of its identity loss."""

_LEVELS: Final = 6  # tones of a cartoon
_ROUNDS: Final = 3  # of edge-preserving smoothing


def cartoon(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Flatten a photo (S, S, 3) RGB into a cartoon: smooth areas of a few tones, their colours kept, dark lines."""
    smooth = photo
    for _ in range(_ROUNDS):
        smooth = np.asarray(cv2.bilateralFilter(smooth, 7, 30, 5), np.uint8)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    tone = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0).astype(np.float32) / 255 * _LEVELS
    step = np.floor(tone)
    soft = step + np.clip((tone - step - 0.5) * 6 + 0.5, 0, 1)
    lab[..., 0] = np.clip(soft / _LEVELS * 255, 0, 255).astype(np.uint8)
    flat = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.float32)
    light = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY).astype(np.float32)
    dark = cv2.GaussianBlur(light, (0, 0), 2.4) - cv2.GaussianBlur(light, (0, 0), 1.2)
    lines = np.clip((dark - 2.0) / 6.0, 0, 1)[..., None]
    return np.asarray(np.rint(flat * (1 - 0.75 * lines)), np.uint8)


def drawers() -> tuple[StaticDrawer, StaticDrawer]:
    """Return who draws pencil and outline: the latter is coarse ink without black masses."""
    return make_drawer("pencil"), make_drawer("ink", board=256, mass_tone=0.0, line_weight=0.8)


def face_planes(
    record: PreparedPortrait, size: int, hands: tuple[StaticDrawer, StaticDrawer] | None, folder: Path | None = None
) -> Decoded:
    """Return the planes of one prepared photo.

    Args:
        record: the prepared photo, at any size.
        size: side of the planes, pixels.
        hands: see :func:`drawers`; None: the static drawing stands in for pencil and outline.
        folder: of the record, named in errors.

    Raises:
        PreparedSetError: the record has no static drawing.
    """
    if record.drawing is None:
        found, remedy = "has no static drawing, which is one of its looks", "prepare the photos with drawings"
        raise PreparedSetError(found, remedy, folder)
    colour = record.photo if record.photo.ndim == 3 else np.repeat(record.photo[..., None], 3, -1)
    photo = torch.from_numpy(np.array(colour)).permute(2, 0, 1)[None].float() / 255
    matte = torch.from_numpy(np.array(record.matte))[None, None].float() / 255
    landmarks = torch.from_numpy(np.array(record.landmarks[..., :2], np.float32))[None]
    drawn = [_picture(hand.draw(photo, landmarks=landmarks, matte=matte)) for hand in hands or ()]
    drawn = drawn or [record.drawing] * 2
    planes = [loaded_planes(np.ascontiguousarray(colour), size, 3), loaded_planes(cartoon(colour), size, 3)]
    planes += [loaded_planes(picture, size, 1) for picture in (record.drawing, *drawn, record.matte)]
    return Decoded(np.concatenate(planes)[None], loaded_landmarks(record.landmarks, record.size, size)[None])


def open_faces(folder: Path, size: int = DEFAULT_SIZE, cache: Path | None = None, *, drawn: bool = True) -> DecodedSet:
    """Open the faces of prepared photos; draws them the first time.

    Args:
        folder: of ``inkspeak prepare photos``.
        size: side of the planes, pixels.
        cache: where the array is kept; None for a hidden folder in the set.
        drawn: draw pencil and outline; otherwise the static drawing stands in for them.

    Raises:
        PreparedSetError: the folder holds no prepared photos, or none with drawings.
        OutputError: the array cannot be written.
    """
    decode = partial(_decode, size=size, hands=drawers() if drawn else None)
    purpose = "faces" if drawn else "faces_undrawn"
    return decode_once(
        folder, "photos", size=size, planes=PLANE_COUNT, channels=1, decode=decode, cache=cache, purpose=purpose
    )


def _decode(folder: Path, *, size: int, hands: tuple[StaticDrawer, StaticDrawer] | None) -> Decoded:
    return face_planes(read_record(folder), size, hands, folder)


def _picture(drawing: Tensor) -> npt.NDArray[np.uint8]:
    picture: npt.NDArray[np.uint8] = (drawing[0, 0] * 255).round().clamp(0, 255).byte().numpy()
    return picture
