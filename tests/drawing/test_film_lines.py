from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.film_lines import draw_film, steady_frames


def still_film(frames=9, sigma=0.02, seed=0):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.rand((1, 3, 12, 14), generator=generator).repeat_interleave(4, 2).repeat_interleave(4, 3)
    noise = sigma * torch.randn((frames, 3, 48, 56), generator=generator)
    return picture, (0.1 + 0.8 * picture + noise).clamp(0, 1)


def test_noise_of_a_still_shot_goes_down_as_five_frames_average():
    picture, noisy = still_film()
    before = (noisy - 0.1 - 0.8 * picture).std()
    after = (steady_frames(noisy) - 0.1 - 0.8 * picture)[2:-2].std()
    assert after < 0.55 * before  # 1/sqrt(5) = 0.45, were all weights 1


def test_a_moving_edge_leaves_no_ghost():
    frames = torch.ones((7, 1, 24, 48))
    for k in range(7):
        frames[k, :, :, : 6 + 6 * k] = 0.0
    assert torch.allclose(steady_frames(frames), frames, atol=1e-6)
    plain = (frames[:-2] + frames[1:-1] + frames[2:]) / 3  # what a plain average would do
    assert (plain - frames[1:-1]).abs().max() > 0.3


def test_time_has_no_direction_and_single_frames_stay():
    _, noisy = still_film()
    assert torch.allclose(steady_frames(noisy.flip(0)), steady_frames(noisy).flip(0), atol=1e-6)
    assert torch.equal(steady_frames(noisy[:1]), noisy[:1])
    assert torch.equal(steady_frames(noisy, reach=0), noisy)
    with pytest.raises(ValueError, match="cannot steady"):
        steady_frames(noisy, tolerance=0.0)


class Threshold:
    name, channels = "threshold", 1

    def __init__(self):
        self.seen = []

    def draw(self, photo, *, landmarks=None, matte=None):
        self.seen.append((photo, landmarks, matte))
        return (photo.mean(1, keepdim=True) > 0.5).float()

    def settings(self):
        return {}


def test_every_frame_is_drawn_with_its_own_landmarks_and_matte():
    _, noisy = still_film(frames=4)
    landmarks = torch.arange(4.0)[:, None, None].expand(4, 68, 2)
    drawer = Threshold()
    lines = draw_film(noisy, drawer, landmarks=landmarks, mattes=torch.ones(4, 1, 48, 56))
    assert lines.shape == (4, 1, 48, 56)
    assert [float(seen[1][0, 0, 0]) for seen in drawer.seen] == [0, 1, 2, 3]
    assert all(torch.allclose(seen[2], torch.ones(1, 1, 48, 56)) for seen in drawer.seen)


def test_lines_flicker_less_than_frame_by_frame():
    _, noisy = still_film(sigma=0.05)
    apart = torch.cat([Threshold().draw(frame[None]) for frame in noisy])
    together = draw_film(noisy, Threshold())

    def flicker(lines):
        return float((lines[1:] - lines[:-1]).abs().mean())

    assert flicker(together) < 0.5 * flicker(apart)
