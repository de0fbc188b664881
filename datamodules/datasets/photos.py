"""Photos in memory: picture, static drawing d_s, matte m_p, part masks and landmarks l_p of each."""

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
from datamodules.prepare.record import PreparedPortrait, read_record
from lightning_modules.errors import PreparedSetError


@dataclass(frozen=True)
class CutPhoto:
    """One photo after crop and flip, all of one size.

    Attributes:
        photo: uint8 (3, S, S).
        static_drawing: uint8 (C, S, S).
        matte: uint8 (1, S, S).
        masks: uint8 (3, S, S), nose, eyes, lips.
        landmarks: float32 (68, 2), pixels of S.
    """

    photo: npt.NDArray[np.uint8]
    static_drawing: npt.NDArray[np.uint8]
    matte: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]


class PhotoSet:
    """Photos, decoded.

    Args:
        decoded: planes photo (3), static drawing (C), matte (1), part masks (3).
        channels: C, of drawings.
    """

    def __init__(self, decoded: DecodedSet, channels: int) -> None:
        if decoded.planes.shape[1] != plane_count(channels):
            raise ValueError(f"photos have {plane_count(channels)} planes, got {decoded.planes.shape[1]}")
        self.decoded = decoded
        self.channels = channels

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

    def cut(self, index: int, crop: CropFlip) -> CutPhoto:
        """Return one photo, cropped and flipped."""
        planes: npt.NDArray[Any] = crop.pictures(self.decoded.planes[index])
        after = 3 + self.channels
        return CutPhoto(
            photo=planes[:3],
            static_drawing=planes[3:after],
            matte=planes[after : after + 1],
            masks=planes[after + 1 :],
            landmarks=crop.landmarks(self.decoded.landmarks[index]),
        )


def plane_count(channels: int) -> int:
    """Planes of one photo: picture, static drawing, matte, part masks."""
    return 3 + channels + 1 + 3


def decoded_photo(record: PreparedPortrait, size: int, channels: int, folder: Path | None = None) -> Decoded:
    """Return the planes of one prepared photo.

    Raises:
        PreparedSetError: the record has no static drawing.
    """
    if record.drawing is None:
        found, remedy = "has no static drawing, which training needs", "prepare the photos with drawings"
        raise PreparedSetError(found, remedy, folder)
    planes = [
        loaded_planes(record.photo, size, 3),
        loaded_planes(record.drawing, size, channels),
        loaded_planes(record.matte, size, 1),
        loaded_planes(record.part_masks, size, 3),
    ]
    return Decoded(np.concatenate(planes)[None], loaded_landmarks(record.landmarks, record.size, size)[None])


def open_photos(folder: Path, image_size: int, channels: int, cache: Path | None = None) -> PhotoSet:
    """Open prepared photos for crops of ``image_size``; decodes them the first time.

    Raises:
        PreparedSetError: the folder holds no prepared photos, or none with drawings.
        OutputError: the decoded pictures cannot be written.
    """
    size = loading_size(image_size)
    decode = partial(_decode, size=size, channels=channels)
    planes = plane_count(channels)
    return PhotoSet(
        decode_once(folder, "photos", size=size, planes=planes, channels=channels, decode=decode, cache=cache), channels
    )


def _decode(folder: Path, *, size: int, channels: int) -> Decoded:
    return decoded_photo(read_record(folder), size, channels, folder)
