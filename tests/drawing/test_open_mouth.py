"""Teeth of a smile go with the head; lips uncover and hide them."""

from __future__ import annotations

import math

import torch

from datamodules.synthetic.faces import in_crop, template
from lightning_modules.drawing.mouth_interior import CAVITY_TONE, draw_mouth_interior, mouth_opening, open_in_photo
from lightning_modules.drawing.moved_drawing import moved_drawing
from lightning_modules.drawing.open_mouth import head_placement, move_open_mouth

SIZE = 256
LOWER = [65, 66, 67, 55, 56, 57, 58, 59]


def smile(opening: float = 16.0) -> torch.Tensor:
    """A face whose inner lips are so many pixels apart."""
    landmarks = torch.tensor(in_crop(template(), SIZE)[:, :2], dtype=torch.float32)[None]
    landmarks[:, [65, 66, 67], 1] = landmarks[:, [63, 62, 61], 1]
    landmarks[:, LOWER, 1] += opening
    return landmarks


def teeth() -> torch.Tensor:
    """Stripes one after the other from left to right, 8 pixels each."""
    stripes = (torch.arange(SIZE) // 8 % 2).float()
    return stripes.expand(1, 1, SIZE, SIZE).contiguous()


def test_open_in_photo_by_hand():
    unit = float(torch.linalg.vector_norm(smile()[0, 45] - smile()[0, 36]))
    assert float(open_in_photo(smile(0.02 * unit))) == 0.0
    assert abs(float(open_in_photo(smile(0.045 * unit))) - 0.5) < 0.01
    assert float(open_in_photo(smile(0.1 * unit))) == 1.0


def test_a_smile_at_rest_is_left_alone():
    drawing = torch.rand(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    assert (move_open_mouth(drawing, drawing, smile(), smile()) - drawing).abs().max() < 1e-3


def test_a_mouth_that_is_closed_in_the_photo_is_not_touched():
    drawing = teeth()
    assert move_open_mouth(drawing, drawing, smile(20.0), smile(0.5)) is drawing


def test_the_head_is_found_whatever_lips_and_lids_do():
    turn = torch.tensor([[math.cos(0.2), -math.sin(0.2)], [math.sin(0.2), math.cos(0.2)]])
    moved = 1.1 * smile(3.0) @ turn.T + torch.tensor([5.0, -7.0])
    back = head_placement(smile(16.0), moved, moved[0, 17:27])
    assert torch.allclose(back[0], smile()[0, 17:27], atol=1e-3)


def test_closing_lips_hide_the_teeth_and_do_not_squeeze_them():
    static, rest, half = teeth(), smile(16.0), smile(8.0)
    shown = moved_drawing(static, rest, half).drawing
    inside = half[0, 60:68]
    row = int(inside[:, 1].mean())
    left, right = int(inside[:, 0].min()) + 6, int(inside[:, 0].max()) - 5
    assert (shown[0, 0, row, left:right] - static[0, 0, row, left:right]).abs().max() < 0.02


def test_teeth_stay_when_the_head_moves_and_lips_do_not():
    static, rest = teeth(), smile(16.0)
    lips = rest.clone()
    lips[:, 48:] += torch.tensor([4.0, 0.0])  # lips alone go to the right: the teeth do not
    shown = move_open_mouth(torch.zeros_like(static), static, lips, rest)
    middle = lips[0, 60:68].mean(0).round().long()
    window = slice(int(middle[0]) - 8, int(middle[0]) + 8)
    assert (shown[0, 0, middle[1], window] - static[0, 0, middle[1], window]).abs().max() < 0.02


def test_what_the_photo_does_not_show_is_cavity():
    static, rest, wide = torch.ones(1, 1, SIZE, SIZE), smile(10.0), smile(30.0)
    shown = move_open_mouth(static, static, wide, rest)[0, 0]
    middle = wide[0, [62, 66]].mean(0)
    assert float(shown[int(rest[0, 62, 1]) + 5, int(middle[0])]) == 1.0  # its own teeth
    assert abs(float(shown[int(wide[0, 66, 1]) - 4, int(middle[0])]) - CAVITY_TONE) < 0.02
    # And nothing is drawn over it a second time.
    assert draw_mouth_interior(static, wide, rest) is static


def test_lips_that_meet_get_a_line():
    static = torch.ones(1, 1, SIZE, SIZE)
    inks = []
    for opening in (8.0, 4.0, 0.0):
        drawn = move_open_mouth(static, static, smile(opening), smile(16.0))[0, 0]
        x, y = smile(opening)[0, 62].round().long().tolist()
        inks.append(float(1.0 - drawn[y - 1 : y + 2, x].min()))
    assert inks[0] == 0.0
    assert 0.2 < inks[1] < 0.8  # three quarters closed: half-way between 0.6 and 0.9
    assert inks[2] > 0.9
    assert float(mouth_opening(smile(0.0))) == 0.0
