"""A static drawer small enough to be trained in a test: networks of the real classes, synthetic faces."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from callbacks.ema import ExponentialMovingAverage
from callbacks.periodic_checkpoint import PeriodicCheckpoint
from callbacks.rng_state import RandomState
from datamodules.synthetic.photos_and_drawings import SyntheticPhotosAndDrawingsDataModule
from lightning_modules.losses.static_drawing_objective import StaticDrawingObjective
from lightning_modules.networks.inverse_generator import InverseGenerator
from lightning_modules.networks.local_discriminators import LocalDiscriminators
from lightning_modules.networks.patch_discriminator import PatchDiscriminator
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator
from lightning_modules.networks.style_classifier import StyleClassifier
from lightning_modules.networks.style_discriminator import StyleDiscriminator
from lightning_modules.optimization import AdamSettings
from lightning_modules.static_drawing import StaticDrawing

SIZE = 64


def tiny_drawer(seed: int = 0, *, rate: float = 1e-3, **options: Any) -> StaticDrawing:
    """A module with random weights that follow from the seed."""
    torch.manual_seed(seed)
    settings = AdamSettings(learning_rate=rate, constant_epochs=1, decay_epochs=9)
    given: dict[str, Any] = {
        "generator": StaticDrawingGenerator(2, 1, 2),
        "inverse_generator": InverseGenerator(2, 1),
        "style_discriminator": StyleDiscriminator(1, 2, 2, SIZE),
        "photo_discriminator": PatchDiscriminator(3, 2, 2),
        "local_discriminators": LocalDiscriminators(1, 2, 2),
        "style_classifier": StyleClassifier(1, 2, 2),
        "objective": StaticDrawingObjective(budget_epochs=4),
        "generator_optimizer": settings,
        "discriminator_optimizer": settings,
        "pool_size": 3,
    }
    return StaticDrawing(**(given | options))


def faces(**options: Any) -> SyntheticPhotosAndDrawingsDataModule:
    """Three batches of two an epoch."""
    given: dict[str, Any] = {"image_size": SIZE, "photos": 5, "drawings": 2, "batch_size": 2, "samples_per_epoch": 6}
    return SyntheticPhotosAndDrawingsDataModule(
        **(given | {"validation_photos": 1, "validation_drawings": 0} | options)
    )


def fit(
    module: StaticDrawing,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    **options: Any,
) -> Trainer:
    """Train quietly: two epochs, unless options say otherwise."""
    given: dict[str, Any] = {"max_epochs": 2, "limit_val_batches": 0}
    saves = any(isinstance(one, PeriodicCheckpoint) for one in callbacks)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        default_root_dir=folder,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=saves,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        **(given | options),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, faces(), ckpt_path=checkpoint, weights_only=True)
    return trainer


def checkpointing(folder: Path) -> list[Callback]:
    """What an exactly resumed run needs: a checkpoint after every batch, the random states, an average of G."""
    saver = PeriodicCheckpoint(every_photos=2, dirpath=str(folder), keep=None)
    return [ExponentialMovingAverage(0.9), RandomState(), saver]


def weights(module: StaticDrawing) -> Tensor:
    """All weights in one row."""
    return torch.cat([value.detach().flatten() for value in module.state_dict().values()])
