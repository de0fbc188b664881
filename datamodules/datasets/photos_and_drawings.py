"""Photos and real drawings that do not belong together: what the static drawer is trained on.

A sample is a function of (seed, cycle, index): the index names the photo; which style, which drawing, every crop and
flip follow from random numbers addressed by the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.augmentation import CropFlip
from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.photos import CutPhoto, PhotoSet
from datamodules.datasets.pixels import mask_tensor, picture_tensor
from datamodules.samplers import SampleAddress, sample_generator
from lightning_modules.unpaired_batches import UnpairedSample

_PHOTO, _DRAWING = range(2)


@dataclass(frozen=True)
class UnpairedSets:
    """The two domains.

    Attributes:
        photos: sets of photos, one after the other.
        drawings: the drawings.
        labels: number of each drawing's style, -1 for those that are of none and not used.
    """

    photos: Sequence[PhotoSet]
    drawings: DrawingSet
    labels: Sequence[int]

    @property
    def photo_names(self) -> tuple[str, ...]:
        """Names of all photos, in order."""
        return tuple(name for part in self.photos for name in part.names)

    def cut_photo(self, number: int, generator: np.random.Generator | None, size: int) -> CutPhoto:
        """Cut one of all photos to ``size``: at random, or without a generator from the middle."""
        for part in self.photos:
            if number < len(part):
                return part.cut(number, cut_or_middle(generator, part.size, size))
            number -= len(part)
        raise IndexError(f"there is no photo {number} behind the last one")


def cut_or_middle(generator: np.random.Generator | None, loaded: int, size: int) -> CropFlip:
    """Return a random crop and flip, or without a generator the unmirrored middle."""
    return CropFlip.middle(loaded, size) if generator is None else CropFlip.random(generator, loaded, size)


class UnpairedSamples(Dataset[UnpairedSample]):
    """Samples of chosen photos and drawings; every style comes equally often, however many drawings it has.

    Args:
        sets: the domains.
        image_size: S, side of the samples, pixels.
        photos: numbers of the photos to use.
        drawings: numbers of the drawings to use, by style; none of them empty.
        seed: of all random choices, not negative.
        augment: choose drawing, crops and flips at random; False cuts from the middle and takes styles and drawings in
            turn, the same in every cycle.
    """

    def __init__(
        self,
        sets: UnpairedSets,
        image_size: int,
        photos: Sequence[int],
        drawings: Sequence[Sequence[int]],
        *,
        seed: int = 0,
        augment: bool = True,
    ) -> None:
        self._sets, self._size = sets, image_size
        self._photos, self._drawings = tuple(photos), tuple(tuple(style) for style in drawings)
        self._seed, self._augment = seed, augment

    def __len__(self) -> int:
        """Number of photos: the length of a cycle."""
        return len(self._photos)

    def __getitem__(self, address: SampleAddress) -> UnpairedSample:
        """Return the sample at an address."""
        one, other = self._random(address, _PHOTO), self._random(address, _DRAWING)
        photo = self._sets.cut_photo(self._photos[address.index], one, self._size)
        turn, label = divmod(address.index, len(self._drawings))
        if other is not None:
            label = int(other.integers(len(self._drawings)))
            turn = int(other.integers(len(self._drawings[label])))
        number = self._drawings[label][turn % len(self._drawings[label])]
        source = self._sets.drawings
        drawing = source.cut(number, cut_or_middle(other, source.size, self._size))
        return UnpairedSample(
            photo=picture_tensor(photo.photo),
            photo_masks=mask_tensor(photo.masks),
            drawing=picture_tensor(drawing.drawing),
            drawing_masks=mask_tensor(drawing.masks),
            label=torch.tensor(label),
        )

    def _random(self, address: SampleAddress, purpose: int) -> np.random.Generator | None:
        return sample_generator(self._seed, address, purpose) if self._augment else None
