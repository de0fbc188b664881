"""Photos and drawings of synthetic faces in two styles, made at run time from a seed; for debug configs and tests."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from datamodules.augmentation import loading_size
from datamodules.datasets.decoded import Decoded, DecodedSet
from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.photos import PhotoSet
from datamodules.datasets.photos_and_drawings import UnpairedSets
from datamodules.datasets.pixels import loaded_planes
from datamodules.synthetic.pictures import draw_lines, draw_matte, draw_photo
from datamodules.synthetic.portraits import mask_planes, random_portrait
from datamodules.unpaired_data import UnpairedData
from lightning_modules.errors import ConfigError

STYLES: Final = {"fine": 0.7, "bold": 2.0}
"""Style to the factor on the width of its lines."""

_STREAM: Final = 4  # keeps these random numbers apart from those of order and augmentation


class SyntheticPhotosAndDrawingsDataModule(UnpairedData):
    """Batches of **synthetic** faces: shaded photos, and line drawings of fine and of bold lines.

    A model trained on it has seen no face. Making the default set takes about a second.

    Args:
        photos: number of photos.
        drawings: number of drawings of each style.
        others: all arguments of :class:`~datamodules.unpaired_data.UnpairedData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(self, *, photos: int = 16, drawings: int = 8, **others: Any) -> None:
        super().__init__(**others)
        if photos < 1 or drawings < 1:
            found = f"{photos} photos and {drawings} drawings of each style"
            raise ConfigError(found, "give at least 1 of each")
        self._photos, self._drawings = photos, drawings

    def open_sets(self) -> UnpairedSets:
        """Make the sets; the same seed and size give the same pixels."""
        photos = DecodedSet.of_records(
            [self._photo(number) for number in range(self._photos)],
            [f"synthetic photo {number:03d}" for number in range(self._photos)],
        )
        styled = [(label, number) for label in range(len(STYLES)) for number in range(self._drawings)]
        drawings = DecodedSet.of_records(
            [self._drawing(label, number) for label, number in styled],
            [f"synthetic {tuple(STYLES)[label]} drawing {number:03d}" for label, number in styled],
        )
        labels = [label for label, _ in styled]
        return UnpairedSets([PhotoSet(photos, self.drawing_channels)], DrawingSet(drawings), labels)

    def _photo(self, number: int) -> Decoded:
        size, channels = loading_size(self.image_size), self.drawing_channels
        points, look = random_portrait(np.random.default_rng([_STREAM, self.seed, 0, number]), size)
        planes = [
            loaded_planes(draw_photo(points, size, look), size, 3),
            loaded_planes(draw_lines(points, size, look, colour=channels == 3), size, channels),
            draw_matte(points, size)[None],
            mask_planes(points, size),
        ]
        return Decoded(np.concatenate(planes)[None], points[None])

    def _drawing(self, label: int, number: int) -> Decoded:
        size, channels = loading_size(self.image_size), self.drawing_channels
        points, look = random_portrait(np.random.default_rng([_STREAM, self.seed, 1 + label, number]), size)
        look = dataclasses.replace(look, line=look.line * tuple(STYLES.values())[label])
        picture = loaded_planes(draw_lines(points, size, look, colour=channels == 3), size, channels)
        return Decoded(np.concatenate([picture, mask_planes(points, size)])[None], points[None])
