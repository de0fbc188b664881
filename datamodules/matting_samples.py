"""From prepared photos to what the matting network is trained and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from datamodules.datasets.matted_photos import MattedPhotos
from datamodules.matting_augmentation import (
    UNCHANGED,
    MattingAugmentation,
    Picture,
    band_widths,
    before_background,
    cut_out,
    in_another_light,
    trimap_of,
)
from datamodules.samplers import SampleAddress, sample_generator
from lightning_modules.matting_batches import MattingBatch

Item = tuple[int, int]
"""Which photo: number of its set, number in the set."""


class MattingSample(NamedTuple):
    """One photo.

    Attributes:
        photo: uint8 (S, S, 3), RGB.
        matte: float32 (S, S) in [0, 1].
        trimap: float32 (S, S) of 0, 0.5 and 1.
    """

    photo: npt.NDArray[np.uint8]
    matte: Picture
    trimap: Picture


class MattingSamples(Dataset[MattingSample]):
    """A sample for an address; the same for the same seed, cycle and index.

    Args:
        sets: of photos.
        items: the photos that are shown, by the index of an address.
        backgrounds: the photos whose backgrounds may be taken.
        size: side of the samples, pixels.
        seed: of the samples.
        augmentation: how photos are changed; None leaves them as they are, with the trimap's band of middle width.
    """

    def __init__(
        self,
        sets: Sequence[MattedPhotos],
        items: Sequence[Item],
        backgrounds: Sequence[Item],
        *,
        size: int,
        seed: int = 0,
        augmentation: MattingAugmentation | None = None,
    ) -> None:
        self._sets, self._items, self._backgrounds = sets, items, backgrounds
        self._size, self._seed = size, seed
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, address: SampleAddress) -> MattingSample:
        """Return the sample of an address."""
        generator = sample_generator(self._seed, address)
        settings = self._augmentation or UNCHANGED
        photo, matte = cut_out(generator, *self._pictures(self._items[address.index]), settings, self._size)
        if generator.random() < settings.background and len(self._backgrounds) > 1:
            behind = self._backgrounds[int(generator.integers(len(self._backgrounds)))]
            other = cut_out(generator, *self._pictures(behind), settings, self._size)
            other = in_another_light(generator, other[0], settings.colour), other[1]
            photo = before_background(photo, matte, *other)
        photo = in_another_light(generator, photo, settings.colour)
        widths = band_widths(generator if self._augmentation else None, self._size)
        return MattingSample(np.rint(photo * 255).astype(np.uint8), matte, trimap_of(matte, *widths))

    def _pictures(self, item: Item) -> tuple[Picture, Picture]:
        photo, matte = self._sets[item[0]].pictures(item[1])
        return photo.astype(np.float32) / np.float32(255), matte.astype(np.float32) / np.float32(255)


def matting_batch(samples: Sequence[MattingSample]) -> MattingBatch:
    """Put samples together."""
    photos = torch.from_numpy(np.stack([sample.photo for sample in samples])).movedim(-1, 1)
    mattes, trimaps = (torch.from_numpy(np.stack(planes))[:, None] for planes in list(zip(*samples, strict=True))[1:])
    return MattingBatch(photos.float().div_(127.5).sub_(1.0).contiguous(), mattes, trimaps)
