"""The prepared portrait: one photo, computed once, as training and previews read it. Format number 1.

A record is the folder ``<set>/records/<id>/`` (see :mod:`datamodules.prepare.record_folder`) with

=================  ===========================================================================================
``photo.png``      the paper's crop of the photo, ``size × size`` RGB; white where the crop sticks out of it
``drawing.png``    the static drawing d_s of that crop, gray or, from a look in colour, RGB, 255 = paper; absent if
                   the set was made without
``matte.png``      the foreground m_p of that crop, gray, 255 = foreground; 0 outside the photo
``part_masks.png`` nose, eyes and lips of that crop in the red, green and blue channel, 255 = inside
``record.json``    all numbers, see below
=================  ===========================================================================================

``record.json`` has one top-level key a line:

* ``format``, ``kind`` (``"portrait"``), ``id``, ``files`` (sha256 by file name): of every record.
* ``source``: ``name`` (relative to the folder that was prepared, with ``/``), ``sha256`` of the file's bytes, ``width``
  and ``height`` of the photo *as read* (upright, at most 4096 px long), ``notes`` (what reading changed), ``licence``
  (``"unknown"`` if nobody stated it) and ``attribution``.
* ``faces``: ``boxes`` (all faces found, ``[left, top, right, bottom]`` in photo pixels, left to right), ``chosen``
  (1-based), ``confidence`` of the chosen face, ``notes`` (small, or cut off by the border).
* ``frame``: ``left``, ``top``, ``side`` of the crop's square in pixels of the photo as read, and ``size``, its side in
  the record. Position p of the photo is position ``(p - corner + 0.5) * size / side - 0.5`` of the crop.
* ``landmarks``: 68 rows x, y, z in crop pixels, pixel centres at integers, y down, z towards the viewer.
* ``tools``: names and settings of everything that made the record; ``fingerprint``: what decides if it is current.

Nothing in a record depends on when, where or in how many processes it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.provenance import (
    PortraitFaces,
    PortraitSource,
    frame_facts,
    frame_of,
    landmark_rows,
    landmarks_of,
)
from datamodules.prepare.record_folder import FORMAT, encode_png, facts_of, read_facts, read_picture, write_record
from lightning_modules.geometry.alignment import PortraitFrame

KIND: Final = "portrait"
PHOTO_NAME: Final = "photo.png"
DRAWING_NAME: Final = "drawing.png"
MATTE_NAME: Final = "matte.png"
PART_MASKS_NAME: Final = "part_masks.png"


@dataclass(frozen=True)
class PreparedPortrait:
    """One prepared photo, as :func:`read_record` returns it. The module's head describes every field.

    Args:
        id: name of the record.
        photo: uint8 ``(size, size, 3)``, RGB.
        drawing: uint8 ``(size, size)``, or ``(size, size, 3)`` from a look in colour, 255 = paper; None in a set
            without drawings.
        matte: uint8 ``(size, size)``, 255 = foreground.
        part_masks: uint8 ``(size, size, 3)``, channels nose, eyes, lips, 255 = inside.
        landmarks: float32 ``(68, 3)`` in crop pixels.
        frame: the crop's square in pixels of the photo as read.
        source: the photo's name, hash, terms.
        faces: all boxes, the choice and its confidence.
        tools: names and settings of what made the record.
        fingerprint: of source, terms and settings; equal fingerprints make equal records.
    """

    id: str
    photo: npt.NDArray[np.uint8]
    drawing: npt.NDArray[np.uint8] | None
    matte: npt.NDArray[np.uint8]
    part_masks: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    frame: PortraitFrame
    source: PortraitSource
    faces: PortraitFaces
    tools: Mapping[str, Any]
    fingerprint: str
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Side of all pictures of the record, in pixels."""
        return int(self.photo.shape[0])

    @property
    def enlargement(self) -> float:
        """Record pixels per photo pixel; above 1 the photo had fewer pixels than the record shows."""
        return self.size / self.frame.side


def write_portrait(records: Path, portrait: PreparedPortrait) -> Path:
    """Write a portrait as the record ``records/<portrait.id>``: wholly, or not at all.

    Raises:
        ValueError: landmarks that are not finite; such a face must be rejected before.
        OutputError: the disk refuses.
    """
    files = {
        PHOTO_NAME: encode_png(portrait.photo),
        MATTE_NAME: encode_png(portrait.matte),
        PART_MASKS_NAME: encode_png(portrait.part_masks),
    }
    if portrait.drawing is not None:
        files[DRAWING_NAME] = encode_png(portrait.drawing)
    facts = {
        "fingerprint": portrait.fingerprint,
        "source": portrait.source.facts(),
        "faces": portrait.faces.facts(),
        "frame": frame_facts(portrait.frame, portrait.size),
        "landmarks": landmark_rows(portrait.landmarks),
        "tools": dict(portrait.tools),
    }
    return write_record(records, portrait.id, KIND, files, facts)


def read_record(folder: Path) -> PreparedPortrait:
    """Read one prepared portrait and check every file against its hash.

    Args:
        folder: the record's own folder, ``<set>/records/<id>``.

    Raises:
        PreparedSetError: something is missing, changed, of another format or does not fit together; the message names
            the file.
    """
    facts = read_facts(folder, KIND)
    with facts_of("a portrait", folder):
        return _portrait(folder, facts)


def _portrait(folder: Path, facts: Mapping[str, Any]) -> PreparedPortrait:
    landmarks = landmarks_of(facts["landmarks"])
    if landmarks.ndim != 2:
        raise ValueError(f"landmarks of shape {landmarks.shape}, one face expected")
    return PreparedPortrait(
        id=folder.name,
        photo=read_picture(folder, facts, PHOTO_NAME, channels=3),
        drawing=read_picture(folder, facts, DRAWING_NAME, channels=None) if DRAWING_NAME in facts["files"] else None,
        matte=read_picture(folder, facts, MATTE_NAME, channels=1),
        part_masks=read_picture(folder, facts, PART_MASKS_NAME, channels=3),
        landmarks=landmarks,
        frame=frame_of(facts["frame"]),
        source=PortraitSource.of(facts["source"]),
        faces=PortraitFaces.of(facts["faces"]),
        tools=dict(facts["tools"]),
        fingerprint=str(facts["fingerprint"]),
    )
