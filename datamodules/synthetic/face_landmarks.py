"""A small set of synthetic faces with landmarks, made at run time from a seed; for debug configs and tests."""

from __future__ import annotations

from typing import Any

from datamodules.augmentation import loading_size
from datamodules.face_landmarks import STORED, FaceLandmarksData, FaceSets
from datamodules.synthetic.portraits import synthetic_drawings, synthetic_photos
from lightning_modules.errors import ConfigError


class SyntheticFaceLandmarksDataModule(FaceLandmarksData):
    """Crops of **synthetic** faces: shaded photos and line drawings made from a face template.

    Samples, order and resume are those of :class:`~datamodules.face_landmarks.FaceLandmarksData`; every record's name
    begins with ``synthetic``. A network trained on it has seen no face.

    Args:
        photos: number of photos.
        drawings: number of drawings.
        others: all arguments of :class:`~datamodules.face_landmarks.FaceLandmarksData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(self, *, photos: int = 24, drawings: int = 16, **others: Any) -> None:
        super().__init__(**others)
        if photos < 1 or drawings < 0:
            raise ConfigError(f"{photos} photos, {drawings} drawings", "give at least 1 photo, and no negative number")
        self._photos, self._drawings = photos, drawings

    def open_sets(self) -> FaceSets:
        """Make the sets; the same seed gives the same pixels."""
        size = loading_size(STORED)
        photos = synthetic_photos(self.seed, self._photos, size, 1)
        return FaceSets(
            [photos], [synthetic_drawings(self.seed, self._drawings, size, 1)] if self._drawings else [], []
        )
