"""Prepared photos with their mattes, in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from datamodules.datasets.decoded import Decoded, DecodedSet, decode_once
from datamodules.datasets.pixels import loaded_landmarks, loaded_planes
from datamodules.prepare.record import read_record

PLANES: Final = 4
"""Planes of a photo: red, green, blue and the matte."""

_PURPOSE: Final = "mattes"


class MattedPhotos:
    """Photos and mattes, decoded.

    Args:
        decoded: planes red, green, blue, matte.

    Raises:
        ValueError: if there are other planes.
    """

    def __init__(self, decoded: DecodedSet) -> None:
        if decoded.planes.shape[1] != PLANES:
            raise ValueError(f"photos with mattes have {PLANES} planes, got {decoded.planes.shape[1]}")
        self.decoded = decoded

    def __len__(self) -> int:
        return len(self.decoded)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the records."""
        return self.decoded.names

    def pictures(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Return one photo, (L, L, 3), and its matte, (L, L)."""
        planes = self.decoded.planes[index]
        return np.moveaxis(planes[:3], 0, -1), planes[3]


def open_matted_photos(folder: Path, size: int, cache: Path | None = None) -> MattedPhotos:
    """Open prepared photos with their mattes; decodes them the first time.

    Args:
        folder: the prepared set.
        size: side at which they are kept, pixels.
        cache: where; None for a hidden folder in the set.

    Raises:
        PreparedSetError: the folder holds no prepared photos.
        OutputError: the decoded pictures cannot be written.
    """
    decode = partial(_decode, size=size)
    return MattedPhotos(
        decode_once(
            folder, "photos", size=size, planes=PLANES, channels=0, decode=decode, cache=cache, purpose=_PURPOSE
        )
    )


def _decode(folder: Path, *, size: int) -> Decoded:
    record = read_record(folder)
    planes = np.concatenate([loaded_planes(record.photo, size, 3), loaded_planes(record.matte, size, 1)])
    return Decoded(planes[None], loaded_landmarks(record.landmarks, record.size, size)[None])
