"""Photos with mattes for the matting network, from prepared sets (``inkspeak prepare photos``)."""

from __future__ import annotations

import abc
import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from torch.utils.data import Dataset

from datamodules.augmentation import loading_size
from datamodules.datasets.matted_photos import MattedPhotos, open_matted_photos
from datamodules.matting_augmentation import MattingAugmentation
from datamodules.matting_samples import Item, MattingSample, MattingSamples, matting_batch
from datamodules.sample_data import SampleData
from lightning_modules.errors import ConfigError
from lightning_modules.matting_batches import MattingBatch

_MULTIPLE: Final = 32  # of which the network takes sides


class MatteSplit(NamedTuple):
    """Which photos are trained on, and which are kept for validation."""

    training: tuple[Item, ...]
    validation: tuple[Item, ...]


class MatteData(SampleData[MattingSample, MattingBatch], abc.ABC):
    """Photos with mattes, whatever they come from.

    Args:
        image_size: side of the photos shown, a multiple of 32.
        hold_out: share of the photos that are kept for validation, by the hash of their names.
        same_person: a regular expression with one group, which names the person in a photo's name; photos of one person
            are held out together. None where nobody is there twice.
        most_validation: photos that are measured at most, the first by that hash: all sets have their share.
        augmentation: how training photos are changed; None shows them as they are.
        others: batch size, samples of an epoch, seed and workers, see :class:`~datamodules.sample_data.SampleData`.

    Raises:
        ConfigError: a number is out of its range, or the expression is none.
    """

    def __init__(
        self,
        *,
        image_size: int = 256,
        hold_out: float = 0.1,
        same_person: str | None = None,
        most_validation: int = 64,
        augmentation: MattingAugmentation | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if image_size < 2 * _MULTIPLE or image_size % _MULTIPLE:
            raise ConfigError(f"the photos' side is {image_size}", f"give a multiple of {_MULTIPLE}, for example 256")
        if not 0 <= hold_out < 1 or most_validation < 1:
            found = f"hold_out {hold_out}, most_validation {most_validation}"
            raise ConfigError(found, "give a share from 0 to below 1, and at least 1 photo")
        self.image_size = image_size
        self.hold_out = hold_out
        self.most_validation = most_validation
        self.augmentation = augmentation
        self._person = _expression(same_person)

    @abc.abstractmethod
    def open_photos(self) -> Sequence[MattedPhotos]:
        """The sets of photos, at the side that :func:`~datamodules.augmentation.loading_size` gives."""

    @cached_property
    def photos(self) -> Sequence[MattedPhotos]:
        """The sets, opened when they are first asked for."""
        return self.open_photos()

    @cached_property
    def split(self) -> MatteSplit:
        """Who is trained on and who is held out.

        Raises:
            ConfigError: nothing is left to train on.
        """
        items = [(number, index) for number, held in enumerate(self.photos) for index in range(len(held))]
        names = {item: self.photos[item[0]].names[item[1]] for item in items}
        places = {item: self._hash_of(names[item]) for item in items}
        training = tuple(item for item in items if places[item] >= self.hold_out)
        if not training:
            raise ConfigError(f"all {len(items)} photos are held out", "give more photos, or hold out less")
        held_out = sorted((places[item], names[item], item) for item in items if places[item] < self.hold_out)
        return MatteSplit(training, tuple(item for _, _, item in held_out)[: self.most_validation])

    def training_samples(self) -> tuple[Dataset[MattingSample], int]:
        """The photos that are trained on."""
        shown = self.split.training
        samples = MattingSamples(
            self.photos, shown, shown, size=self.image_size, seed=self.seed, augmentation=self.augmentation
        )
        return samples, len(shown)

    def validation_samples(self) -> tuple[Dataset[MattingSample], int]:
        """The photos that were held out, unchanged."""
        shown = self.split.validation
        return MattingSamples(self.photos, shown, (), size=self.image_size, seed=self.seed), len(shown)

    def collate(self, samples: Sequence[MattingSample]) -> MattingBatch:
        """Make a batch."""
        return matting_batch(samples)

    def _hash_of(self, name: str) -> float:
        """A number in [0, 1) that the hash of the person, or else of the name, decides."""
        found = self._person.search(name) if self._person else None
        key = found[1] if found else name
        return float(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 2**32)


class PortraitMattes(MatteData):
    """Photos of prepared sets, with the mattes that the matte backend made of them.

    Args:
        folders: the prepared sets.
        cache: where decoded pictures are kept; None for a hidden folder in each set.
        workers: processes that make samples, for each rank.
        others: all other arguments of :class:`MatteData`.

    Raises:
        ConfigError: no folder is given, or a number is out of its range.
    """

    def __init__(self, folders: list[str], *, cache: str | None = None, workers: int = 2, **others: Any) -> None:
        super().__init__(workers=workers, **others)
        if not folders:
            raise ConfigError("no prepared set is given", "name some with data.init_args.folders")
        self.folders = [Path(folder) for folder in folders]
        self._cache = None if cache is None else Path(cache)

    def prepare_data(self) -> None:
        """Decode the sets, once on each machine."""
        self.open_photos()

    def open_photos(self) -> Sequence[MattedPhotos]:
        """Open the sets.

        Raises:
            PreparedSetError: a folder holds no prepared photos.
        """
        size = loading_size(self.image_size)
        return [open_matted_photos(folder, size, self._cache) for folder in self.folders]


def _expression(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ConfigError(f"same_person {text!r} is no regular expression ({error})", "correct it") from error
    if compiled.groups != 1:
        raise ConfigError(f"same_person {text!r} has {compiled.groups} groups", "put the person's name into one ( )")
    return compiled
