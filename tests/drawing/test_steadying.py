from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.drawer import make_drawer
from lightning_modules.drawing.film_lines import draw_film
from lightning_modules.drawing.image_filters import gaussian_blur
from lightning_modules.drawing.steadying import Agreement, alone
from lightning_modules.drawing.tangent_field import field_of_tensor, structure_tensor


def angles(tensors):
    tangent = field_of_tensor(tensors).tangent
    return torch.atan2(2 * tangent[..., 0] * tangent[..., 1], tangent[..., 0] ** 2 - tangent[..., 1] ** 2)


def steadied(frames, tensors):
    return torch.cat([one for _, one in Agreement(frames).steady((None, t) for t in tensors.split(1))])


def test_a_still_noisy_shot_gets_tangents_of_a_fifth_of_the_variance():
    generator = torch.Generator().manual_seed(0)
    x = torch.arange(64.0).expand(64, 64)
    picture = 0.5 + 0.2 * torch.sin(0.35 * x)[None, None]
    frames = picture + 0.004 * torch.randn((15, 1, 64, 64), generator=generator)
    tensors = gaussian_blur(structure_tensor(frames), 1.5)
    before, after = (angles(one)[2:-2, 8:-8, 8:-8] for one in (tensors, steadied(frames, tensors)))
    truth = angles(gaussian_blur(structure_tensor(picture), 1.5))[:, 8:-8, 8:-8]

    def variance(found):
        turned = found - truth
        return float(torch.atan2(torch.sin(turned), torch.cos(turned)).square().mean())

    # Five independent frames: a fifth, a little more since neighbours do not agree wholly.
    assert 0.18 < variance(after) / variance(before) < 0.3


def test_a_moving_edge_keeps_its_own_tangent():
    frames, turns, mixed = [], (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), []
    y, x = torch.meshgrid(torch.arange(48.0) - 24, torch.arange(48.0) - 24, indexing="ij")
    for turn in turns:
        side = torch.cos(torch.tensor(turn)) * x + torch.sin(torch.tensor(turn)) * y
        frames.append(0.5 + 0.4 * torch.tanh(side / 2))
    shot = torch.stack(frames)[:, None]
    tensors = structure_tensor(shot)
    after = steadied(shot, tensors)
    plain = torch.stack([tensors[max(0, t - 2) : t + 3].mean(0) for t in range(len(shot))])
    on_edge = (shot - 0.5).abs()[:, 0] < 0.15
    far = (x * x + y * y) > 12**2
    for t in range(len(shot)):
        where = on_edge[t] & far

        def turned(found, t=t, where=where):
            apart = angles(found)[t][where] - angles(tensors)[t][where]
            return float(torch.atan2(torch.sin(apart), torch.cos(apart)).abs().max())

        assert turned(after) < 0.05
        mixed.append(turned(plain))
    assert max(mixed) > 0.1


def test_maps_of_another_size_and_of_few_frames():
    frames = torch.rand(3, 3, 16, 20)
    still = frames[:1].expand(3, -1, -1, -1)
    maps = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 30, 40)
    handed = list(Agreement(still).steady(zip("abc", maps.split(1), strict=True)))
    assert [name for name, _ in handed] == ["a", "b", "c"]
    assert all(torch.allclose(one, torch.ones(1, 1, 30, 40)) for _, one in handed)
    alone_again = list(Agreement(still, reach=0).steady(zip("abc", maps.split(1), strict=True)))
    assert all(torch.equal(one, given) for (_, one), given in zip(alone_again, maps.split(1), strict=True))
    assert list(alone(iter([(1, maps)]))) == [(1, maps)]
    with pytest.raises(ValueError, match="2 maps for 3 frames"):
        list(Agreement(still).steady((None, one) for one in maps[:2].split(1)))


@pytest.mark.parametrize("look", ["ink", "cartoon"])
def test_a_shot_of_one_frame_is_that_frame(look, portrait):
    drawer = make_drawer(look, board=128)
    alone_drawn = drawer.draw(portrait.photo, landmarks=portrait.landmarks, matte=portrait.matte)
    shot = draw_film(portrait.photo, drawer, landmarks=portrait.landmarks, mattes=portrait.matte)
    torch.testing.assert_close(shot, alone_drawn)


class FrameByFrame:
    """The same drawer without its way through a shot."""

    def __init__(self, drawer):
        self.name, self.channels, self.settings, self.draw = "one", 1, drawer.settings, drawer.draw


def test_ink_of_a_still_noisy_shot_flickers_less_than_with_steady_frames_alone(portrait):
    generator = torch.Generator().manual_seed(1)
    noisy = (portrait.photo + 5 / 255 * torch.randn((8, 3, 256, 256), generator=generator)).clamp(0, 1)
    drawer = make_drawer("ink", board=128)
    known = {"landmarks": portrait.landmarks.expand(8, -1, -1), "mattes": portrait.matte.expand(8, -1, -1, -1)}

    def flicker(drawn):
        return float((drawn[3:6] - drawn[2:5]).abs().mean())

    assert flicker(draw_film(noisy, drawer, **known)) < 0.75 * flicker(draw_film(noisy, FrameByFrame(drawer), **known))
