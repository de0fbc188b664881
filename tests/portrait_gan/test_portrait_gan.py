from __future__ import annotations

import copy
import dataclasses
import warnings

import pytest
import torch
from tiny_gan import Batches, TinyCoherence, TinyGenerator, fit, make_batch, tiny_gan, trainer, weights
from torch import nn

from lightning_modules.errors import ConfigError
from lightning_modules.losses.objective import Objective, TermOffWarning
from lightning_modules.portrait_gan import COHERENCE, DRAWING, GENERATOR
from lightning_modules.portrait_gan_inputs import InputRecipe


def train_on(module, batch, tmp_path, times=1, **options):
    fit(module, tmp_path, data=Batches(*[batch] * times), epochs=1, **options)
    return module


def attached(tmp_path, **options):
    """A module with optimisers and a trainer that never runs, to call its phases one by one."""
    module = train_on(tiny_gan(dropout=0.0, **options), make_batch(3), tmp_path)
    module.log_dict = lambda *_, **__: None
    return module


def total(module, batch):
    return float(module.objective.total(module.terms(module.draw(batch)))[0])


def test_each_phase_lowers_its_own_loss(tmp_path):
    module, batch = attached(tmp_path, rate=1e-3), make_batch(3)
    optimizer = module.trainer.strategy.optimizers

    def losses():
        with torch.no_grad():
            drawn = module.draw(batch)
            return total(module, batch), float(module.drawing_loss(drawn)), float(module.coherence_loss(drawn))

    start = losses()
    drawn = [module.draw(batch).detach()]
    for _ in range(3):
        module.drawing_phase(drawn)
    after_drawing = losses()
    assert after_drawing[1] < start[1] - 1e-3
    assert after_drawing[2] == start[2]
    for _ in range(3):
        module.coherence_phase(drawn)
    after_coherence = losses()
    assert after_coherence[2] < after_drawing[2] - 1e-3
    assert after_coherence[1] == after_drawing[1]
    for _ in range(3):
        module.generator_phase([batch])
    assert losses()[0] < after_coherence[0] - 1e-2
    assert len(optimizer) == 3


@pytest.mark.parametrize("name", ["generator", "drawing_discriminators", "coherence_discriminator"])
def test_a_phase_moves_and_differentiates_its_own_network_only(tmp_path, name):
    module, batch = attached(tmp_path), make_batch(2)
    drawn = [module.draw(batch).detach()]
    module.zero_grad(set_to_none=True)
    before = copy.deepcopy(module.state_dict())
    match name:
        case "generator":
            module.generator_phase([batch])
        case "drawing_discriminators":
            module.drawing_phase(drawn)
        case _:
            module.coherence_phase(drawn)
    for key, parameter in module.named_parameters():
        own = key.startswith(f"{name}.")
        assert (parameter.grad is not None) == own, key
        assert parameter.requires_grad
        if not own:
            assert torch.equal(parameter, before[key]), key
    assert any(not torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_judges_are_no_part_of_the_drawing_they_learn_from(tmp_path):
    module, batch = attached(tmp_path), make_batch(2)
    assert not module.draw(batch).detach().frames.requires_grad
    assert module.draw(batch).frames.requires_grad


def test_one_batch_is_learnt_by_heart(tmp_path):
    weights_of_terms = {"adversarial": 0.1, "local": 0.1, "content": 20, "lip_line": 0, "coherence_warp": 0.1}
    module = tiny_gan(dropout=0.0, rate=2e-2, generator=TinyGenerator(24, 0.0), objective=Objective(**weights_of_terms))
    module.inputs.recipe = InputRecipe(background="static_drawing")
    batch = make_batch(1)
    with torch.no_grad():
        start = float(module._content_terms(module.draw(batch))["content"]())
    train_on(module, batch, tmp_path, times=60)
    with torch.no_grad():
        end = float(module._content_terms(module.draw(batch))["content"]())
    assert end < 0.5 * start, (start, end)


def plain_descent(parameters, settings, name):
    """Adam divides a gradient by its own size, rounding errors included; here differences stay as small as they are."""
    optimizer = torch.optim.SGD(list(parameters), lr=1e-2)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "name": name}}


@pytest.mark.parametrize("clip", [None, 0.5])
def test_micro_batches_add_up_to_the_batch(tmp_path, monkeypatch, clip):
    monkeypatch.setattr("lightning_modules.portrait_gan.scheduled_adam", plain_descent)
    batch = make_batch(4)
    reports, results = [], []
    for parts in (1, 2, 3, 4):
        module = tiny_gan(dropout=0.0, micro_batches=parts, gradient_clip=clip)
        reports.append(train_on(module, batch, tmp_path, times=3).trainer.callback_metrics)
        results.append(weights(module))
    assert (results[0] - weights(tiny_gan(dropout=0.0))).abs().max() > 1e-3
    for other, report in zip(results[1:], reports[1:], strict=True):
        assert (other - results[0]).abs().max() < 2e-6
        assert report.keys() == reports[0].keys()
        for name, value in report.items():
            assert float(value) == pytest.approx(float(reports[0][name]), rel=1e-4, abs=1e-5), name


def test_clipping_is_exact(tmp_path):
    norms = []
    module = tiny_gan(dropout=0.0, gradient_clip=0.25)
    inner = module.on_before_optimizer_step

    def measure(optimizer):
        inner(optimizer)
        gradients = [
            p.grad.flatten() for group in optimizer.param_groups for p in group["params"] if p.grad is not None
        ]
        norms.append(float(torch.cat(gradients).norm()))

    module.on_before_optimizer_step = measure
    runner = fit(module, tmp_path, data=Batches(make_batch(2)), epochs=1)
    assert norms[GENERATOR] == pytest.approx(0.25, rel=1e-5)
    assert norms[DRAWING] == pytest.approx(0.25, rel=1e-5)
    before = float(runner.callback_metrics["gradient_norm/generator"])
    assert before > 1.0  # what is logged is the norm before clipping
    assert len(norms) == COHERENCE + 1


def test_three_schedules_by_epochs(tmp_path):
    module = tiny_gan()  # constant for 1 epoch, then 9 of decay
    runner = fit(module, tmp_path, epochs=3)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in runner.optimizers]
    assert rates == pytest.approx([0.7e-3] * 3)
    assert [config.name for config in runner.lr_scheduler_configs] == ["lr/generator", "lr/drawing", "lr/coherence"]


def test_values_are_logged_every_n_steps_only(tmp_path):
    module, logged = tiny_gan(), []
    module.log_dict = lambda values, **_: logged.append(values)
    fit(module, tmp_path, epochs=2, log_every_n_steps=3)
    assert [values["updates/generator"] for values in logged] == [3, 6]
    assert module.report["loss/generator"].shape == ()
    assert not module.report["loss/generator"].requires_grad


def test_the_axis_counts_photos(tmp_path):
    module = tiny_gan()
    runner = fit(module, tmp_path, epochs=2)
    assert module.photos_seen == 2 * 4 * 2
    assert runner.callback_metrics["seen/photos"] == 16
    assert [runner.callback_metrics[f"updates/{name}"] for name in ("generator", "drawing", "coherence")] == [8, 8, 8]


def test_bfloat16_trains_with_finite_losses(tmp_path):
    module = tiny_gan(dropout=0.0)
    runner = fit(module, tmp_path, epochs=1, precision="bf16-mixed")
    full = fit(tiny_gan(dropout=0.0), tmp_path, epochs=1)
    for name, value in full.callback_metrics.items():
        assert runner.callback_metrics[name].isfinite()
        if name.startswith(("raw/", "loss/")):
            assert runner.callback_metrics[name] == pytest.approx(float(value), rel=0.1, abs=0.02), name
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


class FractionDetector(nn.Module):
    """A detector that answers with shares that depend on the crop."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 136)
        self.seen = []

    def forward(self, crop):
        self.seen.append((crop.dtype, tuple(crop.shape), float(crop.detach().amax())))
        return self.layer(crop.mean((2, 3)))


class FaceFeatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 8, 8)

    def forward(self, crop):
        return [self.layer(crop), crop.mean((2, 3))]


def test_frozen_networks_judge_but_are_not_trained_saved_or_exchanged(tmp_path):
    detector, features = FractionDetector(), FaceFeatures()
    before = copy.deepcopy(detector.state_dict())
    module = tiny_gan(geometry_detector=detector, identity_features=features)
    names = {name.split(".")[0] for name, _ in module.named_parameters()}
    assert names == {"generator", "drawing_discriminators", "coherence_discriminator"}
    assert not [key for key in module.state_dict() if "detector" in key]
    with warnings.catch_warnings():
        warnings.simplefilter("error", TermOffWarning)
        runner = fit(module, tmp_path, epochs=1, precision="bf16-mixed")
    assert runner.callback_metrics["raw/geometry"] > 0
    assert runner.callback_metrics["raw/identity"] > 0
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert all(parameter.grad is None for parameter in [*detector.parameters(), *features.parameters()])
    assert {(dtype, shape) for dtype, shape, _ in detector.seen} == {(torch.float32, (4, 3, 112, 112))}


def test_missing_networks_are_said_once(tmp_path):
    module = tiny_gan()
    runner = trainer(tmp_path, epochs=1)
    with pytest.warns(TermOffWarning) as said:
        runner.fit(module, Batches(make_batch(1)))
    texts = [str(one.message) for one in said if issubclass(one.category, TermOffWarning)]
    assert texts == [
        "the geometry term is off: no geometry_detector is given",
        "the identity term is off: no identity_features is given",
    ]
    assert "raw/geometry" not in runner.callback_metrics


def test_an_ablated_term_is_measured_and_has_no_gradient(tmp_path):
    module = tiny_gan(dropout=0.0, objective=Objective(adversarial=0, coherence=0))
    runner = fit(module, tmp_path, data=Batches(make_batch(2)), epochs=1)
    assert runner.callback_metrics["ablated/adversarial"] > 0
    assert "weighted/adversarial" not in runner.callback_metrics
    assert runner.callback_metrics["weighted/local"] > 0


def test_validation_measures_and_returns_frames(tmp_path):
    module, batch = tiny_gan(), make_batch(2)
    runner = trainer(tmp_path, limit_val_batches=1)
    (values,) = runner.validate(module, Batches(batch), verbose=False)
    assert set(values) == {"validation/content", "validation/lip_line", "validation/coherence_warp"}
    (frames,) = runner.predict(module, Batches(batch))
    assert frames.shape == (2, 2, 1, 32, 32)
    assert frames.abs().max() <= 1


def test_the_exported_state_is_the_generator_alone():
    module = tiny_gan()
    state = module.generator_state()
    assert set(state) == set(module.generator.state_dict())
    fresh = TinyGenerator()
    fresh.load_state_dict(state)
    state["first.weight"].zero_()
    assert module.generator.first.weight.abs().sum() > 0  # a copy


def test_log_loss_and_pool_run(tmp_path):
    module = tiny_gan(adversarial_kind="log", pool_size=3, pool_pairs=False, symmetric_coherence=True)
    runner = fit(module, tmp_path, epochs=2)
    assert module.pool.filled == 3
    assert all(value.isfinite() for value in runner.callback_metrics.values())


def test_the_coherence_judge_sees_true_pairs():
    seen = []

    class Spy(TinyCoherence):
        def forward(self, first, second):
            seen.append((first, second))
            return super().forward(first, second)

    module, batch = tiny_gan(dropout=0.0, coherence_discriminator=Spy()), make_batch(2)
    drawn = module.draw(batch).detach()
    module.coherence_loss(drawn)
    first, second = seen[0]
    assert torch.equal(first[2:4], drawn.frames[:2])
    assert torch.equal(second[2:4], drawn.frames[2:])
    assert torch.equal(first[:2], batch.adjacent[:, 0])
    assert torch.equal(second[4:], batch.non_adjacent[:, 1])


def test_styles_without_film_train_without_the_coherence_judge(tmp_path):
    batch = make_batch(2)
    batch = dataclasses.replace(batch, adjacent=batch.adjacent[:, :0], non_adjacent=batch.non_adjacent[:, :0])
    module = tiny_gan(coherence_discriminator=None)
    runner = fit(module, tmp_path, data=Batches(batch, batch), epochs=1)
    assert len(runner.optimizers) == 2
    assert module.updates == {"generator": 2, "drawing": 2, "coherence": 0}
    assert "raw/coherence" not in runner.callback_metrics
    assert runner.callback_metrics["raw/coherence_warp"] > 0  # needs no film
    with pytest.raises(ConfigError, match="the data have no film"):
        fit(tiny_gan(), tmp_path, data=Batches(batch), epochs=1)
