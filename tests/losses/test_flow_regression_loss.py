"""The objective of flow map A: hand-computed errors, what counts, and its gradients."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.losses.flow_regression import FlowObjective, end_point_loss, visibility_loss


def test_constant_error_counts_once_a_size() -> None:
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0], flow[:, 1] = 3.0, 4.0
    face = torch.ones(1, 8, 8, dtype=torch.bool)
    made = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)]
    # 5 pixels are 0.25 units: once, and once by half.
    assert end_point_loss(made, flow, face).item() == pytest.approx(0.25 * 1.5, abs=2e-4)
    exact = [torch.tensor([0.15, 0.2]).view(1, 2, 1, 1).expand(1, 2, size, size) for size in (4, 2)]
    assert end_point_loss(exact, flow, face).item() == pytest.approx(0, abs=1e-6)


def test_the_background_pulls_nothing_towards_zero() -> None:
    flow, face = torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool)
    face[0, 0, 0] = True
    flow[0, :, 0, 0] = 20.0
    made = torch.zeros(1, 2, 2, 2)
    made[0, :, 0, 0] = 1.0  # right where the face is; all else is background, whatever it says
    assert end_point_loss([made], flow, face).item() == pytest.approx(0, abs=1e-6)
    made[0, :, 1, 1] = 100.0
    assert end_point_loss([made], flow, face).item() == pytest.approx(0, abs=1e-6)
    assert end_point_loss([made], flow, torch.zeros_like(face)).item() == 0


def test_visibility_is_the_mean_cross_entropy() -> None:
    logits = torch.zeros(1, 3, 2, 2)
    classes = torch.zeros(1, 4, 4, dtype=torch.uint8)
    assert visibility_loss(logits, classes).item() == pytest.approx(torch.log(torch.tensor(3.0)).item())
    logits[:, 0] = 10
    assert visibility_loss(logits, classes).item() < 1e-3 < visibility_loss(logits, classes + 1).item()


def test_shapes_are_checked() -> None:
    flow, face = torch.zeros(1, 2, 8, 8), torch.ones(1, 8, 8, dtype=torch.bool)
    with pytest.raises(ValueError, match="flow 0 is"):
        end_point_loss([torch.zeros(1, 2, 8, 8)], flow, face)
    with pytest.raises(ValueError, match="do not fit"):
        end_point_loss([], flow, face[:, :4])
    with pytest.raises(ValueError, match="do not fit"):
        visibility_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8))


def test_gradients_are_right_and_weights_multiply() -> None:
    generator = torch.Generator().manual_seed(0)
    flow = 10 * torch.randn(1, 2, 4, 4, generator=generator, dtype=torch.float64)
    face = torch.rand(1, 4, 4, generator=generator) > 0.3
    made = torch.randn(1, 2, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: end_point_loss([x], flow, face), made)
    logits = torch.randn(1, 3, 2, 2, generator=generator, dtype=torch.float64)
    classes = torch.randint(0, 3, (1, 4, 4), generator=generator).to(torch.uint8)
    single, double = (FlowObjective(w, 3 * w)([made], logits, flow, classes) for w in (1.0, 2.0))
    assert double["flow"].item() == pytest.approx(2 * single["flow"].item())
    assert single["visibility"].item() == pytest.approx(3 * visibility_loss(logits, classes).item())
