"""Samples of stage 1: some windows of one record, decided by their address alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.datasets.speech_store import SpeechStore
from datamodules.samplers import SampleAddress, sample_generator
from datamodules.speech_augmentation import SpeechAugmentation
from lightning_modules.networks.speech_windows import window_view
from lightning_modules.speech_batches import SpeechSample

Order = Literal["random", "segments"]
Target = Literal["registered", "full"]

_CHOICE: Final = 1
_CHANGE: Final = 2
_TEMPO: Final = 3


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
        key = f"seed {self._seed} cycle {address.cycle} index {address.index}: {self._store.records[record].entry.id}"
        change = None if self._augmentation is None else sample_generator(self._seed, address, _CHANGE)
        if self._order == "segments":
            first = int(random.integers(max(frames - self._windows, 0) + 1))
            tempo = 1.0
            if self._augmentation is not None:
                tempo = self._augmentation.tempo_factor(sample_generator(self._seed, address, _TEMPO))
            return self._segment(record, first, key, change, tempo)
        starts = torch.from_numpy(random.integers(frames, size=self._windows))
        heard, target = self._store.windows(record, starts), self._motion(record, starts)
        return self._changed(record, heard, target, key, change)

    def _motion(self, record: int, frames: Tensor) -> Tensor:
        store = self._store
        return store.full(record, frames) if self._target == "full" else store.registered(record, frames)

    def _segment(
        self, record: int, first: int, key: str, change: np.random.Generator | None, tempo: float = 1.0
    ) -> SpeechSample:
        """Consecutive windows from a frame on, where ``tempo`` frames of the recording pass in each of the sample.

        They share one stretch: noise is the same in all of them, and it saves work. Beyond the end of the recording
        there is silence, and the face holds still.
        """
        store, last = self._store, self._store.records[record].frames - 1
        steps = torch.arange(-store.past, self._windows + store.future)
        places = first + steps if tempo == 1.0 else first + tempo * steps
        heard = between(lambda rows: store.at(record, rows), places, -store.past, last + store.future)
        own = places[store.past : store.past + self._windows]
        target = between(lambda rows: self._motion(record, rows), own, 0, last)
        return self._changed(record, heard, target, key, change)

    def _changed(
        self, record: int, heard: Tensor, target: Tensor, key: str, change: np.random.Generator | None
    ) -> SpeechSample:
        """A sample of what is heard, a stretch or windows, augmented and normalised."""
        store, static = self._store, self._store.static[record]
        if self._augmentation is not None and change is not None:
            heard = self._augmentation.speech(heard, change)
            moved = self._augmentation.move_static(change)
            static, target = static + moved, target + moved
        heard = (heard - self._mean) / self._deviation
        windows = window_view(heard, store.window) if heard.ndim == 2 else heard
        return SpeechSample(windows, static, target, store.embedding[record], key)


class SpeechSegments(SpeechSamples):
    """Validation samples: the records cut into consecutive segments, from first to last frame, nothing random.

    The last segment of a record ends with the record, so that it may overlap the one before it. Records shorter than a
    segment are followed by silence, and their face holds still.

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
        key = f"{self._store.records[record].entry.id} from frame {first}"
        return self._segment(record, first, key, None)


def between(rows_at: Callable[[Tensor], Tensor], places: Tensor, first: int, last: int) -> Tensor:
    """Rows read between frames, linearly.

    Args:
        rows_at: gives the rows (N, C) of whole frames (N,).
        places: (N,) frames, whole or between two; what lies outside of ``first`` to ``last`` is held.
        first: frame that has a row.
        last: and the last one, not before it.

    Returns:
        (N, C).
    """
    places = places.clamp(first, last)
    if not places.is_floating_point():
        return rows_at(places)
    before = places.floor().long().clamp(max=max(last - 1, first))
    share = (places - before)[:, None]
    early, late = rows_at(before), rows_at((before + 1).clamp(max=last))
    return early + share * (late - early)
