from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.drawer import CartoonDrawer, ShotDrawer, StaticDrawer, make_drawer
from lightning_modules.drawing.flat_colour import lab_of
from lightning_modules.errors import ConfigError

PLAIN = {"saturation": 1.0, "brightness": 0.0}


def draw(case, **options):
    return make_drawer("cartoon", board=192, **options).draw(case.photo, landmarks=case.landmarks, matte=case.matte)


def test_the_drawer_keeps_its_promises():
    drawer = make_drawer("cartoon")
    assert isinstance(drawer, CartoonDrawer)
    assert isinstance(drawer, (StaticDrawer, ShotDrawer))
    assert (drawer.name, drawer.channels) == ("cartoon", 3)
    settings = make_drawer("cartoon", step=12, board=300).settings()
    options = {k: v for k, v in settings.items() if k not in ("method", "edition", "look")}
    assert make_drawer("cartoon", **options).settings() == settings
    for wrong in ({"step": 1.0}, {"saturation": -0.1}, {"shade": 3.0}, {"board": 5}, {"colour": 1}):
        with pytest.raises(ConfigError):
            make_drawer("cartoon", **wrong)


@pytest.mark.parametrize("rgb", [(0.8, 0.6, 0.5), (0.2, 0.3, 0.6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
def test_a_flat_colour_stays_flat_and_drawing_it_again_changes_nothing(rgb):
    photo = torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 96, 130).contiguous()
    once = make_drawer("cartoon", board=128).draw(photo)
    assert once.amax((2, 3)).sub(once.amin((2, 3))).max() < 1e-5
    plain = make_drawer("cartoon", board=128, **PLAIN)
    torch.testing.assert_close(plain.draw(photo), photo, atol=2e-3, rtol=0)
    torch.testing.assert_close(plain.draw(plain.draw(photo)), plain.draw(photo), atol=2e-3, rtol=0)


def test_lighter_is_never_drawn_darker():
    light = torch.linspace(0.05, 0.95, 200).expand(1, 3, 192, 200).contiguous()
    row = lab_of(make_drawer("cartoon", board=192, detail=0.05, mass_tone=0.0).draw(light))[0, 0, 96]
    assert row.diff().min() > -0.05
    # Three quarters of it are flat: it is a staircase, and its steps are the style's.
    assert float((row.diff() < 0.15 * row.diff().mean()).float().mean()) > 0.5


def test_a_portrait_is_flat_coloured_and_the_same_each_time(portrait):
    first = draw(portrait)
    assert torch.equal(first, draw(portrait))
    assert first.shape == (1, 3, 256, 256)
    assert 0.0 <= first.min() <= first.max() <= 1.0
    assert (first[:, 0] - first[:, 2]).abs().mean() > 0.02

    def flat(picture):
        steps = (picture[..., 1:] - picture[..., :-1]).abs().amax(1)
        return float((steps < 1 / 255).float().mean())

    assert flat(first) > 0.6
    assert flat(first) > 2 * flat(portrait.photo)


def test_mirrored_photos_are_drawn_mirrored(portrait):
    plain = make_drawer("cartoon", board=192).draw(portrait.photo, matte=portrait.matte)
    mirrored = make_drawer("cartoon", board=192).draw(portrait.photo.flip(-1), matte=portrait.matte.flip(-1))
    assert (mirrored.flip(-1) - plain).abs().mean() < 1e-3


def test_a_little_noise_changes_little(portrait):
    torch.manual_seed(0)
    noisy = (portrait.photo + 1 / 255 * torch.randn_like(portrait.photo)).clamp(0, 1)
    drawer = make_drawer("cartoon", board=192)
    known = {"landmarks": portrait.landmarks, "matte": portrait.matte}
    assert (drawer.draw(noisy, **known) - drawer.draw(portrait.photo, **known)).abs().mean() < 0.006


def test_what_is_behind_does_not_depend_on_who_is_in_front(portrait):
    behind = torch.zeros_like(portrait.matte)
    drawer = make_drawer("cartoon", board=192, detail=0.05)
    photo = portrait.photo.clone()
    without = drawer.draw(photo, matte=behind)
    photo[..., 100:160, 100:160] = 0.9  # another face
    moved = drawer.draw(photo, matte=behind)
    assert (moved - without)[..., :60, :60].abs().max() < 0.02


def test_gray_photos_give_gray_cartoons(portrait):
    drawn = make_drawer("cartoon", board=192).draw(portrait.photo.mean(1, keepdim=True), matte=portrait.matte)
    assert drawn.shape == (1, 3, 256, 256)
    assert (drawn.amax(1) - drawn.amin(1)).max() < 0.01
