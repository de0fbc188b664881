"""What the data modules of the static drawer share: which photos and drawings are trained on, and which are kept."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import torch

from datamodules.datasets.photos_and_drawings import UnpairedSamples, UnpairedSets
from datamodules.resumable_loader import FixedLoader
from datamodules.sample_data import SampleData
from datamodules.samplers import SampleAddress
from lightning_modules.errors import ConfigError
from lightning_modules.unpaired_batches import UnpairedBatch, UnpairedSample

_TOGETHER: Final = 8  # samples of a validation batch: training's may be one, and a sheet shows one batch


class UnpairedData(SampleData[UnpairedSample, UnpairedBatch], abc.ABC):
    """Batches of photos and real drawings; subclasses say where the sets come from.

    Pictures are kept at 286/256 of the image size (published 572 for 512), cut at random, and half of them mirrored.

    Args:
        image_size: side of the samples, pixels, a multiple of 32 from 64 on.
        drawing_channels: 1, or 3 for colour styles.
        validation_photos: photos kept out of training, chosen by the hash of their names; 0 for no validation.
        validation_drawings: drawings of each style kept out of training, chosen in the same way.
        others: all arguments of :class:`~datamodules.sample_data.SampleData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        *,
        image_size: int = 512,
        drawing_channels: int = 1,
        validation_photos: int = 8,
        validation_drawings: int = 4,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if image_size < 64 or image_size % 32:
            raise ConfigError(f"image_size is {image_size}", "give a multiple of 32 from 64 on")
        if drawing_channels not in (1, 3):
            raise ConfigError(f"drawing_channels is {drawing_channels}", "give 1 or, for colour styles, 3")
        if validation_photos < 0 or validation_drawings < 0:
            found = f"validation_photos {validation_photos}, validation_drawings {validation_drawings}"
            raise ConfigError(found, "give no negative number")
        self.image_size = image_size
        self.drawing_channels = drawing_channels
        self.validation_photos = validation_photos
        self.validation_drawings = validation_drawings
        self._sets: UnpairedSets | None = None

    @abc.abstractmethod
    def open_sets(self) -> UnpairedSets:
        """Open photos and drawings."""

    @property
    def sets(self) -> UnpairedSets:
        """The sets; opened when first asked for."""
        if self._sets is None:
            self._sets = self.open_sets()
        return self._sets

    def samples(self, *, training: bool) -> UnpairedSamples:
        """Return the dataset that is trained on, or the one that is kept out.

        Where all drawings of a style are trained on (``validation_drawings=0``), validation shows those.

        Raises:
            ConfigError: nothing would be left to train on.
        """
        names, labels = self.sets.photo_names, self.sets.labels
        photos = _by_hash(names, range(len(names)))
        kept, rest = photos[: self.validation_photos], photos[self.validation_photos :]
        chosen = []
        for style in range(max(labels) + 1):
            own = _by_hash(self.sets.drawings.names, [number for number, one in enumerate(labels) if one == style])
            if len(own) <= self.validation_drawings:
                found = f"{self.validation_drawings} of the {len(own)} drawings of style {style + 1} are kept out"
                raise ConfigError(found, "give more drawings of that style, or lower validation_drawings")
            split = self.validation_drawings
            chosen.append(sorted(own[split:] if training or not split else own[:split]))
        if not rest:
            found = f"{self.validation_photos} of {len(names)} photos are kept for validation"
            raise ConfigError(found, "prepare more photos or lower validation_photos")
        photos = sorted(rest if training else kept)
        return UnpairedSamples(self.sets, self.image_size, photos, chosen, seed=self.seed, augment=training)

    def training_samples(self) -> tuple[UnpairedSamples, int]:
        """The samples that are trained on, and the number of their photos."""
        samples = self.samples(training=True)
        return samples, len(samples)

    def validation_samples(self) -> tuple[UnpairedSamples, int]:
        """Photos kept out, each with a drawing kept out, styles in turn."""
        samples = self.samples(training=False)
        return samples, len(samples)

    def val_dataloader(self) -> FixedLoader[UnpairedSample, UnpairedBatch] | list[Any]:
        """Return the validation batches of this rank, eight samples each or as many as training's."""
        samples, size = self.validation_samples()
        if not size:
            return []
        rank, world_size = self._place()
        addresses = [SampleAddress(0, index) for index in range(size)]
        count = max(self.batch_size, _TOGETHER)
        return FixedLoader(samples, self.collate, addresses, batch_size=count, rank=rank, world_size=world_size)

    def collate(self, samples: Sequence[UnpairedSample]) -> UnpairedBatch:
        """Stack samples."""
        return UnpairedBatch(*(torch.stack(values) for values in zip(*samples, strict=True)))


def _by_hash(names: Sequence[str], numbers: Sequence[int] | range) -> list[int]:
    return sorted(numbers, key=lambda number: hashlib.sha256(names[number].encode()).hexdigest())
