"""A loader that knows which samples were delivered, so that a run goes on with exactly the next one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

from datamodules.samplers import PositionAddressedSampler, SampleAddress
from lightning_modules.errors import ConfigError

SampleT = TypeVar("SampleT")
BatchT = TypeVar("BatchT")


class ResumableLoader(Generic[SampleT, BatchT]):
    """Batches of a position-addressed stream, of equal number and size on every rank.

    Each pass (epoch) goes on where the last one stopped, be it at its end or before. Workers read ahead, also beyond
    the end of a pass, so that the first batch after a validation is ready; but the position moves when a batch is
    handed out: what was only read ahead is read again after a resume. It is no
    ``DataLoader``, so that Lightning puts no sampler of its own in place of ours, whatever ``use_distributed_sampler``
    says; set that to false all the same.

    Args:
        dataset: gives a sample for a :class:`~datamodules.samplers.SampleAddress`.
        collate: makes a batch of samples.
        size: number of items of a cycle.
        batch_size: samples of a batch on each rank.
        batches: batches of a pass on each rank.
        seed: of the order.
        rank: of this process.
        world_size: number of processes.
        workers: processes that make samples; 0 makes them in this one. They persist from pass to pass.
        pin_memory: hand out batches in page-locked memory.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        dataset: Dataset[SampleT],
        collate: Callable[[Sequence[SampleT]], BatchT],
        *,
        size: int,
        batch_size: int,
        batches: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if batch_size < 1 or batches < 1 or workers < 0:
            found = f"{batches} batches of {batch_size} samples by {workers} workers were asked for"
            raise ConfigError(found, "give at least one batch of one sample, and 0 or more workers")
        self.batch_size = batch_size
        self.sampler = PositionAddressedSampler(size, batches * batch_size, seed=seed, rank=rank, world_size=world_size)
        self._batches = batches
        self._dataset = dataset
        self._collate = collate
        self._workers = workers
        self._pin_memory = pin_memory
        self._loader: DataLoader[SampleT] | None = None
        self._ahead: Iterator[BatchT] | None = None
        self._ahead_from = 0

    def __len__(self) -> int:
        """Batches of a pass on each rank."""
        return self._batches

    def __iter__(self) -> Iterator[BatchT]:
        """Give the next ``len(self)`` batches from the position on; Lightning ends a resumed epoch where it has to."""
        for _ in range(self._batches):
            batch = next(self._from_here())
            self.sampler.position = self._ahead_from = self.sampler.position + self.batch_size
            yield batch

    def _from_here(self) -> Iterator[BatchT]:
        """The stream of batches that begins at the position: the one that runs, unless the position was moved."""
        if self._loader is None:
            self._loader = self._make_loader()
        if self._ahead is None or self._ahead_from != self.sampler.position:
            self._ahead, self._ahead_from = iter(self._loader), self.sampler.position
        return self._ahead

    def _make_loader(self) -> DataLoader[SampleT]:
        return DataLoader(
            self._dataset,
            batch_size=self.batch_size,
            sampler=_Onwards(self.sampler),
            num_workers=self._workers,
            collate_fn=self._collate,
            pin_memory=self._pin_memory,
            persistent_workers=self._workers > 0,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream stands, as plain numbers: the same on every rank.

        ``samples`` counts those delivered to all ranks together, so that a run resumed with another number of ranks
        sees the same order.
        """
        sampler = self.sampler
        return {"seed": sampler.seed, "size": sampler.size, "samples": sampler.position * sampler.world_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken; the next pass begins there.

        Raises:
            ConfigError: it was taken from another seed or other data, or lies between the samples of these ranks.
        """
        sampler = self.sampler
        if (state["seed"], state["size"]) != (sampler.seed, sampler.size):
            found = f"the run was trained with seed {state['seed']} over {state['size']} photos"
            remedy = f"give the same data and seed (here: seed {sampler.seed} over {sampler.size}), or start a new run"
            raise ConfigError(found, remedy)
        position, rest = divmod(int(state["samples"]), sampler.world_size)
        if rest:
            found = f"{state['samples']} samples were delivered, no multiple of {sampler.world_size} ranks"
            raise ConfigError(found, "resume with the number of ranks that the run was started with")
        sampler.position = position


class _Onwards:
    """The addresses of a sampler from its position on, without end."""

    def __init__(self, sampler: PositionAddressedSampler) -> None:
        self._sampler = sampler

    def __iter__(self) -> Iterator[SampleAddress]:
        return map(self._sampler.address, itertools.count(self._sampler.position))


class FixedLoader(Generic[SampleT, BatchT]):
    """The same few batches on every pass, each rank its share; made in this process. For validation and previews.

    Args:
        dataset: gives a sample for an address.
        collate: makes a batch of samples.
        addresses: of all samples, on all ranks together.
        batch_size: samples of a batch; the last one may be smaller.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        dataset: Dataset[SampleT],
        collate: Callable[[Sequence[SampleT]], BatchT],
        addresses: Sequence[SampleAddress],
        *,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        own = list(addresses[rank::world_size])
        self._shares = [own[start : start + batch_size] for start in range(0, len(own), batch_size)]
        self._dataset = dataset
        self._collate = collate

    def __len__(self) -> int:
        return len(self._shares)

    def __iter__(self) -> Iterator[BatchT]:
        return (self._collate([self._dataset[address] for address in share]) for share in self._shares)
