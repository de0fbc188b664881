from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.geometry.sampling import map_of, sample
from lightning_modules.metrics.tracked_motion import tracked_motion

SIDE = 96


@pytest.fixture(scope="module")
def drawing():
    """Rings and spokes: lines in every direction, soft at their edges."""
    y, x = torch.meshgrid(*(torch.arange(SIDE, dtype=torch.float32) - SIDE / 2,) * 2, indexing="ij")
    radius, angle = (x**2 + y**2).sqrt(), torch.atan2(y, x)
    ink = torch.sigmoid(3 * torch.sin(radius / 3)) * torch.sigmoid(3 * torch.sin(6 * angle))
    return 1 - ink[None, None]


@pytest.fixture(scope="module")
def points():
    grid = torch.linspace(25.0, 70.0, 5)
    return torch.cartesian_prod(grid, grid)


def shifted(drawing, shifts):
    """The drawing moved by (x, y) pixels."""
    flow = torch.tensor(shifts)[:, None, None, :].expand(-1, SIDE, SIDE, -1)
    return sample(drawing.expand(len(shifts), -1, -1, -1), map_of(-flow), padding="border")


WAYS = [(0.0, 0.0), (1.5, 0.5), (-2.0, 1.0), (3.0, -2.5)]


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_the_way_of_the_ink_is_found(drawing, points, factor):
    asked = points + torch.tensor(WAYS)[:, None]
    frames = shifted(drawing, [(factor * x, factor * y) for x, y in WAYS])
    found = tracked_motion(drawing, points, frames, asked)
    assert found.ratio == pytest.approx(100 * factor, abs=3)
    assert found.share > 90
    if factor == 1.0:
        assert found.error < 0.1


def test_every_type_of_picture_is_read_alike(drawing, points):
    asked = points + torch.tensor(WAYS)[:, None]
    frames = shifted(drawing, WAYS)
    expected = tracked_motion(drawing, points, frames, asked)
    eight_bit = [(one * 255).round().to(torch.uint8).expand(-1, 3, -1, -1) for one in (drawing, frames)]
    assert tracked_motion(eight_bit[0], points, eight_bit[1], asked) == pytest.approx(expected, rel=0.02)
    signed = [one * 2 - 1 for one in (drawing, frames)]
    assert tracked_motion(signed[0], points, signed[1], asked, (-1.0, 1.0)) == pytest.approx(expected, rel=0.02)


def test_what_is_redrawn_is_not_tracked(drawing, points):
    noise = torch.rand((4, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    found = tracked_motion(drawing, points, noise, points.expand(4, -1, -1))
    assert found.share < 30
    blank = tracked_motion(drawing, points, torch.ones_like(noise), points.expand(4, -1, -1))
    assert blank.share == 0
    assert math.isnan(blank.ratio)
    assert math.isnan(blank.error)


def test_nothing_asked_for_has_no_ratio(drawing, points):
    found = tracked_motion(drawing, points, drawing.expand(3, -1, -1, -1), points.expand(3, -1, -1))
    assert math.isnan(found.ratio)
    assert found.error < 0.01


def test_other_shapes_are_refused(drawing, points):
    with pytest.raises(ValueError, match=r"\(T, K, 2\)"):
        tracked_motion(drawing, points, drawing.expand(3, -1, -1, -1), points.expand(2, -1, -1))
