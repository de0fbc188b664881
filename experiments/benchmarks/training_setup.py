"""What the benchmarks of training share: the portrait GAN as a preset builds it, synthetic batches, a quiet Trainer."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import torch
from torch import Tensor, nn

from lightning_modules.geometry.rasters import landmark_heat_maps

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

    from lightning_modules.batches import PortraitBatch
    from lightning_modules.portrait_gan import PortraitGAN

Preset = Literal["lite", "paper"]

LITE_GENERATOR: Final[dict[str, Any]] = {
    "width": 24,
    "blocks": 6,
    "landmark_blocks": (0, 2, 4),
    "block_type": "separable",
    "head": "subpixel",
    "warp_a": False,
}
"""What ``experiments/configs/portrait_gan/lite.yaml`` gives to the generator."""
PAPER_GENERATOR: Final[dict[str, Any]] = {"compat": "official"}
"""What ``experiments/configs/portrait_gan/paper.yaml`` gives to the generator, apart from defaults."""

HEAT_MAP_SHARE: Final = 224 / 256
"""Pictures of 256 pixels are shown to flow map A's network at 224."""


class HeatMapsOnly(nn.Module):
    """Stands where flow map A's network would: makes what that network is shown, for all pairs at once, and no flow."""

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 68, 2) landmarks at 256 pixels to a flow of 0 (B, 2, 256, 256) and validity 1 (B, 1, 256, 256)."""
        landmark_heat_maps(torch.cat((source, target)) * HEAT_MAP_SHARE)
        return no_flow(len(source), 256, source)


def no_flow(count: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Flow 0 and validity 1, for both sides alike."""
    return like.new_zeros(count, 2, size, size), like.new_ones(count, 1, size, size)


def make_module(preset: Preset, *, with_heat_maps: bool = False, compile_networks: bool = False) -> PortraitGAN:
    """The portrait GAN as its preset builds it, random weights, with the published recipe.

    Args:
        preset: ``"lite"`` or ``"paper"``.
        with_heat_maps: make the heat maps that flow map A's network is shown, see :class:`HeatMapsOnly`.
        compile_networks: see ``PortraitGAN``.
    """
    from lightning_modules.losses.objective import Objective
    from lightning_modules.networks.coherence_discriminator import CoherenceDiscriminator
    from lightning_modules.networks.drawing_discriminators import DrawingDiscriminators
    from lightning_modules.networks.portrait_generator import PortraitGenerator
    from lightning_modules.portrait_gan import PortraitGAN
    from lightning_modules.portrait_gan_inputs import InputRecipe

    torch.manual_seed(0)
    width = 32 if preset == "lite" else 64
    return PortraitGAN(
        PortraitGenerator(**(LITE_GENERATOR if preset == "lite" else PAPER_GENERATOR)),
        DrawingDiscriminators(width=width),
        CoherenceDiscriminator(width=width),
        Objective(geometry=0.0, identity=0.0),
        flow_regression=HeatMapsOnly() if with_heat_maps else None,
        recipe=InputRecipe.official(),
        pool_size=50,
        compile_networks=compile_networks,
    )


def make_batch(size: int, samples: int, *, seed: int = 0) -> PortraitBatch:
    """A batch of synthetic samples.

    Args:
        size: side of the pictures.
        samples: how many.
        seed: of the faces.
    """
    from datamodules.samplers import SampleAddress
    from datamodules.synthetic.portraits import SyntheticPortraitsDataModule
    from lightning_modules.batches import stack_samples

    data = SyntheticPortraitsDataModule(
        photos=samples, drawings=2, clips=2, clip_frames=2, image_size=size, validation_photos=0, seed=seed
    )
    data.setup("fit")
    chosen = data.samples()
    return stack_samples([chosen[SampleAddress(0, index)] for index in range(samples)])


def quiet_trainer(callbacks: list[Callback], epochs: int = 1, **options: Any) -> Trainer:
    """A Trainer that trains on one device and writes nothing."""
    from lightning.pytorch import Trainer

    given: dict[str, Any] = {
        "accelerator": "auto",
        "devices": 1,
        "max_epochs": epochs,
        "callbacks": callbacks,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
    }
    return Trainer(**(given | options))


def fit_quietly(trainer: Trainer, module: PortraitGAN, data: Any) -> None:
    """Train on a data module or on a list of batches, without Lightning's advice about worker processes."""
    from torch.utils.data import DataLoader

    given = DataLoader(cast("Any", data), batch_size=None) if isinstance(data, list) else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, given)
