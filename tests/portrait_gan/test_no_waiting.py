"""A training step never waits for the device: neither reads from it nor hands it numbers; logging apart."""

from __future__ import annotations

import contextlib

import pytest
import torch
from lightning.pytorch import Callback
from meta_device import CrossingError, MetaStrategy, WatchSteps, no_crossing
from tiny_gan import Batches, fit, make_batch
from torch import nn

from lightning_modules.losses.objective import Objective
from lightning_modules.networks.coherence_discriminator import CoherenceDiscriminator
from lightning_modules.networks.drawing_discriminators import DrawingDiscriminators
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.portrait_gan import PortraitGAN
from lightning_modules.portrait_gan_inputs import InputRecipe


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 136)

    def forward(self, crop):
        return self.layer(crop.mean((2, 3)))


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 8, 8)

    def forward(self, crop):
        return [self.layer(crop), crop.mean((2, 3))]


class Flow(nn.Module):
    """Flow map A of a network that knows nothing."""

    def __init__(self):
        super().__init__()
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, source, target):
        moved = (target - source).mean(1)[:, :, None, None] * self.share
        return moved.expand(-1, -1, 256, 256), torch.ones_like(moved[:, :1]).expand(-1, -1, 256, 256)


def whole_gan(**options) -> PortraitGAN:
    """Every network, every term, clipping, the pool, micro-batches."""
    torch.manual_seed(0)
    return PortraitGAN(
        PortraitGenerator(width=8, blocks=4, landmark_blocks=(0, 2)),
        DrawingDiscriminators(width=8, halvings=2),
        CoherenceDiscriminator(width=8, halvings=2),
        Objective(),
        **{
            "geometry_detector": Detector(),
            "identity_features": Features(),
            "flow_regression": Flow(),
            "gradient_clip": 1.0,
            "pool_size": 2,
            "micro_batches": 2,
        }
        | options,
    )


def train(module, folder, *callbacks, batches=None, **options):
    given = batches or [make_batch(4, seed) for seed in range(2)]
    strategy = {"strategy": MetaStrategy(), "accelerator": "auto"}
    fit(
        module,
        folder,
        epochs=1,
        data=Batches(*given),
        callbacks=list(callbacks),
        log_every_n_steps=1000,
        **strategy | options,
    )


RECIPES = {
    "default": {},
    "official": {"recipe": InputRecipe.official()},
    "plain": {"separate_foreground": False, "flow_regression": None, "symmetric_coherence": True, "pool_pairs": False},
    "log loss": {"adversarial_kind": "log"},
}


@pytest.fixture(autouse=True)
def no_autocast_without_values(monkeypatch):
    """The meta device knows no autocast, and needs none."""
    real = torch.autocast

    def autocast(device_type, *given, **options):
        return contextlib.nullcontext() if device_type == "meta" else real(device_type, *given, **options)

    monkeypatch.setattr(torch, "autocast", autocast)


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_crosses_between_host_and_device_nowhere(tmp_path, name):
    watch = WatchSteps()
    module = whole_gan(**RECIPES[name])
    train(module, tmp_path, watch)
    assert watch.watched == 1
    assert {value.device.type for value in module.report.values()} == {"meta"}
    assert "raw/geometry" in module.report


@pytest.mark.parametrize(
    ("crossing", "error"),
    [
        (lambda values: values.sum().item(), RuntimeError),
        (lambda values: bool((values > 0).all()), RuntimeError),
        (lambda values: values.cpu(), NotImplementedError),
        (lambda values: values.tolist(), (RuntimeError, NotImplementedError)),
        (lambda values: values.nonzero(), NotImplementedError),
        (lambda values: values[values > 0], NotImplementedError),
        (lambda values: torch.ones(3).to(values.device), CrossingError),
        (lambda values: values.new_tensor([1.0]), CrossingError),
        (lambda values: torch.tensor([1.0], device=values.device), CrossingError),
        (lambda values: values[[0]], CrossingError),
        (lambda values: values.copy_(torch.ones(3)), CrossingError),
    ],
)
def test_crossings_are_found_out(crossing, error):
    values = torch.ones(3, device="meta")
    with pytest.raises(error), no_crossing():
        crossing(values)


def test_work_on_the_device_is_let_pass():
    with no_crossing():
        values = torch.ones(3, device="meta") * 2 + torch.rand(()) + 1
        values[torch.arange(2, device="meta")] = 3.0
        assert torch.ones(3).sum().item() == 3
    assert values.is_meta


def test_a_batch_without_triangles_would_wait(tmp_path):
    bare = [make_batch(4, seed) for seed in range(2)]
    for batch in bare:
        object.__setattr__(batch, "target_triangles", None)
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta"):
        train(whole_gan(), tmp_path, WatchSteps(), batches=bare)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", RECIPES)
def test_cuda_is_never_waited_for(tmp_path, name, precision):
    class Strict(Callback):
        steps = 0

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            torch.cuda.set_sync_debug_mode("error" if batch_idx else "default")

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            torch.cuda.set_sync_debug_mode("default")
            self.steps += 1

    strict = Strict()
    try:
        train(whole_gan(**RECIPES[name]), tmp_path, strict, accelerator="cuda", strategy="auto", precision=precision)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert strict.steps == 2
