"""A-Softmax against a second recipe with angles, at hand-made points, and at the borders of its pieces."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from lightning_modules.losses.angular_softmax import (
    AngularSoftmaxLoss,
    angular_softmax_loss,
    margin_cosine,
    published_blend,
)


def by_angles(embedding, directions, labels, margin, blend):
    """The loss once more, sample by sample, with angles and no recurrence (auxiliary, section 3.2)."""
    losses = []
    for x, label in zip(embedding.tolist(), labels.tolist(), strict=True):
        length = math.hypot(*x)
        logits = []
        for person, w in enumerate(directions.tolist()):
            cosine = sum(a * b for a, b in zip(x, w, strict=True)) / length / math.hypot(*w)
            if person == label:
                theta = math.acos(cosine)
                k = min(int(margin * theta / math.pi), margin - 1)
                psi = (-1) ** k * math.cos(margin * theta) - 2 * k
                cosine = (blend * cosine + psi) / (1 + blend)
            logits.append(length * cosine)
        losses.append(math.log(sum(map(math.exp, logits))) - logits[label])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("margin", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("blend", [0.0, 5.0, 1500.0])
def test_against_a_recipe_with_angles(margin, blend):
    torch.manual_seed(margin)
    embedding, directions = torch.randn(7, 3).double() * 2, torch.randn(5, 3).double()
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    found = angular_softmax_loss(embedding, directions, labels, margin=margin, blend=blend)
    assert found.item() == pytest.approx(by_angles(embedding, directions, labels, margin, blend), rel=1e-9)


def test_margin_one_without_blend_is_plain_normalised_softmax():
    torch.manual_seed(0)
    embedding, directions, labels = torch.randn(6, 4).double(), torch.randn(3, 4).double(), torch.arange(6) % 3
    logits = embedding @ functional.normalize(directions, dim=1).T
    expected = functional.cross_entropy(logits, labels)
    found = angular_softmax_loss(embedding, directions, labels, margin=1, blend=0.0)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    assert angular_softmax_loss(embedding, directions, labels, margin=4, blend=0.0) > found + 0.5


def test_the_margins_function_by_hand():
    degrees = torch.tensor([0.0, 30.0, 45.0, 60.0, 90.0, 135.0, 180.0]).double()
    wanted = torch.tensor([1.0, -0.5, -1.0, -1.5, -3.0, -5.0, -7.0]).double()
    assert torch.allclose(margin_cosine(torch.deg2rad(degrees).cos(), 4), wanted, atol=1e-9)
    fine = torch.linspace(-1, 1, 4001).double()
    values = margin_cosine(fine, 4)
    assert (values.diff() > -1e-9).all()  # monotone, without jumps between its pieces
    assert values.diff().max() < 0.01
    assert (values <= fine + 1e-9).all()


def test_gradient():
    torch.manual_seed(2)
    embedding = torch.randn(4, 3).double().requires_grad_()
    directions = torch.randn(3, 3).double().requires_grad_()
    labels = torch.tensor([0, 1, 2, 0])
    assert torch.autograd.gradcheck(lambda x, w: angular_softmax_loss(x, w, labels, blend=0.5), (embedding, directions))
    straight = torch.tensor([[2.0, 0.0]]).requires_grad_()  # at angle 0 the derivative of an arc cosine is infinite
    angular_softmax_loss(straight, torch.eye(2), torch.tensor([0]), blend=0.0).backward()
    assert torch.isfinite(straight.grad).all()


def test_the_published_blend():
    assert published_blend(0) == 1500
    assert published_blend(10) == 750
    assert published_blend(2990) == 5
    assert published_blend(10**6) == 5


def test_the_module_learns_its_directions():
    torch.manual_seed(0)
    loss = AngularSoftmaxLoss(3, 4)
    embedding, labels = torch.randn(8, 3), torch.arange(8) % 4
    value = loss(embedding, labels, 100)
    expected = angular_softmax_loss(embedding, loss.directions, labels, blend=1500 / 11)
    assert value.item() == pytest.approx(expected.item())
    value.backward()
    assert loss.directions.grad.abs().sum() > 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        angular_softmax_loss(torch.rand(2, 3), torch.rand(4, 2), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match="margin must be 1 to 5"):
        margin_cosine(torch.zeros(1), 6)
