from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.losses.adversarial import (
    AdversarialLoss,
    adversarial_loss,
    discriminator_adversarial_loss,
    generator_adversarial_loss,
)
from lightning_modules.losses.coherence import (
    CoherenceLoss,
    coherence_discriminator_loss,
    coherence_generator_loss,
)

LOGITS = torch.tensor([[1.0, -1.0], [3.0, 0.0]], dtype=torch.float64)


def soft(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("real", "kind", "expected"),
    [
        (True, "least_squares", (0 + 4 + 4 + 1) / 4),
        (False, "least_squares", (1 + 1 + 9 + 0) / 4),
        (True, "log", (soft(-1) + soft(1) + soft(-3) + math.log(2)) / 4),
        (False, "log", (soft(1) + soft(-1) + soft(3) + math.log(2)) / 4),
    ],
)
def test_numbers_by_hand(real, kind, expected):
    assert adversarial_loss(LOGITS, real, kind).item() == pytest.approx(expected, rel=1e-12)


def test_the_log_loss_is_the_cross_entropy_of_the_probability():
    entropy = torch.nn.functional.binary_cross_entropy(torch.sigmoid(LOGITS), torch.ones_like(LOGITS))
    assert adversarial_loss(LOGITS, real=True, kind="log").item() == pytest.approx(entropy.item(), rel=1e-12)


def test_the_log_loss_stays_finite_where_the_discriminator_is_sure():
    sure = torch.tensor([-300.0], requires_grad=True)
    loss = generator_adversarial_loss(sure, "log")
    loss.backward()
    assert loss.item() == 300
    assert sure.grad.item() == -1  # the gradient that the letter of Eq. 2 would lose
    letter = generator_adversarial_loss(sure, "log", saturating=True)
    (gradient,) = torch.autograd.grad(letter, sure)
    assert letter.item() == 0
    assert gradient.item() == 0


def test_eq_2_to_the_letter():
    expected = torch.log(1 - torch.sigmoid(LOGITS)).mean().item()
    assert generator_adversarial_loss(LOGITS, "log", saturating=True).item() == pytest.approx(expected, rel=1e-12)


def test_a_discriminator_counts_both_halves_alike():
    made = torch.tensor([[2.0], [0.0], [1.0]])
    loss = discriminator_adversarial_loss(torch.tensor([[0.0]]), made)
    assert loss.item() == pytest.approx((1 + (4 + 0 + 1) / 3) / 2)
    summed = discriminator_adversarial_loss(torch.tensor([[0.0]]), made, average=False)
    assert summed.item() == pytest.approx(1 + (4 + 0 + 1) / 3)


def test_two_targets_in_a_batch_are_the_published_half_and_half():
    real, first, second = torch.randn(3, 2, 1, 5, 5)
    published = 0.5 * ((real - 1).square().mean() + 0.5 * (first.square().mean() + second.square().mean()))
    assert torch.allclose(discriminator_adversarial_loss(real, torch.cat((first, second))), published)


@pytest.mark.parametrize("kind", ["least_squares", "log"])
@pytest.mark.parametrize("real", [True, False])
def test_gradient_batch_and_descent(kind, real, falls):
    logits = torch.randn(3, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: adversarial_loss(x, real, kind), logits)
    singles = torch.stack([adversarial_loss(one[None], real, kind) for one in logits])
    assert torch.allclose(adversarial_loss(logits, real, kind), singles.mean())
    before, after = falls(lambda x: adversarial_loss(x, real, kind), logits.detach())
    assert after < 0.5 * before


def test_the_coherence_loss_by_hand():
    adjacent, generated, apart = torch.tensor([0.5]), torch.tensor([2.0]), torch.tensor([-1.0])
    assert coherence_discriminator_loss(adjacent, generated, apart).item() == pytest.approx((0.25 + 4 + 1) / 3)
    eq_8 = coherence_discriminator_loss(adjacent, generated, apart, "log", average=False)
    assert eq_8.item() == pytest.approx(soft(-0.5) + soft(2) + soft(-1))
    assert coherence_generator_loss(generated).item() == 1
    assert coherence_generator_loss(generated, "log", saturating=True).item() == pytest.approx(-soft(2))


def test_the_generator_is_not_told_what_the_discriminator_is():
    made = torch.tensor([0.3])
    assert coherence_generator_loss(made).item() == pytest.approx(0.49)
    assert coherence_discriminator_loss(torch.ones(1), made, torch.zeros(1)).item() == pytest.approx(0.03)


def test_modules_say_what_functions_say():
    module = AdversarialLoss("log", average=False)
    assert module(LOGITS) == generator_adversarial_loss(LOGITS, "log")
    wanted = discriminator_adversarial_loss(LOGITS, -LOGITS, "log", average=False)
    assert module.discriminator(LOGITS, -LOGITS) == wanted
    pairs = CoherenceLoss("log", saturating=True)
    assert pairs(LOGITS) == coherence_generator_loss(LOGITS, "log", saturating=True)
    wanted = coherence_discriminator_loss(LOGITS, LOGITS, -LOGITS, "log")
    assert pairs.discriminator(LOGITS, LOGITS, -LOGITS) == wanted


def test_contradictions_are_refused():
    with pytest.raises(ValueError, match="log loss"):
        generator_adversarial_loss(LOGITS, saturating=True)
    with pytest.raises(ValueError, match="log loss"):
        CoherenceLoss(saturating=True)
    with pytest.raises(ValueError, match="hinge"):
        AdversarialLoss("hinge")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_judged_in_float32(dtype):
    logits = torch.randn(4, 1, 8, 8).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = adversarial_loss(logits, real=True)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx((logits.float() - 1).square().mean().item(), rel=1e-6)
    assert logits.grad.dtype == dtype
