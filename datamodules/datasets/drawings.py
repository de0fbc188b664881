"""Real drawings in memory, with part masks and landmarks of each: the domain D that the discriminators know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datamodules.augmentation import CropFlip, loading_size
from datamodules.datasets.decoded import Decoded, DecodedSet, decode_once
from datamodules.datasets.pixels import loaded_landmarks, loaded_planes
from datamodules.prepare.drawing_record import PreparedDrawing, read_drawing


@dataclass(frozen=True)
class CutDrawing:
    """One drawing after crop and flip.

    Attributes:
        drawing: uint8 (C, S, S), 255 = paper.
        masks: uint8 (3, S, S), nose, eyes, lips.
        landmarks: float32 (68, 2), pixels of S.
    """

    drawing: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]


class DrawingSet:
    """Drawings, decoded.

    Args:
        decoded: planes drawing (C), part masks (3).
    """

    def __init__(self, decoded: DecodedSet) -> None:
        self.decoded = decoded

    def __len__(self) -> int:
        return len(self.decoded)

    @property
    def size(self) -> int:
        """Side of the pictures before the crop, pixels."""
        return self.decoded.size

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the records."""
        return self.decoded.names

    def cut(self, index: int, crop: CropFlip) -> CutDrawing:
        """Return one drawing, cropped and flipped."""
        planes: npt.NDArray[Any] = crop.pictures(self.decoded.planes[index])
        return CutDrawing(planes[:-3], planes[-3:], crop.landmarks(self.decoded.landmarks[index]))


def decoded_drawing(record: PreparedDrawing, size: int, channels: int) -> Decoded:
    """Return the planes of one prepared drawing."""
    planes = [loaded_planes(record.drawing, size, channels), loaded_planes(record.part_masks, size, 3)]
    return Decoded(np.concatenate(planes)[None], loaded_landmarks(record.landmarks, record.size, size)[None])


def open_drawings(folder: Path, image_size: int, channels: int, cache: Path | None = None) -> DrawingSet:
    """Open prepared drawings for crops of ``image_size``; decodes them the first time.

    Raises:
        PreparedSetError: the folder holds no prepared drawings.
        OutputError: the decoded pictures cannot be written.
    """
    size = loading_size(image_size)
    decode = partial(_decode, size=size, channels=channels)
    return DrawingSet(
        decode_once(folder, "drawings", size=size, planes=channels + 3, channels=channels, decode=decode, cache=cache)
    )


def _decode(folder: Path, *, size: int, channels: int) -> Decoded:
    return decoded_drawing(read_drawing(folder), size, channels)
