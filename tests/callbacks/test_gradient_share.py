"""Shares of the terms in the drawing's gradient, worked out by hand and beside a real training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from tiny_gan import fit, make_batch, tiny_gan, weights

from callbacks.gradient_share import GradientShare
from lightning_modules.errors import ConfigError
from lightning_modules.portrait_gan_terms import DrawnPair


class ByHand:
    """Gradients of known length: 3 n, 4 n and 0, with n the square root of the number of pixels."""

    device = torch.device("cpu")
    objective = SimpleNamespace(weights={"a": 3.0, "b": 2.0, "none": 1.0, "ablated": 0.0, "off": 5.0}, off={"off": ""})

    def draw(self, batch):
        return DrawnPair(batch, torch.zeros(2 * len(batch), 1, 8, 8, requires_grad=True), None)

    def terms(self, drawn):
        frames = drawn.frames
        return {
            "a": frames.sum,
            "b": lambda: -2 * frames.sum(),
            "none": lambda: torch.ones((), requires_grad=True) * 1,
            "ablated": lambda: pytest.fail("a term without weight was computed"),
            "off": lambda: pytest.fail("a term that is off was computed"),
        }


def test_shares_by_hand():
    found = GradientShare().measure(ByHand(), make_batch(3))
    assert {name: float(value) for name, value in found.items()} == pytest.approx({"a": 3 / 7, "b": 4 / 7, "none": 0.0})


def test_only_some_samples_are_measured():
    seen = []

    class Noticing(ByHand):
        def draw(self, batch):
            seen.append(len(batch))
            return super().draw(batch)

    GradientShare(samples=2).measure(Noticing(), make_batch(4))
    assert seen == [2]


def test_they_agree_with_the_gradient_of_each_term_alone():
    module, batch = tiny_gan(dropout=0.0), make_batch(2)
    module.eval()
    for term in ("geometry", "identity"):
        with pytest.warns(match="term is off"):
            module.objective.switch_off(term, "none is given")
    found = GradientShare().measure(module, batch)
    norms = {}
    for name in found:
        frames = module.draw(batch).frames.detach().requires_grad_()
        drawn = DrawnPair(batch, frames, module.draw(batch).warps)
        (module.objective.weights[name] * module.terms(drawn)[name]()).backward()
        norms[name] = float(frames.grad.norm())
    assert set(found) == {"adversarial", "local", "content", "lip_line", "coherence_warp", "coherence"}
    total = sum(norms.values())
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {name: norm / total for name, norm in norms.items()}, rel=1e-4
    )


def test_training_is_the_same_bit_by_bit_with_and_without(tmp_path):
    plain, watched = tiny_gan(), tiny_gan()  # with dropout: the step draws random numbers
    torch.manual_seed(5)
    fit(plain, tmp_path / "plain", epochs=1)
    torch.manual_seed(5)
    runner = fit(watched, tmp_path / "watched", epochs=1, callbacks=[GradientShare(every=1)])
    assert torch.equal(weights(plain), weights(watched))
    shares = [float(value) for name, value in runner.callback_metrics.items() if name.startswith("gradient_share/")]
    assert len(shares) == 6
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)
    assert all(parameter.requires_grad for parameter in watched.parameters())


def test_it_measures_every_so_many_logs(tmp_path):
    class Counting(GradientShare):
        measured = 0

        def measure(self, module, batch):
            self.measured += 1
            return super().measure(module, batch)

    callback = Counting(every=2)
    module = tiny_gan()
    fit(module, tmp_path, epochs=1, callbacks=[callback])
    assert callback.measured == -(-module.updates["generator"] // 2)
    with pytest.raises(ConfigError, match="0 samples"):
        GradientShare(samples=0)
