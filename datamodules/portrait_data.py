"""What every data module of the portrait GAN shares: order, batches, validation share, exact resume."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from lightning import LightningDataModule

from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.film_pairs import FilmSet
from datamodules.datasets.photos import PhotoSet
from datamodules.datasets.portrait_samples import DEFAULT_TARGETS, PortraitSamples
from datamodules.resumable_loader import FixedLoader, ResumableLoader
from datamodules.samplers import SampleAddress
from datamodules.targets import TargetSettings
from lightning_modules.audio.track import load_track
from lightning_modules.batches import PortraitBatch, PortraitSample, stack_samples
from lightning_modules.errors import ConfigError


class PortraitSets(NamedTuple):
    """The three sets that samples are made of; film None for runs without D_coh."""

    photos: PhotoSet
    drawings: DrawingSet
    film: FilmSet | None


class PortraitData(LightningDataModule, abc.ABC):
    """Batches of photos, targets, real drawings and film pairs; subclasses say where the sets come from.

    Samples are addressed by (seed, cycle, index), see :mod:`datamodules.samplers`: neither the number of workers nor
    that of ranks changes them, and :meth:`state_dict` lets a run go on with exactly the next sample. Give the Trainer
    ``use_distributed_sampler=False``: the order is divided among the ranks here.

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
        motion: landmark tracks (``.npz``), for ``targets.change="motion"``.
        pin_memory: hand out batches in page-locked memory; None where there is a GPU.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
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
        motion: Sequence[str | Path] = (),
        pin_memory: bool | None = None,
    ) -> None:
        super().__init__()
        if image_size < 32 or image_size % 4:
            raise ConfigError(f"image_size is {image_size}", "give a multiple of 4 from 32 on")
        if drawing_channels not in (1, 3):
            raise ConfigError(f"drawing_channels is {drawing_channels}", "give 1 or, for colour styles, 3")
        if batch_size < 1 or workers < 0 or seed < 0 or validation_photos < 0:
            found = f"batch_size {batch_size}, workers {workers}, seed {seed}, validation_photos {validation_photos}"
            raise ConfigError(found, "give at least 1 sample a batch, and no negative number")
        if samples_per_epoch is not None and samples_per_epoch < 1:
            raise ConfigError(f"samples_per_epoch is {samples_per_epoch}", "give 1 or more, or leave it out")
        self.image_size = image_size
        self.drawing_channels = drawing_channels
        self.batch_size = batch_size
        self.samples_per_epoch = samples_per_epoch
        self.seed = seed
        self.workers = workers
        self.validation_photos = validation_photos
        self.targets = targets
        self._motion = tuple(Path(path) for path in motion)
        self._pin_memory = pin_memory
        self._sets: PortraitSets | None = None
        self._resumed: Mapping[str, Any] | None = None
        self._loader: ResumableLoader[PortraitSample, PortraitBatch] | None = None

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

    def samples(self, *, training: bool = True) -> PortraitSamples:
        """Return the dataset of the training photos, or of those kept for validation, which are not augmented."""
        order = sorted(range(len(self.sets.photos)), key=lambda number: _hash(self.sets.photos.names[number]))
        kept, rest = order[: self.validation_photos], order[self.validation_photos :]
        return PortraitSamples(
            *self.sets,
            image_size=self.image_size,
            targets=self.targets,
            tracks=self._tracks(),
            seed=self.seed,
            chosen=sorted(rest if training else kept),
            augment=training,
        )

    def train_dataloader(self) -> ResumableLoader[PortraitSample, PortraitBatch]:
        """Return the training batches of this rank, going on where a loaded state stopped."""
        samples = self.samples()
        rank, world_size = self._place()
        wanted = self.samples_per_epoch or len(samples)
        self._loader = ResumableLoader(
            samples,
            stack_samples,
            size=len(samples),
            batch_size=self.batch_size,
            batches=-(-wanted // (self.batch_size * world_size)),
            seed=self.seed,
            rank=rank,
            world_size=world_size,
            workers=self.workers,
            pin_memory=torch.cuda.is_available() if self._pin_memory is None else self._pin_memory,
        )
        if self._resumed is not None:
            self._loader.load_state_dict(self._resumed)
            self._resumed = None
        return self._loader

    def val_dataloader(self) -> FixedLoader[PortraitSample, PortraitBatch] | list[Any]:
        """Return the photos kept for validation, the same samples each time; nothing if there are none."""
        if not self.validation_photos:
            return []
        rank, world_size = self._place()
        addresses = [SampleAddress(0, index) for index in range(self.validation_photos)]
        return FixedLoader(
            self.samples(training=False),
            stack_samples,
            addresses,
            batch_size=self.batch_size,
            rank=rank,
            world_size=world_size,
        )

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch without waiting for it, which page-locked memory allows."""
        if isinstance(batch, PortraitBatch):
            return batch.to(device, non_blocking=True)
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def state_dict(self) -> dict[str, Any]:
        """Return seed, number of photos and samples delivered: plain numbers, the same on every rank."""
        if self._loader is not None:
            return self._loader.state_dict()
        return dict(self._resumed or {})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a state was taken, from the next training loader on.

        Raises:
            ConfigError: (from the loader) the state was taken from another seed or other photos.
        """
        self._resumed = dict(state_dict) if state_dict else None
        if self._loader is not None and self._resumed is not None:
            self._loader.load_state_dict(self._resumed)

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)

    def _tracks(self) -> list[npt.NDArray[np.float32]]:
        return [load_track(path).landmarks for path in self._motion] if self.targets.change == "motion" else []


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
