"""The moving drawing: still where it must be still, the same in any batch, background where the head was."""

from __future__ import annotations

import torch
from torch.nn import functional

from lightning_modules.pipeline.portrait import Portrait
from lightning_modules.pipeline.warp_renderer import WarpRenderer


def test_at_rest_the_drawing_lies_over_the_background(portrait: Portrait) -> None:
    frame = WarpRenderer().render(portrait, portrait.landmarks[None])
    mask = functional.avg_pool2d(portrait.mask, 2)
    ink = functional.avg_pool2d((1 - portrait.drawing) * portrait.mask, 2) + (1 - portrait.background) * (1 - mask)
    assert (frame - (1 - ink)).abs().max() < 2e-3


def test_the_background_does_not_move(portrait: Portrait) -> None:
    poses = torch.stack([portrait.landmarks, portrait.landmarks + torch.tensor([5.0, 0, 0])])
    still, moved = WarpRenderer().render(portrait, poses)
    far = functional.max_pool2d(functional.avg_pool2d(portrait.mask, 2), 33, 1, 16)[0, 0] == 0
    assert far.sum() > 1000
    assert torch.equal(still[0][far], moved[0][far])
    assert torch.equal(still[0][far], portrait.background[0, 0][far])


def test_the_head_moves_and_uncovers_background(portrait: Portrait) -> None:
    moved = WarpRenderer().render(portrait, portrait.landmarks[None] + torch.tensor([12.0, 0, 0]))[0, 0]
    mask = functional.avg_pool2d(portrait.mask, 2)[0, 0]
    row = 64
    left = int((mask[row] > 0.5).nonzero()[0])
    assert abs(float(moved[row, left + 4]) - float(portrait.background[0, 0, row, left + 4])) < 0.02
    right = int((mask[row] > 0.5).nonzero()[-1])
    assert float(moved[row, right + 4]) < 0.3


def test_a_batch_is_a_stack_of_singles(portrait: Portrait) -> None:
    noise = torch.randn(4, 68, 3, generator=torch.Generator().manual_seed(3))
    poses = portrait.landmarks[None] + noise
    together = WarpRenderer().render(portrait, poses)
    for index in range(4):
        alone = WarpRenderer().render(portrait, poses[index : index + 1])
        assert (together[index : index + 1] - alone).abs().max() < 2e-4


def test_two_or_three_coordinates_are_the_same(portrait: Portrait) -> None:
    poses = portrait.landmarks[None] + 1.0
    assert torch.equal(WarpRenderer().render(portrait, poses), WarpRenderer().render(portrait, poses[..., :2]))


def test_the_paper_baseline_leaves_the_mouth_alone(portrait: Portrait) -> None:
    opened = portrait.landmarks[None].clone()
    opened[0, 65:68, 1] += 8
    with_interior = WarpRenderer().render(portrait, opened)
    without = WarpRenderer(drawn_features=False).render(portrait, opened)
    difference = (with_interior - without).abs()[0, 0]
    rows, columns = (difference > 0.01).nonzero(as_tuple=True)
    mouth = portrait.landmarks[48:68]
    assert len(rows) > 20
    assert columns.min() >= mouth[:, 0].min() - 4
    assert columns.max() <= mouth[:, 0].max() + 4
    assert rows.min() >= mouth[:, 1].min() - 6
