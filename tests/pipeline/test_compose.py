"""Eq. 1 and the mask it is used with."""

from __future__ import annotations

import torch

from lightning_modules.pipeline.compose import compose, drawing_mask


def test_equation_one_by_hand() -> None:
    foreground, background = torch.full((1, 1, 2, 2), 0.2), torch.full((1, 1, 2, 2), 1.0)
    mask = torch.tensor([[[[0.0, 1.0], [0.5, 0.25]]]])
    expected = torch.tensor([[[[1.0, 0.2], [0.6, 0.8]]]])
    assert torch.allclose(compose(foreground, background, mask), expected, atol=1e-6)


def test_one_background_serves_a_batch() -> None:
    out = compose(
        torch.zeros(3, 1, 4, 4),
        torch.ones(1, 1, 4, 4),
        torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 4, 4),
    )
    assert out.mean((1, 2, 3)).tolist() == [1.0, 0.5, 0.0]


def test_mask_is_hard_grown_and_monotone() -> None:
    ramp = torch.linspace(0, 1, 200).view(1, 1, 1, 200).expand(1, 1, 200, 200)
    mask = drawing_mask(ramp)
    assert mask.min() == 0.0
    assert mask.max() == 1.0
    assert bool((mask[..., 1:] >= mask[..., :-1]).all())
    # 0.006 · 200 rounds to 1 pixel: full one pixel (0.005) before the matte reaches 0.55.
    assert int((mask[0, 0, 100] < 1.0).sum()) == int((ramp[0, 0, 0] < 0.55).sum()) - 1
