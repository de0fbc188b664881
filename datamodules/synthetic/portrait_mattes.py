"""Synthetic photos with exact mattes, made at run time from a seed; for debug configs and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from datamodules.augmentation import loading_size
from datamodules.datasets.decoded import Decoded, DecodedSet
from datamodules.datasets.matted_photos import MattedPhotos
from datamodules.portrait_mattes import MatteData
from datamodules.synthetic.pictures import draw_matte, draw_photo
from datamodules.synthetic.portraits import random_portrait
from lightning_modules.errors import ConfigError

_STREAM: Final = 7  # keeps these random numbers apart from those of order and augmentation


class SyntheticPortraitMattes(MatteData):
    """Shaded faces before flat backdrops, with the mattes that they were drawn with. No real face is in it.

    Args:
        photos: number of photos.
        others: all other arguments of :class:`~datamodules.portrait_mattes.MatteData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(self, *, photos: int = 32, **others: Any) -> None:
        super().__init__(**others)
        if photos < 1:
            raise ConfigError(f"{photos} photos", "give at least 1")
        self._photos = photos

    def open_photos(self) -> Sequence[MattedPhotos]:
        """Make the photos; the same seed and size give the same pixels."""
        size = loading_size(self.image_size)
        names = [f"synthetic photo {number:03d}" for number in range(self._photos)]
        records = [self._photo(number, size) for number in range(self._photos)]
        return [MattedPhotos(DecodedSet.of_records(records, names))]

    def _photo(self, number: int, size: int) -> Decoded:
        points, look = random_portrait(np.random.default_rng([_STREAM, self.seed, number]), size)
        photo = np.moveaxis(draw_photo(points, size, look), -1, 0)
        return Decoded(np.concatenate([photo, draw_matte(points, size)[None]])[None], points[None])
