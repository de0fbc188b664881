"""The losses of stage 1 against numbers worked out by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from lightning_modules.errors import ConfigError
from lightning_modules.losses.graph_laplacian import (
    GraphLaplacianLoss,
    graph_laplacian,
    graph_laplacian_loss,
    landmark_neighbours,
)
from lightning_modules.losses.landmark_displacement import (
    LandmarkDisplacementLoss,
    landmark_displacement_loss,
    lip_weight,
)
from lightning_modules.losses.landmark_motion import LandmarkMotionLoss, landmark_motion_loss
from lightning_modules.losses.landmark_objective import LandmarkObjective
from lightning_modules.losses.lip_opening import LipOpeningLoss, lip_opening_loss, lip_openings
from lightning_modules.losses.motion_adversarial import MotionAdversarialLoss, motion_discriminator_loss


def faces(*leading, seed=0):
    return torch.randn(*leading, 68, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def opened(gap):
    """A face of zeros whose inner lip is open by ``gap`` in its middle."""
    face = torch.zeros(68, 3, dtype=torch.float64)
    face[66, 1] = gap
    return face


@pytest.mark.parametrize(("gap", "weight"), [(0.0, 10.0), (0.225, 1.0), (-0.225, 1.0), (0.1, 2.0)])
def test_the_weight_of_the_lips(gap, weight):
    assert lip_weight(opened(gap)).item() == pytest.approx(weight)
    assert lip_weight(opened(gap).flatten()).item() == pytest.approx(weight)


def test_errors_of_closed_lips_count_ten_times():
    target = torch.stack((opened(0.0), opened(0.225)))
    cheek, lip = target.clone(), target.clone()
    cheek[:, 3, 0] += 0.5
    lip[:, 50, 2] -= 0.5
    per_number = 0.5 / 204
    assert landmark_displacement_loss(cheek, target).item() == pytest.approx(per_number)
    assert landmark_displacement_loss(lip, target).item() == pytest.approx(per_number * (10 + 1) / 2)
    assert landmark_displacement_loss(lip, target, weigh_lips=False).item() == pytest.approx(per_number)
    flat = landmark_displacement_loss(lip.flatten(1), target.flatten(1))
    assert flat.item() == pytest.approx(per_number * 5.5)


def test_the_opening_comes_from_the_truth_not_from_the_guess():
    assert landmark_displacement_loss(opened(0.9), opened(0.0)).item() == pytest.approx(0.9 * 10 / 204)
    assert landmark_displacement_loss(opened(0.0), opened(0.9)).item() == pytest.approx(0.9 / 3.7 / 204)


def test_the_neighbours_are_those_of_the_reference():
    """Typed from reference stage1 §9: four open chains, four closed rings."""
    before, after = landmark_neighbours()
    for first, last in ((0, 16), (17, 21), (22, 26), (27, 35)):
        assert (before[first], after[first]) == (first + 1, first + 1)
        assert (before[last], after[last]) == (last - 1, last - 1)
    for first, last in ((36, 41), (42, 47), (48, 59), (60, 67)):
        assert (before[first], after[first]) == (last, first + 1)
        assert (before[last], after[last]) == (last - 1, first)
    assert (before[31], after[30]) == (30, 31), "the nose is one chain"
    assert all(after[before[point]] == point for point in range(68) if before[point] != after[point])


def test_the_laplacian_by_hand():
    face = faces()
    found = graph_laplacian(face)
    torch.testing.assert_close(found[8], face[8] - (face[7] + face[9]) / 2)
    torch.testing.assert_close(found[0], face[0] - face[1])
    torch.testing.assert_close(found[60], face[60] - (face[67] + face[61]) / 2)


def test_the_laplacian_does_not_see_a_shift_and_scales_with_the_face():
    face = faces(4)
    moved = face + torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(graph_laplacian(moved), graph_laplacian(face))
    torch.testing.assert_close(graph_laplacian(2 * face), 2 * graph_laplacian(face))
    assert graph_laplacian_loss(moved, face).item() < 1e-12


def test_one_point_that_is_off_is_seen_three_times():
    """By itself in full, by both neighbours in half: 1 + 1/2 + 1/2, over 204 numbers."""
    target = faces()
    off = target.clone()
    off[8, 1] += 0.3
    assert graph_laplacian_loss(off, target).item() == pytest.approx(0.3 * 2 / 204)


def test_motion_by_hand():
    target = torch.zeros(3, 68, 3, dtype=torch.float64)
    found = target.clone()
    found[1, 5, 0] = 0.4  # there and back: two differences of 0.4
    assert landmark_motion_loss(found, target).item() == pytest.approx(2 * 0.4 / (2 * 204))
    assert landmark_motion_loss(found + 7, target + 1).item() == pytest.approx(2 * 0.4 / (2 * 204))
    assert landmark_motion_loss(found[:1], target[:1]).item() == 0
    with pytest.raises(ValueError, match="motion needs frames"):
        landmark_motion_loss(found[0], target[0])


def test_lip_opening_by_hand():
    target, found = opened(0.1), opened(0.1)
    assert lip_openings(target).tolist() == pytest.approx([0.0, 0.1, 0.0])
    found[61, 1] = 0.3  # the upper lip of one pair below its lower one
    assert lip_openings(found)[0].item() == pytest.approx(-0.3)
    assert lip_opening_loss(found, target).item() == pytest.approx(0.3 * 2.0 / 3)
    assert lip_opening_loss(found + 1, target + 1).item() == pytest.approx(0.3 * 2.0 / 3)


def test_least_squares_by_hand():
    loss = MotionAdversarialLoss()
    real, made = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.5, -0.5, 0.0]])
    assert loss(made).item() == pytest.approx((0.25 + 2.25 + 1) / 3)
    assert loss.discriminator(real, made).item() == pytest.approx(2 * 0.125 + 0.5 / 3)
    assert motion_discriminator_loss(real, made, real_weight=1.0).item() == pytest.approx(0.125 + 0.5 / 3)


MODULES = (LandmarkDisplacementLoss, GraphLaplacianLoss, LandmarkMotionLoss, LipOpeningLoss)
FUNCTIONS = (landmark_displacement_loss, graph_laplacian_loss, landmark_motion_loss, lip_opening_loss)


@pytest.mark.parametrize(("module", "function"), list(zip(MODULES, FUNCTIONS, strict=True)))
def test_modules_functions_gradients_and_shapes(module, function):
    target = faces(2, seed=1).flatten(1)
    predicted = faces(2, seed=2).flatten(1).requires_grad_()
    assert torch.equal(module()(predicted, target), function(predicted, target))
    assert torch.autograd.gradcheck(partial(function, target=target), (predicted,))
    asked = target.clone().requires_grad_()
    function(predicted, asked).backward()
    assert asked.grad is None, "the truth is not learned from"
    halves = function(predicted.detach().bfloat16(), target.bfloat16())
    assert halves.dtype == torch.float32
    with pytest.raises(ValueError, match="do not go with"):
        function(predicted, target[:1])
    with pytest.raises(ValueError, match="landmarks are"):
        function(predicted[:, :200], target[:, :200])


def test_lip_weighting_can_be_left_out():
    target, predicted = faces(2, seed=1), faces(2, seed=2)
    plain = LandmarkDisplacementLoss(weigh_lips=False)(predicted, target)
    assert plain.item() == pytest.approx((predicted - target).abs().mean().item())


def test_the_objective_weighs_its_terms():
    objective = LandmarkObjective(displacement=2.0, laplacian=0.0, motion=3.0, lip_opening=0.0, adversarial=0.5)
    predicted, target = faces(1, 4, seed=1), faces(1, 4, seed=2)
    terms = objective.terms(predicted, target)
    loss, report = objective.total(terms)
    expected = 2 * landmark_displacement_loss(predicted, target) + 3 * landmark_motion_loss(predicted, target)
    torch.testing.assert_close(loss, expected)
    assert set(report) == {"term/displacement", "term/motion"}
    with_judge, report = objective.total(terms | {"adversarial": lambda: torch.tensor(4.0, dtype=torch.float64)})
    torch.testing.assert_close(with_judge, expected + 2)
    assert report["term/adversarial"].item() == 4
    unweighted = LandmarkObjective(weigh_lips=False).terms(predicted, target)["displacement"]()
    assert unweighted.item() == pytest.approx((predicted - target).abs().mean().item())


@pytest.mark.parametrize(
    "weights", [{"laplacian": -1.0}, {"motion": float("nan")}, {"displacement": 0, "laplacian": 0}]
)
def test_an_objective_that_cannot_be_is_refused(weights):
    with pytest.raises(ConfigError):
        LandmarkObjective(**weights)
