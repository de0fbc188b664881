from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from lightning_modules.losses.view_contrast import ViewContrastLoss, view_contrast_loss

PEOPLE = torch.tensor([0, 1])


def test_numbers_by_hand():
    embedding = torch.tensor([[[1.0, 0.0], [3.0, 0.0]], [[0.0, 2.0], [0.0, 1.0]]])
    # Every view: cosine 1 with its partner, 0 with both strangers.
    expected = math.log(1 + 2 * math.exp(-2))
    assert view_contrast_loss(embedding, PEOPLE, 0.5).item() == pytest.approx(expected, rel=1e-6)
    assert ViewContrastLoss(0.5)(embedding, PEOPLE).item() == pytest.approx(expected, rel=1e-6)
    swapped = embedding[:, [0, 1]].clone()
    swapped[0, 1], swapped[1, 1] = embedding[1, 1], embedding[0, 1]
    # Now the partner is at 0, one stranger at 1 and one at 0.
    assert view_contrast_loss(swapped, PEOPLE, 0.5).item() == pytest.approx(math.log(2 + math.exp(2)), rel=1e-6)


def test_against_cross_entropy_over_the_batch():
    torch.manual_seed(0)
    embedding = torch.randn(5, 2, 4).double()
    flat = functional.normalize(embedding.transpose(0, 1).flatten(0, 1), dim=1)  # first views, then second ones
    logits = (flat @ flat.T / 0.1).fill_diagonal_(-torch.inf)
    expected = functional.cross_entropy(logits, torch.cat((torch.arange(5, 10), torch.arange(5))))
    assert view_contrast_loss(embedding, torch.arange(5), 0.1).item() == pytest.approx(expected.item(), rel=1e-9)


def test_another_photo_of_the_same_person_is_no_stranger():
    torch.manual_seed(1)
    embedding = torch.randn(3, 2, 4)
    alone = view_contrast_loss(embedding[:2], PEOPLE, 0.1)
    twice = view_contrast_loss(torch.cat((embedding[:2], embedding[:2])), torch.tensor([0, 1, 0, 1]), 0.1)
    # The stranger is there twice: each denominator has him twice, and nothing else changes.
    assert twice > alone
    assert view_contrast_loss(embedding, torch.zeros(3, dtype=torch.long), 0.1) == 0


def test_nobody_else_in_the_batch_gives_no_gradient_and_no_nan():
    embedding = torch.randn(1, 2, 4, requires_grad=True)
    view_contrast_loss(embedding, torch.zeros(1, dtype=torch.long)).backward()
    assert embedding.grad.abs().max() == 0


def test_more_views_and_gradient():
    torch.manual_seed(3)
    embedding = torch.randn(3, 3, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: view_contrast_loss(x, torch.tensor([0, 1, 1]), 0.5), embedding)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be"):
        view_contrast_loss(torch.rand(2, 1, 3), PEOPLE)
    with pytest.raises(ValueError, match="temperature"):
        view_contrast_loss(torch.rand(2, 2, 3), PEOPLE, 0.0)
