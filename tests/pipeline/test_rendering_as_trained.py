"""The same photo by way of a prepared set into a training batch, and by way of a portrait into the renderer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.datasets.pixels import loaded_landmarks, loaded_planes, mask_tensor, picture_tensor
from datamodules.prepare.photos import PhotoSettings, PhotoTools, portrait_of
from datamodules.prepare.preparation import SourceItem
from datamodules.prepare.record import PreparedPortrait
from datamodules.prepare.sources import Terms
from lightning_modules.batches import PortraitBatch
from lightning_modules.faces.face import Face
from lightning_modules.faces.photo import photo_from_pixels
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.pipeline.compose import drawing_mask
from lightning_modules.pipeline.gan_renderer import GanRenderer
from lightning_modules.pipeline.portrait import Portrait, prepare_portrait
from lightning_modules.portrait_gan_inputs import InputRecipe, PortraitInputs

SIZE = 256


class SoftMatter:
    """A person whose silhouette fades over a fifth of the picture, as in hair: raw and steepened differ much."""

    name = "soft"

    def matte(self, rgb: np.ndarray) -> np.ndarray:
        height, width = rgb.shape[:2]
        rows, columns = np.mgrid[:height, :width]
        away = np.hypot(rows - height / 2, columns - width / 2) / height
        return np.clip((0.45 - away) / 0.2, 0, 1).astype(np.float32)


@pytest.fixture
def both(astronaut: np.ndarray, face: Face, drawer: Any) -> tuple[PreparedPortrait, Portrait]:
    photo = photo_from_pixels(astronaut)
    there = Face(face.box, face.landmarks + np.float32([95, -30, 0]), 1.0)
    matter = SoftMatter()
    item = SourceItem("a", "a.png", Path("a.png"), photo.sha256, Terms("CC0-1.0"), "f")
    tools = PhotoTools(analyzer=_NoAnalyzer(), matter=matter, drawer=drawer)
    record = portrait_of(item, photo, [there], PhotoSettings(size=512), tools)
    return record, prepare_portrait(photo, there, drawer=drawer, matter=matter, size=SIZE)


class _NoAnalyzer:
    name = "none"

    def find_faces(self, rgb: np.ndarray) -> list[Face]:
        raise AssertionError


def training_batch(record: PreparedPortrait) -> PortraitBatch:
    """The record's pictures at the training's size, uncut and unmirrored."""
    assert record.drawing is not None
    drawing = picture_tensor(loaded_planes(record.drawing, SIZE, 1).copy())[None]
    landmarks = torch.from_numpy(loaded_landmarks(record.landmarks, record.size, SIZE))[None]
    nothing = torch.zeros(1, 0, 1, SIZE, SIZE)
    return PortraitBatch(
        photo=picture_tensor(loaded_planes(record.photo, SIZE, 3).copy())[None],
        static_drawing=drawing,
        matte=mask_tensor(loaded_planes(record.matte, SIZE, 1).copy())[None],
        landmarks=landmarks,
        target_landmarks=landmarks[:, None].repeat(1, 2, 1, 1),
        target_masks=torch.zeros(1, 3, SIZE, SIZE),
        drawing=drawing,
        drawing_masks=torch.zeros(1, 3, SIZE, SIZE),
        adjacent=nothing,
        non_adjacent=nothing,
    )


class Listening(PortraitGenerator):
    """Remembers the photo that it was given."""

    def __init__(self) -> None:
        super().__init__(width=4, landmark_width=2, blocks=2, landmark_blocks=(0,))
        self.heard: list[torch.Tensor] = []

    def encode(self, photo: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.heard.append(photo)
        return super().encode(photo)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().mean())


@pytest.mark.parametrize("recipe", [InputRecipe(), InputRecipe(soft_matte=False), InputRecipe.official()])
def test_the_generator_is_fed_as_in_training(both: Any, recipe: InputRecipe) -> None:
    """The sizes are reached by other filters (bicubic there, a mean here): hence the few thousandths between them."""
    record, portrait = both
    inputs = PortraitInputs(recipe)
    batch = training_batch(record)
    generator = Listening()
    source = GanRenderer(generator, recipe=recipe).source_side(portrait)
    assert torch.allclose(source.landmarks, batch.landmarks, atol=1e-3)
    assert difference(source.mask, inputs.matte(batch)) < 1e-3
    assert difference(generator.heard[0], inputs.photo(batch)) < 4e-3
    # It would be seen: the steepened mask is tens of times as far away.
    steep = torch.nn.functional.avg_pool2d(drawing_mask(portrait.matte), portrait.detail)
    assert difference(steep, inputs.matte(batch)) > 0.03


def test_a_generator_without_separation_is_fed_the_photo_as_it_is(both: Any) -> None:
    record, portrait = both
    batch = training_batch(record)
    generator = Listening()
    renderer = GanRenderer(generator, separate_foreground=False)
    renderer.source_side(portrait)
    assert difference(generator.heard[0], PortraitInputs(separate_foreground=False).photo(batch)) < 4e-3
    frames = renderer.render(portrait, portrait.landmarks[None])
    with torch.no_grad():
        drawn = generator(
            *(values[:1] for values in PortraitInputs(separate_foreground=False).derive(batch).inputs.arguments)
        )
    assert difference(frames, (drawn + 1) / 2) < 4e-3
    assert difference(frames, GanRenderer(generator).render(portrait, portrait.landmarks[None])) > 0.03
