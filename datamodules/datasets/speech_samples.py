"""Samples of stage 1: some windows of one record, decided by their address alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.datasets.speech_store import SpeechStore
from datamodules.samplers import SampleAddress, sample_generator
from datamodules.speech_augmentation import SpeechAugmentation
from lightning_modules.speech_batches import WINDOW, SpeechSample

Order = Literal["random", "segments"]
Target = Literal["registered", "full"]

_CHOICE: Final = 1
_CHANGE: Final = 2


class SpeechSamples(Dataset[SpeechSample]):
    """Training samples: record, frames and changes follow from (seed, cycle, index).

    Index k of a cycle of K stands for the part k/K to (k+1)/K of all training material, laid end to end with the
    weights of its records, so that every cycle goes evenly through everything.

    Args:
        store: the records.
        weights: (R,) share of each record.
        cycle: number K of samples of a cycle.
        windows: N, windows of a sample.
        order: ``"random"`` frames of one record, or consecutive ones (``"segments"``).
        target: landmarks with the head pose removed, or with head pose and blinks.
        mean: (80,) of the features.
        deviation: (80,) of the features.
        seed: of everything random.
        augmentation: None for none.
    """

    def __init__(
        self,
        store: SpeechStore,
        weights: Sequence[float],
        *,
        cycle: int,
        windows: int,
        order: Order,
        target: Target,
        mean: Tensor,
        deviation: Tensor,
        seed: int = 0,
        augmentation: SpeechAugmentation | None = None,
    ) -> None:
        self._store = store
        self._shares = np.cumsum(np.asarray(weights, np.float64) / np.sum(weights))
        self._cycle = cycle
        self._windows = windows
        self._order = order
        self._target = target
        self._mean, self._deviation = mean, deviation
        self._seed = seed
        self._augmentation = augmentation

    def __len__(self) -> int:
        """Samples of a cycle."""
        return self._cycle

    def __getitem__(self, address: SampleAddress) -> SpeechSample:
        """Make the sample of an address."""
        random = sample_generator(self._seed, address, _CHOICE)
        place = (address.index + random.random()) / self._cycle
        record = min(int(np.searchsorted(self._shares, place, side="right")), len(self._store) - 1)
        frames = self._store.records[record].frames
        if self._order == "segments":
            first = int(random.integers(max(frames - self._windows, 0) + 1))
            starts = np.minimum(np.arange(first, first + self._windows), frames - 1)
        else:
            starts = random.integers(frames, size=self._windows)
        key = f"seed {self._seed} cycle {address.cycle} index {address.index}: {self._store.records[record].entry.id}"
        change = None if self._augmentation is None else sample_generator(self._seed, address, _CHANGE)
        return self._sample(record, torch.from_numpy(starts), key, change)

    def _sample(self, record: int, starts: Tensor, key: str, change: np.random.Generator | None) -> SpeechSample:
        store = self._store
        first, consecutive = int(starts[0]), bool((starts.diff() == 1).all())
        # Overlapping windows share their frames: noise must be the same in all of them, and it saves work.
        heard = store.stretch(record, first, len(starts)) if consecutive else store.windows(record, starts)
        static = store.static[record]
        target = store.full(record, starts) if self._target == "full" else store.registered(record, starts)
        if self._augmentation is not None and change is not None:
            heard = self._augmentation.speech(heard, change)
            moved = self._augmentation.move_static(change)
            static, target = static + moved, target + moved
        heard = (heard - self._mean) / self._deviation
        windows = heard.unfold(0, WINDOW, 1).mT if consecutive else heard
        return SpeechSample(windows, static, target, store.embedding[record], key)


class SpeechSegments(SpeechSamples):
    """Validation samples: the records cut into consecutive segments, from first to last frame, nothing random.

    The last segment of a record ends with the record, so that it may overlap the one before it. Records shorter than a
    segment hold their last frame.

    Args:
        store: the records.
        windows: N, windows of a segment.
        target: as for :class:`SpeechSamples`.
        mean: (80,) of the features.
        deviation: (80,) of the features.
        most: number of segments, evenly spread over all of them.
    """

    def __init__(
        self, store: SpeechStore, *, windows: int, target: Target, mean: Tensor, deviation: Tensor, most: int
    ) -> None:
        super().__init__(
            store,
            [1.0] * len(store),
            cycle=1,
            windows=windows,
            order="segments",
            target=target,
            mean=mean,
            deviation=deviation,
        )
        places = []
        for number, record in enumerate(store.records):
            last = max(record.frames - windows, 0)
            places += [(number, min(start, last)) for start in range(0, max(record.frames, 1), windows)]
        chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
        self._places = [places[number] for number in chosen.tolist()]

    def __len__(self) -> int:
        """Number of segments."""
        return len(self._places)

    def __getitem__(self, address: SampleAddress) -> SpeechSample:
        """Give the segment of an address's index; its cycle does not matter."""
        record, first = self._places[address.index]
        stored = self._store.records[record]
        starts = torch.arange(first, first + self._windows).clamp(max=stored.frames - 1)
        return self._sample(record, starts, f"{stored.entry.id} from frame {first}", None)
