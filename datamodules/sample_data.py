"""What the data modules share: order, batches, fixed validation, exact resume."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch
from lightning import LightningDataModule
from torch.utils.data import Dataset

from datamodules.resumable_loader import FixedLoader, ResumableLoader
from datamodules.samplers import SampleAddress
from lightning_modules.errors import ConfigError

SampleT = TypeVar("SampleT")
BatchT = TypeVar("BatchT")


class SampleData(LightningDataModule, abc.ABC, Generic[SampleT, BatchT]):
    """Batches of samples that are addressed by (seed, cycle, index), see :mod:`datamodules.samplers`.

    Neither the number of workers nor that of ranks changes a sample, and :meth:`state_dict` lets a run go on with
    exactly the next one. Give the Trainer ``use_distributed_sampler=False``: the order is divided among the ranks here.

    Args:
        batch_size: samples of a batch on each rank.
        samples_per_epoch: samples of an epoch on all ranks together, rounded up to whole batches; None for one cycle
            through all items.
        seed: of order and samples, not negative.
        workers: processes that make samples, for each rank; 0 makes them in the run's own process.
        pin_memory: hand out batches in page-locked memory; None where there is a GPU.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        *,
        batch_size: int = 16,
        samples_per_epoch: int | None = None,
        seed: int = 0,
        workers: int = 0,
        pin_memory: bool | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or workers < 0 or seed < 0 or (samples_per_epoch is not None and samples_per_epoch < 1):
            found = f"batch_size {batch_size}, samples_per_epoch {samples_per_epoch}, seed {seed}, workers {workers}"
            raise ConfigError(found, "give at least 1 sample a batch and an epoch, and no negative number")
        self.batch_size = batch_size
        self.samples_per_epoch = samples_per_epoch
        self.seed = seed
        self.workers = workers
        self._pin_memory = pin_memory
        self._resumed: Mapping[str, Any] | None = None
        self._loader: ResumableLoader[SampleT, BatchT] | None = None

    # To be said by every data module -------------------------------------------------------------------------------

    @abc.abstractmethod
    def training_samples(self) -> tuple[Dataset[SampleT], int]:
        """The dataset, which gives a sample for a :class:`SampleAddress`, and the number of its items."""

    @abc.abstractmethod
    def validation_samples(self) -> tuple[Dataset[SampleT], int]:
        """The same for samples that are not trained on; 0 items for no validation."""

    @abc.abstractmethod
    def collate(self, samples: Sequence[SampleT]) -> BatchT:
        """Make a batch, a NamedTuple of tensors, of samples."""

    @property
    def validation_batch_size(self) -> int:
        """Samples of a validation batch on each rank."""
        return self.batch_size

    # What is the same for all --------------------------------------------------------------------------------------

    def train_dataloader(self) -> ResumableLoader[SampleT, BatchT]:
        """Return the training batches of this rank, going on where a loaded state stopped."""
        samples, size = self.training_samples()
        rank, world_size = self._place()
        wanted = self.samples_per_epoch or size
        self._loader = ResumableLoader(
            samples,
            self.collate,
            size=size,
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

    def val_dataloader(self) -> FixedLoader[SampleT, BatchT] | list[Any]:
        """Return the validation batches of this rank, the same each time; nothing if there are none."""
        samples, size = self.validation_samples()
        if not size:
            return []
        rank, world_size = self._place()
        addresses = [SampleAddress(0, index) for index in range(size)]
        return FixedLoader(
            samples, self.collate, addresses, batch_size=self.validation_batch_size, rank=rank, world_size=world_size
        )

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch without waiting for it, which page-locked memory allows."""
        move = getattr(batch, "to", None)
        if move is not None:
            return move(device, non_blocking=True)
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def state_dict(self) -> dict[str, Any]:
        """Return seed, number of items and samples delivered: plain numbers, the same on every rank."""
        if self._loader is not None:
            return self._loader.state_dict()
        return dict(self._resumed or {})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a state was taken, from the next training loader on.

        Raises:
            ConfigError: (from the loader) the state was taken from another seed or other data.
        """
        self._resumed = dict(state_dict) if state_dict else None
        if self._loader is not None and self._resumed is not None:
            self._loader.load_state_dict(self._resumed)

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
