"""Frames of a guided generator: the guide as in training, a still background, corrections at any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.export.generator_file import GeneratorTraining, save_generator
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.pipeline.animation_job import AnimationJob
from lightning_modules.pipeline.backends import Backends
from lightning_modules.pipeline.guided_renderer import GuidedRenderer
from lightning_modules.pipeline.portrait import Portrait
from lightning_modules.pipeline.warp_renderer import WarpRenderer
from lightning_modules.portrait_gan_inputs import InputRecipe, PortraitInputs, blend

TINY: dict[str, Any] = {
    "width": 4,
    "landmark_width": 2,
    "blocks": 2,
    "landmark_blocks": (0,),
    "head": "guided",
    "undecided": 0.3,
}
RECIPE = InputRecipe(mask_warp="articulated", drawing_mask=True)


def tiny(strength: float = 0.1) -> PortraitGenerator:
    """With random corrections of a strength; 0: none."""
    torch.manual_seed(6)
    generator = PortraitGenerator(**TINY)
    weight = generator.image_decoder.last.last.weight
    with torch.no_grad():  # the same for the four pixels of a position, so that corrections are smooth
        weight.copy_(strength * torch.randn(weight[:1].shape).expand_as(weight))
    return generator


@pytest.fixture
def poses(portrait: Portrait) -> torch.Tensor:
    noise = torch.randn(3, 68, 3, generator=torch.Generator().manual_seed(3))
    return portrait.landmarks[None] + noise


def plain(portrait: Portrait) -> Portrait:
    """The same without finer pictures, so that nothing is averaged."""
    pooled = {
        name: functional.avg_pool2d(getattr(portrait, name), portrait.detail) for name in ("drawing", "mask", "matte")
    }
    return replace(portrait, detail=1, **pooled)


def test_frames_are_those_that_the_training_would_draw(portrait: Portrait, poses: torch.Tensor) -> None:
    portrait = plain(portrait)
    empty = torch.zeros(1, 0, 1, 128, 128)
    static, masks = portrait.drawing * 2 - 1, torch.zeros(1, 3, 128, 128)
    batch = PortraitBatch(
        photo=portrait.photo * 2 - 1,
        static_drawing=static,
        matte=portrait.matte,
        landmarks=portrait.landmarks[None, :, :2],
        target_landmarks=poses[None, :2, :, :2],
        target_masks=masks,
        drawing=static,
        drawing_masks=masks,
        adjacent=empty,
        non_adjacent=empty,
    )
    inputs, _, blending = PortraitInputs(RECIPE, guided=True).derive(batch)
    assert blending is not None
    # Mask and background are the portrait's own here; the masks of both are made by one function.
    blending = blending._replace(background=(portrait.background * 2 - 1).repeat(2, 1, 1, 1))
    generator = tiny()
    with torch.no_grad():
        expected = (blend(generator(*inputs.arguments), blending) + 1) / 2
    found = GuidedRenderer(generator, recipe=RECIPE).render(portrait, poses[:2])
    # Near its edge the mask of the portrait, made from a finer matte, is another one than the training's.
    inside = -functional.max_pool2d(-blending.foreground, 9, 1, 4) > 0.999
    assert inside.sum() > 2000
    assert (found - expected)[inside].abs().max() < 2e-3
    assert (GuidedRenderer(generator, recipe=RECIPE).render(portrait, poses[1:]) - expected)[inside].abs().max() > 0.05


def test_without_corrections_it_is_the_warp(portrait: Portrait, poses: torch.Tensor) -> None:
    frames = GuidedRenderer(tiny(0.0), recipe=RECIPE).render(portrait, poses)
    warped = WarpRenderer().render(portrait, poses)
    assert (frames - warped).abs().mean() < 2e-3  # they differ in how edges are averaged
    assert (GuidedRenderer(tiny(), recipe=RECIPE).render(portrait, poses) - warped).abs().mean() > 5e-3


def test_the_background_is_still_to_the_bit(portrait: Portrait, poses: torch.Tensor) -> None:
    frames = GuidedRenderer(tiny(), recipe=RECIPE).render(portrait, poses)[:, 0]
    far = functional.max_pool2d(functional.avg_pool2d(portrait.mask, 2), 33, 1, 16)[0, 0] == 0
    assert far.sum() > 1000
    assert all(torch.equal(frame[far], portrait.background[0, 0][far]) for frame in frames)


def test_a_batch_is_a_stack_of_singles(portrait: Portrait, poses: torch.Tensor) -> None:
    renderer = GuidedRenderer(tiny(), recipe=RECIPE)
    together = renderer.render(portrait, poses)
    alone = torch.cat([renderer.render(portrait, pose[None]) for pose in poses])
    assert (together - alone).abs().max() < 1e-3  # the random head enlarges rounding errors some hundred times


def test_at_another_size_corrections_are_those_of_the_trained_one(portrait: Portrait, poses: torch.Tensor) -> None:
    """A portrait twice as large, drawn by a generator of 128 pixels: reduced again, it is the drawing of 128."""
    big = {
        name: functional.interpolate(getattr(portrait, name), scale_factor=2.0, mode="bilinear", align_corners=False)
        for name in ("photo", "drawing", "background", "mask", "matte")
    }
    landmarks = portrait.landmarks.clone()
    landmarks[:, :2] = (landmarks[:, :2] + 0.5) * 2 - 0.5
    large = replace(portrait, size=256, landmarks=landmarks, **big)
    twice = poses.clone()
    twice[..., :2] = (twice[..., :2] + 0.5) * 2 - 0.5
    renderer = GuidedRenderer(tiny(), recipe=RECIPE, image_size=128)
    small, reduced = renderer.render(portrait, poses), functional.avg_pool2d(renderer.render(large, twice), 2)
    untouched = GuidedRenderer(tiny(0.0), recipe=RECIPE).render(portrait, poses)
    assert (small - untouched).abs().mean() > 0.02
    assert (small - reduced).abs().mean() < 0.3 * (small - untouched).abs().mean()


def test_the_trained_size_is_computed_once_for_a_portrait(portrait: Portrait, poses: torch.Tensor) -> None:
    generator = tiny()
    calls: list[int] = []
    generator.image_encoder.branches[0].layers[0].register_forward_hook(lambda *_: calls.append(1))
    renderer = GuidedRenderer(generator, recipe=RECIPE, image_size=64)
    first, second = renderer.render(portrait, poses), renderer.render(portrait, poses)
    assert len(calls) == 1
    assert torch.equal(first, second)
    renderer.render(replace(portrait, photo=1 - portrait.photo), poses)
    assert len(calls) == 2


def test_a_file_says_that_its_generator_is_guided(tmp_path: Path) -> None:
    file = tmp_path / "g.safetensors"
    training = GeneratorTraining(recipe=RECIPE, flow_a="none", image_size=64)
    save_generator(PortraitGenerator(**TINY, warp_a=False), file, training)
    job = AnimationJob(Path("me.jpg"), Path("hello.wav"), Path("out.mp4"), weights=file)
    renderer, told = Backends().renderer(job)
    assert isinstance(renderer, GuidedRenderer)
    assert (renderer.recipe, renderer.image_size, told) == (RECIPE, 64, None)  # any size: nothing to be told


def test_the_masks_of_a_guide_need_one() -> None:
    for recipe in (InputRecipe(mask_warp="articulated"), InputRecipe(drawing_mask=True)):
        with pytest.raises(ConfigError, match="the generator has none"):
            PortraitInputs(recipe)
