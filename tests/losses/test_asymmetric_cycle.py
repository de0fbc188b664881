"""The static drawer's losses: truncation and its gradient, the moving budget, both cycles, style, stand-ins."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_modules.errors import ConfigError
from lightning_modules.losses.asymmetric_cycle import (
    CycleWeights,
    RelaxedCycleLoss,
    cycle_weights,
    relaxed_cycle_loss,
    strict_cycle_loss,
    truncated,
)
from lightning_modules.losses.edge_response import EdgeResponse, edge_response
from lightning_modules.losses.static_drawing_objective import TERMS, StaticDrawingObjective
from lightning_modules.losses.structural_distance import StructuralDistance, structural_distance
from lightning_modules.losses.style import SoftStyleLoss, soft_style_loss


def test_truncation_has_64_levels() -> None:
    fine = torch.linspace(-1, 1, 100_001, dtype=torch.float64)
    levels = truncated(fine).unique()
    assert len(levels) == 64
    assert torch.allclose(levels, torch.arange(64, dtype=torch.float64) / 31.875 - 1)
    # 8 bits lose their last two: grey level 4 k + r of 255 becomes level k of 63.
    grey = torch.arange(256, dtype=torch.float64) / 127.5 - 1 + 1e-9
    assert torch.equal(((truncated(grey) + 1) * 31.875).round().long(), torch.arange(256) // 4)
    assert truncated(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([31 / 31.875 - 1, 63 / 31.875 - 1])


def test_the_published_truncation_lets_no_gradient_through_and_the_option_all_of_it() -> None:
    weights = torch.tensor([2.0, -3.0, 5.0])
    drawing = torch.tensor([-0.7, 0.123, 0.9], requires_grad=True)
    assert not truncated(drawing).requires_grad
    through = truncated(drawing, "straight_through")
    assert torch.allclose(through, truncated(drawing), atol=1e-6)
    (through * weights).sum().backward()
    assert torch.equal(drawing.grad, weights)


@pytest.mark.parametrize(("progress", "expected"), [(0, (5, 0)), (0.5, (2.75, 2.25)), (1, (0.5, 4.5))])
def test_the_budget_moves(progress: float, expected: tuple[float, float]) -> None:
    assert cycle_weights(progress) == pytest.approx(expected)
    assert sum(cycle_weights(progress, 7.0, 0.3)) == pytest.approx(7.0)
    assert cycle_weights(0.5, 7.0, 0.3) == CycleWeights(pytest.approx(5.95), pytest.approx(1.05))


def test_the_published_progress() -> None:
    """Epoch e of 300, counted from 1: p = (e - 1) / 300; the published run ends after epoch 200."""
    objective = StaticDrawingObjective()
    assert objective.progress(0) == 0
    assert objective.progress(199) == pytest.approx(199 / 300)
    assert objective.progress(10_000) == 1
    weights = objective.weights(objective.progress(199))
    assert weights["relaxed_cycle"] == pytest.approx(5 * (1 - 0.9 * 199 / 300))
    assert weights["truncation_cycle"] == pytest.approx(5 * 0.9 * 199 / 300)
    moving = {"relaxed_cycle", "truncation_cycle"}
    assert {name: weights[name] for name in TERMS if name not in moving} == {
        "adversarial": 1, "local": 0.5, "photo": 1, "style": 1, "strict_cycle": 5,
    }  # fmt: skip


def test_the_objective_adds_up_and_asks_for_no_term_without_weight() -> None:
    values = {name: float(index + 1) for index, name in enumerate(TERMS)}
    asked: list[str] = []

    def term(name: str) -> Tensor:
        asked.append(name)
        return torch.tensor(values[name])

    terms = {name: (lambda name=name: term(name)) for name in TERMS}
    loss, report = StaticDrawingObjective(style=0.0).total(terms, 0.0)
    assert set(asked) == set(TERMS) - {"style", "truncation_cycle"}
    # adversarial 1, local 0.5 * 2, photo 3, relaxed cycle 5 * 5, strict cycle 5 * 7
    assert float(loss) == 1 + 1 + 3 + 25 + 35
    assert float(report["term/local"]) == 2
    loss, _ = StaticDrawingObjective().total(terms, 1.0)
    assert float(loss) == pytest.approx(1 + 1 + 3 + 4 + 0.5 * 5 + 4.5 * 6 + 35)


@pytest.mark.parametrize(
    "wrong", [{"local": -1.0}, {"moved": 1.1}, {"budget_epochs": 0}, {"relaxed_cycle": 0.0, "strict_cycle": 0.0}]
)
def test_a_senseless_objective_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        StaticDrawingObjective(**wrong)
    with pytest.raises(ValueError, match="0 to 1"):
        cycle_weights(1.01)


def test_the_strict_cycle_is_the_mean_difference() -> None:
    made, real = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    made[0, 0, 0, 1] = 0.5
    made[1, 0, 1, 1] = -1.0
    assert float(strict_cycle_loss(made, real)) == pytest.approx(1.5 / 8)
    with pytest.raises(ValueError, match="one shape"):
        strict_cycle_loss(made, real[:1])


def test_the_relaxed_cycle_sees_edges_only() -> None:
    seen = []

    def edges(picture: Tensor) -> Tensor:
        seen.append(picture)
        return (picture[:, :1] > 0.5).float() + 0 * picture[:, :1]

    def distance(first: Tensor, second: Tensor) -> Tensor:
        assert first.min() == -1
        assert first.max() == 1
        return (first - second).abs().mean((1, 2, 3))

    photo, other = torch.full((2, 3, 4, 4), -0.5), torch.full((2, 3, 4, 4), -0.1)
    photo[:, :, 0], other[:, :, 0] = 0.5, 0.9
    assert float(relaxed_cycle_loss(other, photo, edges, distance)) == 0
    assert seen[0].min() == pytest.approx(0.45)
    other[0, :, 1] = 0.9  # one row of four of one photo: |1 - -1| / 4, mean over two photos
    assert float(relaxed_cycle_loss(other, photo, edges, distance)) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="one shape"):
        relaxed_cycle_loss(other[:1], photo, edges, distance)


def test_the_relaxed_cycle_leads_a_photo_to_the_edges(drawings, falls) -> None:
    photo = drawings(64, 1, 3)
    start = drawings(64, 1, 3, seed=9)
    loss = RelaxedCycleLoss(EdgeResponse(), StructuralDistance())
    assert float(loss(photo, photo)) == pytest.approx(0, abs=1e-9)
    first, last = falls(lambda made: loss(torch.tanh(made), photo), start, rate=0.1, steps=40)
    assert last < 0.6 * first, (first, last)


def test_edges_are_where_the_tone_steps() -> None:
    picture = torch.full((1, 3, 64, 64), 0.2, dtype=torch.float64)
    picture[..., 32:] = 0.8
    edges = edge_response(picture)[0, 0]
    assert edges[:, 31:33].min() > 0.8
    assert edges[:, :16].max() < 1e-6
    assert edges[:, 48:].max() < 1e-6
    assert torch.allclose(edge_response(picture.flip(-1)), edge_response(picture).flip(-1))
    assert torch.allclose(edge_response(picture.transpose(-1, -2)), edge_response(picture).transpose(-1, -2))
    # Twice the size gives the same edges at twice the distance.
    twice = edge_response(torch.nn.functional.interpolate(picture, scale_factor=2))[0, 0]
    assert torch.allclose(torch.nn.functional.avg_pool2d(twice[None], 2)[0], edges, atol=0.2)
    # What counts is the ratio of (luminance + 0.2): (0.1, 0.55) has that of (0.2, 0.8).
    assert torch.allclose(edge_response(0.75 * (picture + 0.2) - 0.2), edge_response(picture))
    with pytest.raises(ValueError, match="B, 3, H, W"):
        edge_response(picture[:, :1])


def test_the_edge_response_has_a_true_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand((1, 3, 6, 5), generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(edge_response, (picture,))


def test_the_structural_distance_grows_with_the_gap_between_lines() -> None:
    def line(column: int) -> Tensor:
        picture = torch.full((1, 1, 64, 64), -1.0)
        picture[..., column : column + 2] = 1.0
        return picture

    apart = [float(structural_distance(line(20), line(20 + gap))) for gap in (0, 1, 4, 12, 24)]
    assert apart[0] == pytest.approx(0, abs=1e-6)
    assert apart == sorted(apart)
    assert apart[1] < 0.6 * apart[-1]
    both = structural_distance(torch.cat((line(20), line(20))), torch.cat((line(20), line(44))))
    assert both.tolist() == pytest.approx([0.0, apart[-1]], abs=1e-6)
    with pytest.raises(ValueError, match="16 x 16"):
        structural_distance(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))


def test_the_style_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(2.0), math.log(5.0)], [0.0, 0.0, 0.0]], dtype=torch.float64)
    style = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], dtype=torch.float64)
    # softmax of the first is 1/8, 2/8, 5/8
    expected = ((0.5 * math.log(8) + 0.5 * math.log(4)) + math.log(3)) / 2
    assert float(soft_style_loss(logits, style)) == pytest.approx(expected)
    assert float(SoftStyleLoss()(logits, style)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="B, styles"):
        soft_style_loss(logits, style[:1])


def test_a_mixture_is_matched_best_by_its_own_shares() -> None:
    style = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64)
    logits = style.log().requires_grad_()
    soft_style_loss(logits, style).backward()
    assert logits.grad.abs().max() < 1e-12
