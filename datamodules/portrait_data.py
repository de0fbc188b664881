"""What every data module of the portrait GAN shares: its three sets and the photos kept for validation."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.film_pairs import FilmSet
from datamodules.datasets.photos import PhotoSet
from datamodules.datasets.portrait_samples import DEFAULT_TARGETS, PortraitSamples
from datamodules.sample_data import SampleData
from datamodules.targets import TargetSettings
from lightning_modules.audio.track import load_track
from lightning_modules.batches import PortraitBatch, PortraitSample, stack_samples
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.nose_offset import nose_offset


class PortraitSets(NamedTuple):
    """The three sets that samples are made of; film None for runs without D_coh."""

    photos: PhotoSet
    drawings: DrawingSet
    film: FilmSet | None


class PortraitData(SampleData[PortraitSample, PortraitBatch], abc.ABC):
    """Batches of photos, targets, real drawings and film pairs; subclasses say where the sets come from.

    The order, its division among ranks and its resuming are those of :class:`~datamodules.sample_data.SampleData`.

    Args:
        image_size: side of the samples, pixels, a multiple of 4, at least 32.
        drawing_channels: 1, or 3 for colour styles.
        batch_size: samples of a batch on each rank.
        samples_per_epoch: samples of an epoch on all ranks together, rounded up to whole batches; None for one cycle
            through the photos. Fewer photos than this are seen again, in a new order.
        seed: of order and augmentation, not negative.
        workers: processes that make samples, for each rank.
        validation_photos: photos kept out of training, chosen by the hash of their names; 0 for no validation.
        targets: how target landmarks are made.
        most_turned: photos of heads turned further are not trained on: how far the nose tip lies from the middle of
            the outer eye corners, in their distances, across the picture; about 0.5 is a half profile, in which
            another face's landmarks cannot be laid onto this one. None: all photos.
        static_share: share of samples, 0 to 1, whose real drawing is the static drawing of a training photo.
        motion: landmark tracks (``.npz``), or folders of them, for ``targets.change="motion"`` and
            ``targets.talking_share``.
        pin_memory: hand out batches in page-locked memory; None where there is a GPU.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(  # noqa: PLR0913  each argument is one choice about the data
        self,
        *,
        image_size: int = 256,
        drawing_channels: int = 1,
        batch_size: int = 1,
        samples_per_epoch: int | None = None,
        seed: int = 0,
        workers: int = 2,
        validation_photos: int = 8,
        targets: TargetSettings = DEFAULT_TARGETS,
        most_turned: float | None = None,
        static_share: float = 0.0,
        motion: Sequence[str | Path] = (),
        pin_memory: bool | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            samples_per_epoch=samples_per_epoch,
            seed=seed,
            workers=workers,
            pin_memory=pin_memory,
        )
        if image_size < 32 or image_size % 4:
            raise ConfigError(f"image_size is {image_size}", "give a multiple of 4 from 32 on")
        if drawing_channels not in (1, 3):
            raise ConfigError(f"drawing_channels is {drawing_channels}", "give 1 or, for colour styles, 3")
        if validation_photos < 0:
            raise ConfigError(f"validation_photos is {validation_photos}", "give 0 or more")
        if not 0.0 <= static_share <= 1.0:
            raise ConfigError(f"static_share is {static_share}", "give a share from 0 to 1")
        if most_turned is not None and most_turned <= 0.0:
            raise ConfigError(f"most_turned is {most_turned}", "give a positive number, or null for all photos")
        self.most_turned = most_turned
        self.static_share = static_share
        self.image_size = image_size
        self.drawing_channels = drawing_channels
        self.validation_photos = validation_photos
        self.targets = targets
        self._motion = tuple(Path(path) for path in motion)
        self._sets: PortraitSets | None = None

    @abc.abstractmethod
    def open_sets(self) -> PortraitSets:
        """Open photos, drawings and film."""

    @property
    def sets(self) -> PortraitSets:
        """The sets; opened when first asked for."""
        if self._sets is None:
            self._sets = self.open_sets()
        return self._sets

    def setup(self, stage: str | None = None) -> None:
        """Open the sets and check that some photos are left to train on."""
        photos = self.sets.photos
        if len(photos) <= self.validation_photos:
            found = f"{self.validation_photos} of {len(photos)} photos are kept for validation"
            raise ConfigError(found, "prepare more photos or lower validation_photos")
        if not self._chosen(training=True):
            raise ConfigError(f"all heads are turned by more than {self.most_turned}", "raise most_turned")

    def samples(self, *, training: bool = True) -> PortraitSamples:
        """Return the dataset of the training photos, or of those kept for validation, which are not augmented."""
        return PortraitSamples(
            *self.sets,
            image_size=self.image_size,
            targets=self.targets,
            tracks=self._tracks(),
            static_share=self.static_share,
            seed=self.seed,
            chosen=self._chosen(training=training),
            augment=training,
        )

    def _chosen(self, *, training: bool) -> list[int]:
        photos = self.sets.photos
        order = sorted(range(len(photos)), key=lambda number: _hash(photos.names[number]))
        if not training:
            return sorted(order[: self.validation_photos])
        rest = sorted(order[self.validation_photos :])
        if self.most_turned is None:
            return rest
        return [
            number for number in rest if abs(float(nose_offset(photos.decoded.landmarks[number]))) <= self.most_turned
        ]

    def training_samples(self) -> tuple[Dataset[PortraitSample], int]:
        """Photos to train on, each with a target, a drawing and a pair of frames."""
        samples = self.samples()
        return samples, len(samples)

    def validation_samples(self) -> tuple[Dataset[PortraitSample], int]:
        """Photos kept for validation, always with the same targets."""
        return self.samples(training=False), self.validation_photos

    def collate(self, samples: Sequence[PortraitSample]) -> PortraitBatch:
        """Make a batch."""
        return stack_samples(samples)

    def _tracks(self) -> list[npt.NDArray[np.float32]]:
        if not self.targets.needs_tracks:
            return []
        files = [file for path in self._motion for file in (sorted(path.glob("*.npz")) if path.is_dir() else [path])]
        return [load_track(file).landmarks for file in files]


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
