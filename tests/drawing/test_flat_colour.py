from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.flat_colour import (
    brightened,
    evened_skin,
    lab_of,
    rgb_of,
    skin_share,
    skin_tone,
    soft_steps,
    step_softness,
    without_texture,
)
from lightning_modules.drawing.guidance import make_guidance


def colour(*values, side=48):
    return torch.tensor(values).view(1, 3, 1, 1).expand(1, 3, side, side).contiguous()


def test_lab_of_known_colours_and_back():
    lab = [lab_of(colour(*rgb))[0, :, 0, 0] for rgb in ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0))]
    torch.testing.assert_close(lab[0], torch.tensor([100.0, 0.0, 0.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(lab[1], torch.tensor([0.0, 0.0, 0.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(lab[2], torch.tensor([53.24, 80.09, 67.20]), atol=0.1, rtol=0)
    picture = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(rgb_of(lab_of(picture)), picture, atol=1e-3, rtol=0)


def test_soft_steps_by_hand():
    values = torch.tensor([-1.0, 0.0, 0.3, 0.45, 0.5, 0.55, 0.7, 1.0, 1.5])
    found = soft_steps(values, 0.1)
    torch.testing.assert_close(found, torch.tensor([-1.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.5]))
    torch.testing.assert_close(soft_steps(values, 0.5), values)


@pytest.mark.parametrize("softness", [0.05, 0.2, 0.5])
def test_soft_steps_never_fall_nor_jump_and_keep_whole_numbers(softness):
    values = torch.linspace(-3.0, 3.0, 6001, dtype=torch.float64)
    steps = soft_steps(values, softness)
    rises = steps.diff()
    assert rises.min() >= -1e-12
    assert rises.max() <= 0.001 * 0.5 / softness + 1e-9
    whole = torch.arange(-3.0, 4.0)
    assert torch.equal(soft_steps(whole, softness), whole)


def test_steps_are_as_sharp_as_the_picture_is_steep():
    x = torch.arange(32.0).expand(1, 1, 32, 32)
    for slope, expected in ((0.01, 0.05), (0.2, 0.16), (2.0, 0.5)):
        assert float(step_softness(slope * x, 0.05)[0, 0, 16, 16]) == pytest.approx(expected, abs=1e-5)


def test_texture_goes_and_edges_stay():
    torch.manual_seed(0)
    lab = colour(50.0, 0.0, 0.0)
    lab[..., 24:] += 40.0
    noisy = lab + 2.0 * torch.randn_like(lab)
    smooth = without_texture(noisy, 3.0, 12.0, 3)
    assert (smooth - lab)[..., 4:20].std() < 0.3 * (noisy - lab)[..., 4:20].std()
    assert float((smooth[..., 30] - smooth[..., 18]).mean()) == pytest.approx(40.0, abs=1.0)
    assert float((smooth[..., 24] - smooth[..., 23]).mean()) > 36.0
    torch.testing.assert_close(without_texture(lab.flip(-1), 3.0, 12.0, 3), without_texture(lab, 3.0, 12.0, 3).flip(-1))


def test_the_skin_tone_is_hardly_moved_by_what_covers_the_face():
    skin = colour(70.0, 15.0, 20.0, side=96)
    covered = skin.clone()
    covered[..., 20:40, :] = torch.tensor([10.0, 0.0, 0.0]).view(1, 3, 1, 1)
    guidance = make_guidance(skin[:, :1], None, None)
    torch.testing.assert_close(skin_tone(skin, guidance), skin[..., :1, :1])
    moved = (skin_tone(covered, guidance) - skin[..., :1, :1]).abs().amax()
    plain = ((covered - skin) * guidance.face).sum((2, 3)) / guidance.face.sum((2, 3))
    assert moved < 0.35 * plain.abs().amax()


def test_skin_is_of_one_hue_and_other_colours_stay():
    lab = colour(70.0, 15.0, 20.0, side=96)
    lab[..., 48:] = torch.tensor([68.0, 17.0, 18.0]).view(1, 3, 1, 1)
    lab[..., :12, :] = torch.tensor([60.0, -40.0, 10.0]).view(1, 3, 1, 1)
    guidance = make_guidance(lab[:, :1], None, None)
    tone = torch.tensor([69.0, 16.0, 19.0]).view(1, 3, 1, 1)
    share = skin_share(lab, tone, guidance, 1.0)
    assert share[..., 60:, :].min() > 0.95
    assert share[..., :6, :].max() < 1e-3
    even = evened_skin(lab, tone, share, 4.0, 1.0)
    assert (even[:, 1:, 60:] - tone[:, 1:]).abs().max() < 0.1
    torch.testing.assert_close(even[..., :6, :], lab[..., :6, :], atol=0.05, rtol=0)


@pytest.mark.parametrize("skin", [20.0, 50.0, 80.0])
def test_brightness_rises_with_light_and_keeps_black_and_white(skin):
    light = torch.linspace(0.0, 100.0, 501).view(1, 1, 1, -1)
    tone = torch.full((1, 1, 1, 1), skin)
    bright = brightened(light, tone, 0.7)
    assert bright.diff(dim=-1).min() >= 0
    torch.testing.assert_close(bright[..., light[0, 0, 0] <= 10], light[..., light[0, 0, 0] <= 10], atol=0.02, rtol=0)
    assert float(bright[..., -1]) == pytest.approx(100.0, abs=1e-3)
    part = max(skin, 30.0) / 100
    at_skin = brightened(torch.full((1, 1, 1, 1), 100 * part), tone, 0.7)
    assert float(at_skin) == pytest.approx(100 * (part + 0.7 * part * (1 - part)), abs=0.01)
    torch.testing.assert_close(brightened(light, tone, 0.0), light, atol=0.011, rtol=0)
