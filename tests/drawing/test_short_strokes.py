"""Ticks go, lines stay."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.short_strokes import without_short_strokes

SIZE = 100


def paper() -> torch.Tensor:
    return torch.ones(1, 1, SIZE, SIZE)


def test_a_short_stroke_goes_with_its_rim_and_a_long_one_stays():
    drawing = paper()
    drawing[..., 20, 10:16] = 0.0  # 6 pixels
    drawing[..., 21, 10:16] = 0.9  # the soft rim
    drawing[..., 60, 10:40] = 0.0
    drawing[..., 61, 10:40] = 0.9
    cleaned = without_short_strokes(drawing, 0.1)
    assert float(cleaned[..., :40, :].min()) == 1.0
    assert torch.equal(cleaned[..., 40:, :], drawing[..., 40:, :])


def test_the_limit_is_a_share_of_the_side():
    drawing = paper()
    drawing[..., 20, 10:20] = 0.0  # exactly a tenth of the side
    assert torch.equal(without_short_strokes(drawing, 0.1), drawing)
    assert float(without_short_strokes(drawing, 0.11).min()) == 1.0


def test_what_hangs_together_diagonally_is_one_stroke():
    drawing = paper()
    steps = torch.arange(30, 50)
    drawing[0, 0, steps, steps] = 0.0
    assert torch.equal(without_short_strokes(drawing, 0.1), drawing)


def test_a_tick_beside_a_line_takes_nothing_from_it():
    drawing = paper()
    drawing[..., 50, 10:60] = 0.0
    drawing[..., 53, 20:24] = 0.0
    cleaned = without_short_strokes(drawing, 0.1)
    assert torch.equal(cleaned[..., 50, :], drawing[..., 50, :])
    assert float(cleaned[..., 53, :].min()) == 1.0


def test_short_strokes_that_stand_close_together_are_a_texture():
    def hatched(gap: int, count: int) -> torch.Tensor:
        drawing = paper()
        drawing[..., 40:46, 10 : 10 + gap * count : gap] = 0.0  # strokes of 6 pixels side by side
        return drawing

    wide = hatched(2, 20)  # 39 pixels in all
    assert torch.equal(without_short_strokes(wide, 0.1), wide)
    assert float(without_short_strokes(hatched(2, 5), 0.1).min()) == 1.0  # too little for a texture
    assert float(without_short_strokes(hatched(8, 10), 0.1).min()) == 1.0  # each stands alone


def test_every_drawing_of_a_batch_by_itself():
    tick, line = paper(), paper()
    tick[..., 20, 10:14], line[..., 20, 10:60] = 0.0, 0.0
    cleaned = without_short_strokes(torch.cat((tick, line)), 0.1)
    assert torch.equal(cleaned, torch.cat((paper(), line)))


def test_colour_is_refused():
    with pytest.raises(ValueError, match="one channel, not 3"):
        without_short_strokes(torch.ones(1, 3, 8, 8))
