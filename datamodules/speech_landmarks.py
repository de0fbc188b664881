"""Data of stage 1 from prepared speech (``inkspeak prepare speech-curves|speech-synthetic|speech-videos``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.datasets.speech_samples import Order, SpeechSamples, SpeechSegments, Target
from datamodules.datasets.speech_store import Content, SpeechStore, load_store
from datamodules.prepare.speech_set import SpeechEntry, speech_entries
from datamodules.sample_data import SampleData
from datamodules.speech_augmentation import SpeechAugmentation
from datamodules.speech_split import SpeechFolder, SpeechSplit, split_entries
from lightning_modules.errors import ConfigError
from lightning_modules.networks.speech_windows import WINDOW
from lightning_modules.speech_batches import SpeechBatch, SpeechSample, stack_speech_samples


class SpeechLandmarksDataModule(SampleData[SpeechSample, SpeechBatch]):
    """Batches of windows of speech and their landmarks, from several prepared sets.

    Everything is in memory; a sample is a look-up. The order, its division among ranks and its resuming are those of
    :class:`~datamodules.sample_data.SampleData`. What is held out is said set by set, see
    :mod:`datamodules.speech_split`.

    Features are normalised by band with :attr:`feature_mean` and :attr:`feature_std` of the training part; a trained
    network needs these numbers to hear anything, so keep them with its weights.

    Args:
        folders: the sets.
        order: ``"random"``: N random windows of a record, for the content branch; ``"segments"``: N consecutive ones,
            for the speaker-aware branch, whose attention sees all of them.
        target: ``"registered"`` landmarks for the content branch, ``"full"`` with head motion and blinks.
        windows: N, windows of a sample; 8.2 s are 512.
        batch_size: samples of a batch on each rank.
        samples_per_epoch: on all ranks together, rounded up to whole batches; also one cycle through everything.
        seed: of order, choice and augmentation, not negative.
        augmentation: of the training samples; None for none.
        validation_segments: at most so many segments of the held-out records, evenly spread.
        validation_windows: windows of such a segment.
        feature_mean: (80,) of the features; None for that of the training part. Give both to go on with a network.
        feature_std: (80,) of the features; None for that of the training part.
        half_precision: keep landmarks in half precision, to halve the memory.
        embeddings: whether speaker embeddings are needed; records without one are then refused. None: for segments.
        content: computes content features from samples; None takes the log-mel of the records.
        past: frames of a window before the one whose landmarks it belongs to, 0 as published: what the content branch
            says in its attribute ``past``.
        future: frames after it, 17 as published.
        workers: processes that make samples; 0 is right for nearly everyone, as there is so little to do.

    Raises:
        ConfigError: a number is out of its range, or choices contradict each other.
    """

    def __init__(  # noqa: PLR0913 - every choice of an experiment is an argument
        self,
        folders: Sequence[SpeechFolder],
        *,
        order: Order = "random",
        target: Target = "registered",
        windows: int = 16,
        batch_size: int = 32,
        samples_per_epoch: int = 4096,
        seed: int = 0,
        augmentation: SpeechAugmentation | None = None,
        validation_segments: int = 64,
        validation_windows: int = 256,
        feature_mean: Sequence[float] | None = None,
        feature_std: Sequence[float] | None = None,
        half_precision: bool = False,
        embeddings: bool | None = None,
        content: Content | None = None,
        past: int = 0,
        future: int = WINDOW - 1,
        workers: int = 0,
    ) -> None:
        counts = {"windows": windows, "batch_size": batch_size, "samples_per_epoch": samples_per_epoch}
        counts |= {"validation_segments": validation_segments, "validation_windows": validation_windows}
        wrong = [f"{name} is {count}" for name, count in counts.items() if count < 1]
        signed = {"seed": seed, "workers": workers, "past": past, "future": future}
        wrong += [f"{name} is {count}" for name, count in signed.items() if count < 0]
        if wrong:
            found = ", ".join(wrong)
            raise ConfigError(found, "give at least 1 of everything, and no negative number")
        super().__init__(batch_size=batch_size, samples_per_epoch=samples_per_epoch, seed=seed, workers=workers)
        if not folders:
            raise ConfigError("no folder of prepared speech was given", "give at least one")
        if order not in ("random", "segments") or target not in ("registered", "full"):
            found = f"order is {order!r}, target is {target!r}"
            raise ConfigError(found, "give random or segments, registered or full")
        if content is not None and augmentation is not None:
            raise ConfigError("augmentation works on the log-mel, not on other content features", "leave it out")
        if (feature_mean is None) != (feature_std is None):
            raise ConfigError("only one of feature_mean and feature_std was given", "give both or neither")
        self.folders = tuple(folders)
        self.order, self.target = order, target
        self.windows, self.cycle = windows, samples_per_epoch
        self.augmentation = augmentation
        self.validation_segments, self.validation_windows = validation_segments, validation_windows
        self.half_precision = half_precision
        self.embeddings = order == "segments" if embeddings is None else embeddings
        self.past, self.future = past, future
        self._content = content
        self._given = _given_statistics(feature_mean, feature_std)
        self._splits: tuple[SpeechSplit, ...] = ()
        self._stores: dict[str, SpeechStore] = {}
        self._statistics: tuple[Tensor, Tensor] | None = None

    @property
    def splits(self) -> tuple[SpeechSplit, ...]:
        """How the records of each set are divided, in the order of the sets.

        Raises:
            PreparedSetError: a folder holds no prepared speech.
            ConfigError: nothing is left to train or to validate on.
        """
        if not self._splits:
            folders = [(source, Path(source.folder).expanduser()) for source in self.folders]
            self._splits = tuple(split_entries(speech_entries(folder), source) for source, folder in folders)
            if not any(split.training for split in self._splits):
                raise ConfigError("no set is left to train on", "give a set that is not validate_only")
        return self._splits

    @property
    def feature_mean(self) -> Tensor:
        """(80,) what is taken from the features."""
        return self._normalisation()[0]

    @property
    def feature_std(self) -> Tensor:
        """(80,) what the features are divided by then."""
        return self._normalisation()[1]

    @property
    def mean_embedding(self) -> Tensor | None:
        """(256,) mean over the training records that have a speaker embedding, who stands in for a voice; None if none.

        Files of models keep it, see :mod:`lightning_modules.export.landmark_model_file`.
        """
        found = self._store("training").embedding
        known = found[found.norm(dim=1) > 0]
        return known.mean(dim=0) if len(known) else None

    def setup(self, stage: str | None = None) -> None:
        """Read the sets into memory."""
        self._store("training")
        if any(split.validation for split in self.splits):
            self._store("validation")

    def samples(self) -> SpeechSamples:
        """Return the dataset of the training samples."""
        mean, deviation = self._normalisation()
        return SpeechSamples(
            self._store("training"),
            self._weights(),
            cycle=self.cycle,
            windows=self.windows,
            order=self.order,
            target=self.target,
            mean=mean,
            deviation=deviation,
            seed=self.seed,
            augmentation=self.augmentation,
        )

    def training_samples(self) -> tuple[Dataset[SpeechSample], int]:
        """Windows of the training records; a cycle is an epoch."""
        return self.samples(), self.cycle

    def validation_samples(self) -> tuple[Dataset[SpeechSample], int]:
        """Segments of the held-out records, the same each time; 0 if none is held out."""
        if not any(split.validation for split in self.splits):
            return self.samples(), 0
        mean, deviation = self._normalisation()
        segments = SpeechSegments(
            self._store("validation"),
            windows=self.validation_windows,
            target=self.target,
            mean=mean,
            deviation=deviation,
            most=self.validation_segments,
        )
        return segments, len(segments)

    def collate(self, samples: Sequence[SpeechSample]) -> SpeechBatch:
        """Make a batch."""
        return stack_speech_samples(samples)

    @property
    def validation_batch_size(self) -> int:
        """As many segments as have the windows of a training batch."""
        return max(1, self.batch_size * self.windows // self.validation_windows)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a state was taken, from the next training loader on.

        Raises:
            ConfigError: the state was taken with another seed or number of samples per epoch.
        """
        if state_dict and (state_dict["seed"], state_dict["size"]) != (self.seed, self.cycle):
            found = f"the run was trained with seed {state_dict['seed']} and {state_dict['size']} samples per epoch"
            remedy = f"give the same (here: seed {self.seed}, {self.cycle}), or start a new run"
            raise ConfigError(found, remedy)
        super().load_state_dict(state_dict)

    def _store(self, part: str) -> SpeechStore:
        if part not in self._stores:
            entries: list[SpeechEntry] = [entry for split in self.splits for entry in getattr(split, part)]
            self._stores[part] = load_store(
                entries,
                content=self._content,
                half_precision=self.half_precision,
                need_embedding=self.embeddings,
                past=self.past,
                future=self.future,
            )
        return self._stores[part]

    def _weights(self) -> list[float]:
        """Share of each training record: its frames, times the weight of its set, over the frames of the set."""
        weights = []
        for source, split in zip(self.folders, self.splits, strict=True):
            total = sum(entry.frames for entry in split.training)
            weights += [source.weight * entry.frames / total for entry in split.training]
        return weights

    def _normalisation(self) -> tuple[Tensor, Tensor]:
        if self._statistics is None:
            self._statistics = self._given or self._store("training").statistics()
        return self._statistics


def _given_statistics(mean: Sequence[float] | None, deviation: Sequence[float] | None) -> tuple[Tensor, Tensor] | None:
    if mean is None or deviation is None:
        return None
    found = torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32)
    if any(values.shape != (80,) or not values.isfinite().all() for values in found) or (found[1] <= 0).any():
        raise ConfigError("feature_mean and feature_std are not 80 numbers each", "give one for each band, std > 0")
    return found
