"""The static drawing in other poses."""

from __future__ import annotations

import torch

from datamodules.synthetic.faces import in_crop, template
from lightning_modules.drawing.mouth_interior import draw_mouth_interior
from lightning_modules.drawing.moved_drawing import moved_drawing
from lightning_modules.geometry.sampling import sample

SIZE = 128


def face():
    return torch.tensor(in_crop(template(), SIZE)[:, :2], dtype=torch.float32)


def drawing():
    return torch.rand(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_at_rest_it_is_the_drawing_itself():
    moved = moved_drawing(drawing(), face()[None], face()[None])
    assert (moved.drawing - drawing()).abs().max() < 1e-3


def test_the_map_is_the_one_that_moved_it():
    target = (face() + torch.tensor([5.0, -3.0]))[None].repeat(2, 1, 1)
    target[1] = face() * 1.02
    moved = moved_drawing(drawing(), face()[None], target, drawn_features=False)
    again = sample(drawing().expand(2, -1, -1, -1), moved.positions, padding="border")
    assert torch.equal(moved.drawing, again)
    # The tip of the nose shows what was there before.
    for row in range(2):
        x, y = target[row, 30].round().long().tolist()
        shown = moved.positions[row, y, x] - (target[row, 30].round() - target[row, 30])
        assert (shown - face()[30]).abs().max() < 0.5


def test_an_opened_mouth_is_drawn_once_for_every_face_of_a_batch():
    opened = face().clone()
    opened[[56, 57, 58, 65, 66, 67], 1] += 8.0
    paper = torch.ones(1, 1, SIZE, SIZE)
    rests = torch.stack((face(), opened))
    moved = moved_drawing(paper.repeat(2, 1, 1, 1), rests, torch.stack((opened, opened)))
    dark = (moved.drawing < 0.5).sum((1, 2, 3))
    assert dark[0] > 30
    assert dark[1] == 0  # its mouth was open before
    alone = draw_mouth_interior(paper, opened[None], face()[None])
    assert (moved.drawing[0] - alone[0]).abs().max() < 1e-6
