from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.geometry.shapes import dilated_polygon, fill_polygon, segment_distance, stroke_segments

# a concave polygon, clockwise on screen, with fractional corners
ARROW = torch.tensor([[[8.3, 5.2], [40.7, 22.4], [9.1, 41.6], [17.8, 22.9]]], dtype=torch.float64)


def supersampled(polygon, height, width, fine=32):
    """Share of fine x fine sample points inside, by the crossing rule: an independent reference."""
    steps = (torch.arange(width * fine, dtype=torch.float64) + 0.5) / fine - 0.5
    x, y = steps[None, :], steps[: height * fine, None]
    inside = torch.zeros(height * fine, width * fine, dtype=torch.bool)
    for (x0, y0), (x1, y1) in zip(polygon, polygon.roll(-1, 0), strict=True):
        if y0 != y1:
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside.view(height, fine, width, fine).double().mean((1, 3))


def test_coverage_equals_supersampling():
    exact = fill_polygon(ARROW, 48)[0, 0]
    assert exact.shape == (48, 48)
    assert (exact - supersampled(ARROW[0], 48, 48)).abs().max() < 0.02
    assert ((exact > 0.01) & (exact < 0.99)).sum() > 50  # soft edges are there to be compared


def test_coverage_by_hand():
    square = torch.tensor([[[1.5, 1.5], [3.0, 1.5], [3.0, 2.75], [1.5, 2.75]]])
    expected = torch.zeros(5, 5)
    expected[2, 2], expected[2, 3] = 1.0, 0.5
    expected[3, 2], expected[3, 3] = 0.25, 0.125
    assert torch.allclose(fill_polygon(square, 5)[0, 0], expected, atol=1e-6)


def test_area_is_conserved_and_clipped_at_the_border():
    ahead = ARROW[0].roll(-1, 0)
    area = float((ARROW[0, :, 0] * ahead[:, 1] - ARROW[0, :, 1] * ahead[:, 0]).sum() / 2)
    assert float(fill_polygon(ARROW, 48).sum()) == pytest.approx(area, abs=1e-2)
    whole = fill_polygon(ARROW + 20, 96)[0, 0]
    clipped = fill_polygon(ARROW - 15, 48)[0, 0, :20, :20]
    assert torch.allclose(clipped, whole[35:55, 35:55], atol=1e-9)
    assert 200 < clipped.sum() < 0.8 * whole.sum()
    assert fill_polygon(ARROW + 500, 48).sum() == 0
    assert fill_polygon(ARROW - 500, 48).sum() == 0


def test_oriented_fill_is_empty_when_turned_inside_out():
    assert torch.allclose(fill_polygon(ARROW, 48, oriented=True), fill_polygon(ARROW, 48), atol=1e-12)
    assert fill_polygon(ARROW.flip(1), 48, oriented=True).sum() == 0
    assert torch.allclose(fill_polygon(ARROW.flip(1), 48), fill_polygon(ARROW, 48), atol=1e-6)


def test_thin_polygons_fade_instead_of_flickering():
    def sliver(thickness):
        return torch.tensor([[[10.0, 20.2], [40.0, 20.2], [40.0, 20.2 + thickness], [10.0, 20.2 + thickness]]])

    for thickness in (0.0, 0.01, 0.2):
        assert float(fill_polygon(sliver(thickness), 48).sum()) == pytest.approx(30 * thickness, abs=1e-3)


def test_strokes_equal_the_distance_to_a_segment():
    start, end = torch.tensor([[[10.0, 12.0]]]), torch.tensor([[[22.0, 21.0]]])  # length 15, direction (0.8, 0.6)
    mask = stroke_segments(start, end, 32, 2.0)[0, 0]
    assert mask[12, 10] == 1
    assert mask[12, 6] == 0
    # 2.6 px off the middle of the segment, measured across it: coverage clamp(2 + 0.5 - distance)
    for row, column in ((14, 15), (15, 17), (12, 8), (23, 23)):
        along = min(max(((column - 10) * 0.8 + (row - 12) * 0.6) / 15, 0), 1)
        distance = math.hypot(column - 10 - along * 12, row - 12 - along * 9)
        assert float(mask[row, column]) == pytest.approx(min(max(2.5 - distance, 0), 1), abs=1e-5)


def test_segment_of_no_length_is_a_dot():
    point = torch.tensor([[[5.0, 6.0]]])
    distance = segment_distance(torch.arange(12.0)[None], torch.arange(12.0)[None], point, point)
    assert float(distance[0, 6, 9]) == pytest.approx(4.0)
    assert float(distance[0, 9, 9]) == pytest.approx(5.0)


def test_dilation_contains_and_grows_by_the_radius():
    plain, grown = fill_polygon(ARROW, 64), dilated_polygon(ARROW, 64, 3.0)
    assert (grown >= plain).all()
    assert grown[0, 0, 22, 44 - 1] > 0.3  # the tip at x = 40.7 now ends at 43.7
    assert grown[0, 0, 22, 45] == 0
    radii = torch.tensor([1.0, 4.0], dtype=torch.float64)
    two = dilated_polygon(ARROW.expand(2, -1, -1), 64, radii)
    assert torch.equal(two[1:], dilated_polygon(ARROW, 64, 4.0))
    assert two[1].sum() > two[0].sum()


def test_gradients():
    points = ARROW[:, :, :].clone().requires_grad_()
    weights = torch.randn(1, 1, 48, 48, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: (fill_polygon(p, 48) * weights).sum(), points)
    assert torch.autograd.gradcheck(lambda p: (stroke_segments(p, p.roll(-1, 1), 48, 2.3) * weights).sum(), points)


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        fill_polygon(torch.full((1, 3, 2), float("nan")), 8)
