"""The order of training samples as an address, not as a history: every position is computed, none is remembered.

The stream of samples is endless: cycle after cycle through all items, each cycle in an order of its own that follows
from (seed, cycle) alone. Item k on rank r of W ranks is position ``k * W + r`` of that stream, so that the union over
the ranks is the same stream for every W, nothing is repeated to fill up, and a run resumes from one number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

_ORDER: Final = 1
_SAMPLE: Final = 2


@dataclass(frozen=True, slots=True)
class SampleAddress:
    """Where a sample stands in the stream; with the seed it decides everything about it.

    Attributes:
        cycle: how often all items have been seen before, from 0.
        index: the item.
    """

    cycle: int
    index: int


@lru_cache(maxsize=4)
def cycle_order(seed: int, cycle: int, size: int) -> npt.NDArray[np.int64]:
    """Return the order in which a cycle visits its items: a permutation of ``range(size)``, read-only.

    Args:
        seed: not negative.
        cycle: not negative.
        size: number of items.
    """
    # Sorted raw bits: they are the part of NumPy's generators that never changes from version to version.
    keys = np.random.Philox(np.random.SeedSequence([_ORDER, seed, cycle])).random_raw(size)
    order = np.argsort(keys, kind="stable").astype(np.int64)
    order.setflags(write=False)
    return order


def sample_generator(seed: int, address: SampleAddress, purpose: int = 0) -> np.random.Generator:
    """Return the random numbers of one sample: the same for the same address, in any process, in any order.

    Args:
        seed: not negative.
        address: of the sample.
        purpose: numbers streams of one sample that must not depend on how much another one consumes.
    """
    return np.random.default_rng([_SAMPLE, seed, address.cycle, address.index, purpose])


class PositionAddressedSampler(Sampler[SampleAddress]):
    """Gives one rank its part of the stream, from any position on.

    The state is the one number ``position``: how many items this rank has been given. It does not move while iterating,
    because loaders ask ahead of what is trained on; whoever delivers the batches sets it
    (:class:`datamodules.resumable_loader.ResumableLoader`).

    Args:
        size: number of items of a cycle, at least 1.
        length: items that one pass gives on this rank.
        seed: of the order, not negative.
        rank: of this process, from 0.
        world_size: number of processes.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, size: int, length: int, *, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        if size < 1 or length < 0 or seed < 0 or not 0 <= rank < world_size:
            raise ValueError(f"no order for size {size}, length {length}, seed {seed}, rank {rank} of {world_size}")
        self.size = size
        self.length = length
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.position = 0

    def address(self, k: int) -> SampleAddress:
        """Return the address of item k of this rank: position ``k * world_size + rank`` of the stream."""
        cycle, place = divmod(k * self.world_size + self.rank, self.size)
        return SampleAddress(cycle, int(cycle_order(self.seed, cycle, self.size)[place]))

    def __iter__(self) -> Iterator[SampleAddress]:
        """Give ``length`` addresses from the position on that held when this was called."""
        start = self.position
        return (self.address(k) for k in range(start, start + self.length))

    def __len__(self) -> int:
        return self.length
