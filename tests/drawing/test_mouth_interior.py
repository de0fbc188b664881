"""The opened mouth shows a dark cavity, teeth and a lip line; a mouth at rest is left alone."""

from __future__ import annotations

import itertools

import torch

from lightning_modules.drawing.mouth_interior import CAVITY_TONE, draw_mouth_interior, in_profile, mouth_opening
from lightning_modules.geometry.shapes import fill_polygon

SIZE = 128


def closed_mouth() -> torch.Tensor:
    """68 points of which only the eyes' outer corners (80 px apart) and the inner lips mean anything."""
    landmarks = torch.zeros(1, 68, 2)
    landmarks[0, 36], landmarks[0, 45] = torch.tensor([24.0, 40.0]), torch.tensor([104.0, 40.0])
    xs = torch.tensor([44.0, 54, 64, 74, 84, 74, 64, 54])
    landmarks[0, 60:68] = torch.stack([xs, torch.full((8,), 80.0)], 1)
    return landmarks


def opened(by: float) -> torch.Tensor:
    landmarks = closed_mouth()
    landmarks[0, 65:68, 1] += by
    return landmarks


def test_opening_by_hand() -> None:
    assert torch.allclose(mouth_opening(opened(16.0)), torch.tensor([0.2]))


def test_a_mouth_at_rest_is_left_alone() -> None:
    paper = torch.rand(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw_mouth_interior(paper, closed_mouth(), closed_mouth()), paper)
    # Also a mouth that is open in the photo: its own teeth are drawn already.
    assert torch.equal(draw_mouth_interior(paper, opened(10.0), opened(10.0)), paper)


def test_the_opened_mouth_is_dark_below_and_white_at_the_teeth() -> None:
    drawn = draw_mouth_interior(torch.full((1, 1, SIZE, SIZE), 0.7), opened(20.0), closed_mouth())[0, 0]
    assert abs(float(drawn[95, 64]) - CAVITY_TONE) < 0.02
    assert float(drawn[83, 64]) > 0.98
    assert float(drawn[80, 64]) < 0.3  # the line along the upper lip
    outside = 1 - fill_polygon(opened(26.0)[:, 60:68], SIZE)[0, 0]
    untouched = drawn[(outside > 0.999) & (torch.arange(SIZE)[:, None] > 110)]
    assert bool((untouched == 0.7).all())


def test_it_comes_in_gradually() -> None:
    paper = torch.full((1, 1, SIZE, SIZE), 0.7)
    darkness = [
        float((0.7 - draw_mouth_interior(paper, opened(by), closed_mouth())).clamp(min=0).sum())
        for by in (0.4, 1.2, 2.0, 3.0, 4.0)
    ]
    assert darkness[0] == 0.0
    assert all(later > earlier for earlier, later in itertools.pairwise(darkness))


def test_crossed_lips_draw_nothing_inside() -> None:
    crossed = closed_mouth()
    crossed[0, 65:68, 1] -= 8.0
    drawn = draw_mouth_interior(torch.ones(1, 1, SIZE, SIZE), crossed, closed_mouth())[0, 0]
    assert float(drawn[76, 64]) > 0.9


def test_a_mouth_in_profile_is_not_opened_in_the_cheek() -> None:
    paper = torch.full((1, 1, SIZE, SIZE), 0.7)
    for nose, profile in ((64.0, False), (64.0 + 0.85 * 80.0, False), (64.0 + 0.95 * 80.0, True), (-12.0, True)):
        rest, wide = closed_mouth(), opened(20.0)
        rest[0, 30] = wide[0, 30] = torch.tensor([nose, 60.0])
        assert bool(in_profile(rest)) is profile
        assert torch.equal(draw_mouth_interior(paper, wide, rest), paper) is profile
