"""The prepared drawing: one real drawing of a face, cropped like a photo. Format number 1.

A record is the folder ``<set>/records/<id>/`` (see :mod:`datamodules.prepare.record_folder`) with

=================  ===========================================================================================
``drawing.png``    the paper's crop of the drawing, ``size × size``, gray or RGB, 255 = paper; white where the crop
                   sticks out of it
``part_masks.png`` nose, eyes and lips of that crop in the red, green and blue channel, 255 = inside
``record.json``    ``source``, ``faces``, ``frame``, ``landmarks``, ``tools`` and ``fingerprint`` as in
                   :mod:`datamodules.prepare.record`; ``kind`` is ``"drawing"``; ``channels`` is 1 or 3; ``help`` says
                   what it took to find the face
=================  ===========================================================================================
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
from datamodules.prepare.record_folder import encode_png, facts_of, read_facts, read_picture, write_record
from lightning_modules.geometry.alignment import PortraitFrame

KIND: Final = "drawing"
DRAWING_NAME: Final = "drawing.png"
PART_MASKS_NAME: Final = "part_masks.png"


@dataclass(frozen=True)
class PreparedDrawing:
    """One prepared drawing, as :func:`read_drawing` returns it.

    Args:
        id: name of the record.
        drawing: uint8 ``(size, size)`` or ``(size, size, 3)``, 255 = paper.
        part_masks: uint8 ``(size, size, 3)``, channels nose, eyes, lips, 255 = inside.
        landmarks: float32 ``(68, 3)`` in crop pixels.
        frame: the crop's square in pixels of the drawing as read.
        source: the file's name, hash, terms.
        faces: all boxes, the choice and its confidence.
        help: what it took to find the face, e.g. ``"as it is"`` or ``"a wide white border"``.
        tools: names and settings of what made the record.
        fingerprint: of source, terms and settings.
    """

    id: str
    drawing: npt.NDArray[np.uint8]
    part_masks: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    frame: PortraitFrame
    source: PortraitSource
    faces: PortraitFaces
    help: str
    tools: Mapping[str, Any]
    fingerprint: str

    @property
    def size(self) -> int:
        """Side of all pictures of the record, in pixels."""
        return int(self.drawing.shape[0])

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB."""
        return 1 if self.drawing.ndim == 2 else 3


def write_drawing(records: Path, drawing: PreparedDrawing) -> Path:
    """Write a drawing as the record ``records/<drawing.id>``: wholly, or not at all.

    Raises:
        ValueError: landmarks that are not finite.
        OutputError: the disk refuses.
    """
    files = {DRAWING_NAME: encode_png(drawing.drawing), PART_MASKS_NAME: encode_png(drawing.part_masks)}
    facts = {
        "fingerprint": drawing.fingerprint,
        "source": drawing.source.facts(),
        "faces": drawing.faces.facts(),
        "help": drawing.help,
        "channels": drawing.channels,
        "frame": frame_facts(drawing.frame, drawing.size),
        "landmarks": landmark_rows(drawing.landmarks),
        "tools": dict(drawing.tools),
    }
    return write_record(records, drawing.id, KIND, files, facts)


def read_drawing(folder: Path) -> PreparedDrawing:
    """Read one prepared drawing and check every file against its hash.

    Args:
        folder: the record's own folder.

    Raises:
        PreparedSetError: something is missing, changed, of another format or does not fit together.
    """
    facts = read_facts(folder, KIND)
    with facts_of("a drawing", folder):
        return PreparedDrawing(
            id=folder.name,
            drawing=read_picture(folder, facts, DRAWING_NAME, channels=int(facts["channels"])),
            part_masks=read_picture(folder, facts, PART_MASKS_NAME, channels=3),
            landmarks=landmarks_of(facts["landmarks"]),
            frame=frame_of(facts["frame"]),
            source=PortraitSource.of(facts["source"]),
            faces=PortraitFaces.of(facts["faces"]),
            help=str(facts["help"]),
            tools=dict(facts["tools"]),
            fingerprint=str(facts["fingerprint"]),
        )
