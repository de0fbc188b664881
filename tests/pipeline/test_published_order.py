"""The published order around the networks: edited landmarks at 512 pixels, whole static drawing, levels cut off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from landmark_models import model
from torch.nn import functional

from lightning_modules.audio.loading import Speech
from lightning_modules.audio.track import LandmarkTrack
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.pipeline.gan_renderer import GanRenderer
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver
from lightning_modules.pipeline.published_order import PublishedCropDriver, with_edited_landmarks
from lightning_modules.portrait_gan_inputs import InputRecipe


class Still(PublishedLandmarkDriver):
    """Keeps what it was given and moves nothing."""

    def __init__(self) -> None:
        self.notes = ("said",)

    def drive(self, speech, face, fps):
        self.face = face
        return LandmarkTrack(np.repeat(face[None], 3, 0).astype(np.float32), fps)


def test_the_driver_is_given_512_pixels_and_answers_in_256():
    face = np.random.default_rng(0).uniform(20, 230, (68, 3))
    still = Still()
    driver = PublishedCropDriver(still)
    track = driver.drive(None, face, 25.0)
    assert np.allclose(still.face[:, :2], 2 * face[:, :2] + 0.5), "pixel centres stay pixel centres"
    assert np.allclose(still.face[:, 2], 2 * face[:, 2])
    assert np.allclose(track.landmarks, face[None], atol=1e-4)
    assert driver.notes == ("said",)


def test_the_first_frame_shows_the_edited_landmarks(portrait):
    """Of a speech in which nothing is said and no eye blinks: what drives and what is the source agree."""
    face = (frontal_face() * 90.0 + [127.5, 94.0, 0.0]).astype(np.float32)
    silence = Speech(samples=np.zeros(32000, np.float32), source="silence")
    driver = PublishedLandmarkDriver(model())
    driver.gains = replace(driver.gains, blink_rate=0.0, mouth_x=0.0, mouth_y=0.0)
    driven = PublishedCropDriver(driver).drive(silence, face, 25.0).landmarks[0]
    edited = with_edited_landmarks(replace(portrait, landmarks=torch.from_numpy(face))).landmarks.numpy()
    moved = edited - face
    assert np.allclose(moved[49:54, 1], 0.5, atol=1e-4), "a pixel of 512"
    assert np.allclose(moved[55:60, 1], -0.5, atol=1e-4)
    assert np.allclose(moved[[37, 38, 43, 44], 1], -1.0, atol=1e-4)
    assert np.allclose(moved[[40, 41, 46, 47], 1], 1.0, atol=1e-4)
    assert np.allclose(np.delete(moved, [*range(49, 54), *range(55, 60), 37, 38, 40, 41, 43, 44, 46, 47], 0), 0.0)
    others = [point for point in range(68) if point != 27]  # 27 is put in line with 28 and 29
    assert np.abs(driven[others, :2] - edited[others, :2]).max() < 0.02


@pytest.fixture
def renderer():
    torch.manual_seed(2)
    generator = PortraitGenerator(width=4, landmark_width=2, compat="official")
    return GanRenderer(generator, recipe=InputRecipe.official(), as_published=True)


def test_outside_the_person_the_whole_static_drawing_stands(portrait, renderer):
    frame = renderer.render(portrait, portrait.landmarks[None])[0]
    whole = functional.avg_pool2d(portrait.drawing, portrait.detail)[0]
    outside = (functional.avg_pool2d(portrait.matte, portrait.detail)[0] <= 0.5).expand_as(frame)
    cut_off = (whole * 255.0).floor() / 255.0
    assert outside.float().mean() > 0.3
    # The mask is carried by flow map B, so its very edge is mixed.
    differs = ((frame - cut_off).abs() > 1e-6) & outside
    assert differs.float().sum() / outside.float().sum() < 0.02
    usual = GanRenderer(renderer.generator, recipe=InputRecipe.official()).render(portrait, portrait.landmarks[None])[0]
    assert ((usual - portrait.background[0]).abs()[outside] < 1e-6).float().mean() > 0.98


def test_levels_are_cut_off_and_not_rounded(portrait, renderer):
    frame = renderer.render(portrait, portrait.landmarks[None])
    rounded = GanRenderer(renderer.generator, recipe=InputRecipe.official(), as_published=True)
    rounded.as_published = False
    inside = functional.avg_pool2d(portrait.matte, portrait.detail) > 0.5
    smooth = rounded.render(portrait, portrait.landmarks[None])
    levels = frame * 255.0
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    lost = (smooth - frame)[inside.expand_as(frame)] * 255.0
    assert float(lost.min()) > -1e-3
    assert 0.4 < float(lost[(lost > 0) & (lost < 1)].mean()) < 0.6
