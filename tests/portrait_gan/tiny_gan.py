"""A portrait GAN small enough to be trained in a test: networks of the real signatures, samples made from addresses."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from torch import Tensor, nn
from torch.nn import functional

from callbacks.periodic_checkpoint import PeriodicCheckpoint
from callbacks.rng_state import RandomState
from datamodules.resumable_loader import ResumableLoader
from datamodules.samplers import SampleAddress, sample_generator
from lightning_modules.batches import PortraitBatch, PortraitSample, stack_samples
from lightning_modules.losses.objective import Objective, TermOffWarning
from lightning_modules.networks.blocks import instance_normalization
from lightning_modules.optimization import AdamSettings
from lightning_modules.portrait_gan import PortraitGAN

SIZE = 32


def template() -> Tensor:
    """68 points of a plain face in a 32 x 32 picture."""

    def arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float, count: int) -> list[tuple]:
        angles = [math.radians(start + (stop - start) * i / (count - 1)) for i in range(count)]
        return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]

    points = arc(15.5, 16, 9, 12, 190, -10, 17)  # jaw
    points += [(9 + i * 1.3, 11 - (i % 4 > 0)) for i in range(5)] + [(17 + i * 1.3, 11 - (i % 4 > 0)) for i in range(5)]
    points += [(15.5, 13 + 1.5 * i) for i in range(4)] + [(13 + 1.25 * i, 19.5 + (i == 2)) for i in range(5)]
    points += arc(11.5, 13.5, 2, 0.9, 180, 480, 6) + arc(19.5, 13.5, 2, 0.9, 180, 480, 6)
    points += arc(15.5, 23.5, 4, 1.8, 180, 510, 12) + arc(15.5, 23.5, 2.6, 0.8, 180, 495, 8)
    return torch.tensor(points, dtype=torch.float32)


class TinyGenerator(nn.Module):
    """Reads all that a generator reads; dropout makes the step depend on the random state."""

    def __init__(self, width: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.first = nn.Conv2d(3 + 3 + 1 + 1, width, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, photo, source_image, target_image, grid_b, flow_a, validity_a) -> Tensor:
        times = len(target_image) // len(photo)
        photo, source_image = photo.repeat(times, 1, 1, 1), source_image.repeat(times, 1, 1, 1)
        moved = functional.grid_sample(photo.float(), grid_b, align_corners=True)
        x = torch.cat((moved, source_image, target_image, flow_a / SIZE, validity_a), 1)
        return torch.tanh(self.last(self.dropout(torch.relu(self.first(x)))))


class Normalization(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return instance_normalization(features)


class TinyDiscriminator(nn.Sequential):
    def __init__(self, channels: int) -> None:
        super().__init__(nn.Conv2d(channels, 8, 4, 2, 1), nn.LeakyReLU(0.2), Normalization(), nn.Conv2d(8, 1, 4, 2, 1))


class TinyDrawingDiscriminators(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.whole = TinyDiscriminator(1)
        self.parts = nn.ModuleList(TinyDiscriminator(2) for _ in range(3))

    def forward(self, drawing: Tensor, *masks: Tensor) -> tuple[Tensor, ...]:
        judged = zip(self.parts, masks, strict=True)
        return (self.whole(drawing), *(part(torch.cat((drawing * m + 1 - m, m), 1)) for part, m in judged))


class TinyCoherence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = TinyDiscriminator(2)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.patches(torch.cat((first, second), 1))


def make_sample(seed: int, address: SampleAddress) -> PortraitSample:
    """Smooth random pictures; each number follows from the address."""
    generator = torch.Generator().manual_seed(int(sample_generator(seed, address).integers(2**62)))

    def picture(*shape: int) -> Tensor:
        coarse = torch.rand((math.prod(shape), 1, 6, 6), generator=generator)
        smooth = functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic", align_corners=True)
        return smooth.reshape(*shape, SIZE, SIZE).clamp(0, 1)

    def jitter(scale: float, *shape: int) -> Tensor:
        return scale * torch.rand((*shape, 68, 2), generator=generator)

    ys, xs = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    disc = (15.0 - ((xs - 15.5) ** 2 + (ys - 15.5) ** 2).float().sqrt()).clamp(0, 1)[None]
    return PortraitSample(
        photo=picture(3) * 2 - 1,
        static_drawing=picture(1) * 2 - 1,
        matte=disc,
        landmarks=template() + jitter(0.3),
        target_landmarks=template() + jitter(0.3) + jitter(0.5, 2),
        target_masks=picture(3),
        drawing=picture(1) * 2 - 1,
        drawing_masks=picture(3),
        adjacent=picture(2, 1) * 2 - 1,
        non_adjacent=picture(2, 1) * 2 - 1,
        key=f"cycle {address.cycle} index {address.index}",
    )


def make_batch(count: int, seed: int = 0) -> PortraitBatch:
    return stack_samples([make_sample(seed, SampleAddress(0, index)) for index in range(count)])


class Batches:
    """Finished batches as a loader."""

    def __init__(self, *batches: PortraitBatch) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[PortraitBatch]:
        return iter(self.batches)


class Samples:
    def __getitem__(self, address: SampleAddress) -> PortraitSample:
        return make_sample(0, address)


class TinyData(LightningDataModule):
    def __init__(self, batches: int = 4, batch_size: int = 2, items: int = 11) -> None:
        super().__init__()
        self.batches, self.batch_size, self.items = batches, batch_size, items
        self.loader: ResumableLoader | None = None
        self.resumed: dict | None = None

    def state_dict(self) -> dict:
        """Lightning itself forgets a loader's state where an epoch ended."""
        return {} if self.loader is None else self.loader.state_dict()

    def load_state_dict(self, state_dict: dict) -> None:
        self.resumed = state_dict

    def train_dataloader(self) -> ResumableLoader:
        self.loader = ResumableLoader(
            Samples(),
            stack_samples,
            size=self.items,
            batch_size=self.batch_size,
            batches=self.batches,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )
        if self.resumed:
            self.loader.load_state_dict(self.resumed)
        return self.loader

    def val_dataloader(self) -> Batches:
        return Batches(make_batch(2, seed=1))


def tiny_gan(*, seed: int = 0, dropout: float = 0.1, rate: float = 1e-3, **options: Any) -> PortraitGAN:
    torch.manual_seed(seed)
    settings = AdamSettings(learning_rate=rate, constant_epochs=1, decay_epochs=9)
    given = {
        "generator": TinyGenerator(dropout=dropout),
        "drawing_discriminators": TinyDrawingDiscriminators(),
        "coherence_discriminator": TinyCoherence(),
        "objective": Objective(),
        "generator_optimizer": settings,
        "discriminator_optimizer": settings,
    }
    return PortraitGAN(**(given | options))


def trainer(folder: Path, *, epochs: int = 2, callbacks: list[Callback] | None = None, **options: Any) -> Trainer:
    given = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": epochs,
        "callbacks": callbacks,
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": any(isinstance(one, PeriodicCheckpoint) for one in callbacks or []),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "log_every_n_steps": 1,
    }
    return Trainer(**(given | options))


def fit(module: PortraitGAN, folder: Path, *, checkpoint: Path | None = None, **options: Any) -> Trainer:
    """Train quietly on :class:`TinyData`."""
    data = options.pop("data", None) or TinyData()
    runner = trainer(folder, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TermOffWarning)
        runner.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    return runner


class KilledError(RuntimeError):
    """Nothing that any callback expects."""


class KillAt(Callback):
    """Ends training like a power cut, at the end of a batch or of an epoch, counted over the whole run."""

    def __init__(self, batch: int | None = None, epoch: int | None = None) -> None:
        self.batch, self.epoch, self.seen = batch, epoch, 0

    def on_train_batch_end(self, trainer, *_: Any) -> None:
        self.seen += 1
        if self.seen == self.batch:
            raise KilledError

    def on_train_epoch_start(self, trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise KilledError


def checkpointing(folder: Path, photos: int) -> list[Callback]:
    return [RandomState(), PeriodicCheckpoint(photos, dirpath=str(folder), keep=None)]


def weights(module: PortraitGAN) -> Tensor:
    return torch.cat([value.detach().flatten() for value in module.state_dict().values()])
