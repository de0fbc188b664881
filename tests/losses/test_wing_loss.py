"""The wing loss: its two pieces by hand, its unit, its weights, its gradient."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.losses.wing import WingLoss, wing_loss


@pytest.fixture
def target() -> torch.Tensor:
    """Two faces whose outer eye corners are 50 and 20 apart."""
    torch.manual_seed(0)
    points = torch.rand(2, 68, 2, dtype=torch.float64) * 100
    points[:, 36] = torch.tensor((10.0, 30.0))
    points[0, 45], points[1, 45] = torch.tensor((40.0, 70.0)), torch.tensor((10.0, 50.0))
    return points


def wing(percent: float, width: float = 10.0, curvature: float = 2.0) -> float:
    if percent < width:
        return width * math.log(1 + percent / curvature)
    return percent - (width - width * math.log(1 + width / curvature))


@pytest.mark.parametrize("percent", [0.5, 4.0, 9.999, 10.0, 35.0])
def test_an_error_in_one_coordinate_counts_as_the_paper_says(target, percent):
    for face, eyes in enumerate((50.0, 20.0)):
        moved = target.clone()
        moved[face, 30, 1] -= eyes * percent / 100
        assert float(wing_loss(moved, target)) == pytest.approx(wing(percent) / (2 * 68 * 2), rel=1e-5)


def test_it_is_zero_for_the_truth_and_does_not_depend_on_the_unit(target):
    assert float(wing_loss(target, target)) == 0
    moved = target + torch.randn_like(target)
    assert float(wing_loss(moved / 112, target / 112)) == pytest.approx(float(wing_loss(moved, target)), rel=1e-5)


def test_points_are_weighted_relative_to_one_another(target):
    moved = {}
    for name, point in (("lips", 50), ("eyes", 40), ("jaw", 3), ("nose", 30)):
        one = target.clone()
        one[0, point, 0] += 3.0
        moved[name] = float(WingLoss(lips=3.0, eyes=2.0, jaw=0.5)(one, target))
    assert moved["lips"] == pytest.approx(3 * moved["nose"], rel=1e-5)
    assert moved["eyes"] == pytest.approx(2 * moved["nose"], rel=1e-5)
    assert moved["jaw"] == pytest.approx(0.5 * moved["nose"], rel=1e-5)
    everywhere = target + torch.tensor((2.0, -2.0))
    assert float(WingLoss(lips=3.0)(everywhere, target)) == pytest.approx(
        float(wing_loss(everywhere, target)), rel=1e-5
    )


def test_the_gradient_is_right_and_finite_far_away(target):
    found = (target + 3 * torch.randn_like(target)).requires_grad_()
    assert torch.autograd.gradcheck(lambda points: wing_loss(points, target), (found,), atol=1e-4)
    far = (target * 1e6).requires_grad_()
    wing_loss(far, target).backward()
    assert torch.isfinite(far.grad).all()


def test_wrong_calls_are_refused(target):
    with pytest.raises(ValueError, match=r"\(B, 68, 2\)"):
        wing_loss(target[:, :60], target)
    with pytest.raises(ValueError, match="positive"):
        wing_loss(target, target, width=0.0)
    with pytest.raises(ValueError, match="positive numbers"):
        WingLoss(lips=-1.0)
