"""Training of stage 1: what a step does, what is learned, what stays as it is."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from tiny_speech import (
    TinySpeech,
    content_stage,
    settings,
    speaker_stage,
    speech,
    still_face,
    tiny_content,
    tiny_judge,
    tiny_speaker,
    trainer,
)

from callbacks.ema import ExponentialMovingAverage
from lightning_modules.audio_to_landmark import AudioToLandmark
from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.landmark_checkpoint import export_landmark_model
from lightning_modules.export.landmark_model_file import load_landmark_model
from lightning_modules.losses.graph_laplacian import graph_laplacian_loss
from lightning_modules.losses.landmark_displacement import landmark_displacement_loss
from lightning_modules.losses.landmark_objective import LandmarkObjective
from lightning_modules.metrics.lip_landmark_distance import lip_landmark_distance
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.weights.published_speech_networks import CONTENT_BRANCH
from lightning_modules.weights.trained_branch import load_content_branch


def weights(network):
    return copy.deepcopy(network.state_dict())


def same(first, second):
    return all(torch.equal(value, second[key]) for key, value in first.items())


def test_landmarks_are_static_face_plus_both_displacements():
    module = speaker_stage().eval()
    batch = speech(2, 5)
    said = module.content_branch(batch.windows, batch.static)
    manner = module.speaker_branch(batch.windows, 3.0 * batch.embedding)
    torch.testing.assert_close(module(batch), batch.static[:, None] + said + manner)
    content = content_stage().eval()
    torch.testing.assert_close(
        content(batch), batch.static[:, None] + content.content_branch(batch.windows, batch.static)
    )


def test_a_step_is_a_step_of_adam_on_the_objective(tmp_path):
    """Done by hand beside it: same weights afterwards, bit for bit."""
    data = TinySpeech(batches=1)
    module = content_stage(objective=LandmarkObjective(laplacian=0.5))
    by_hand = copy.deepcopy(module.content_branch).train()
    trainer(tmp_path, limit_val_batches=0).fit(module, data)

    adam = torch.optim.Adam(by_hand.parameters(), lr=5e-3, betas=(0.9, 0.999))
    batch = data.made[0]
    made = by_hand(batch.windows, batch.static) + batch.static[:, None]
    loss = landmark_displacement_loss(made, batch.target) + 0.5 * graph_laplacian_loss(made, batch.target)
    loss.backward()
    adam.step()
    assert module.report["loss/branch"].item() == pytest.approx(loss.item(), rel=1e-6)
    for key, value in by_hand.state_dict().items():
        torch.testing.assert_close(module.content_branch.state_dict()[key], value, atol=1e-6, rtol=1e-5)
    assert module.windows_seen == 4 * 6


def test_the_branch_runs_once_a_step_whatever_the_number_of_windows(tmp_path):
    module = content_stage()
    calls = []
    module.content_branch.register_forward_hook(lambda *_: calls.append(1))
    trainer(tmp_path, limit_val_batches=0).fit(module, TinySpeech(batches=3, windows=9))
    assert len(calls) == 3


def test_mouths_are_learned(tmp_path):
    """The moving lips of unseen speech are met better than by a still face, by far."""
    module = content_stage(optimizer=settings(2e-2))
    fit = trainer(tmp_path, epochs=16, check_val_every_n_epoch=16)
    fit.fit(module, TinySpeech(batches=10, samples=32, windows=1))
    numbers = fit.callback_metrics
    assert numbers["validation/lip_error_ratio"] < 0.7


def test_validation_reports_every_term_and_both_errors(tmp_path):
    module, data = content_stage(), TinySpeech(batches=1)
    (numbers,) = trainer(tmp_path).validate(module, data, verbose=False)
    terms = {"displacement", "laplacian", "motion", "lip_opening"}
    errors = {"lip_error", "lip_error_still", "lip_error_ratio", "landmark_error"}
    assert set(numbers) == {f"validation/{name}" for name in terms | errors}
    batch = data.made[-1]
    still = batch.static[:, None].expand_as(batch.target)
    expected = lip_landmark_distance(still.reshape(4, 6, 68, 3), batch.target.reshape(4, 6, 68, 3)).eye_percent.mean()
    assert numbers["validation/lip_error_still"] == pytest.approx(expected.item(), rel=1e-5)
    module.eval()
    with torch.no_grad():
        made = module(batch)
    assert numbers["validation/displacement"] == pytest.approx(
        landmark_displacement_loss(made, batch.target).item(), rel=1e-5
    )
    (tested,) = trainer(tmp_path).test(module, data, verbose=False)
    assert tested["test/lip_error"] == pytest.approx(numbers["validation/lip_error"])


def test_the_speaker_stage_leaves_the_content_branch_alone(tmp_path):
    module = speaker_stage()
    before, manner = weights(module.content_branch), weights(module.speaker_branch)
    trainer(tmp_path, limit_val_batches=0).fit(module, TinySpeech(batches=2, nod=0.3))
    assert same(before, module.content_branch.state_dict()), "weights and batch statistics"
    assert not same(manner, module.speaker_branch.state_dict())
    module.train()(speech(1, 3))
    assert not module.content_branch.training
    assert module.speaker_branch.training
    optimised = {
        id(one) for group in module.configure_optimizers()[0]["optimizer"].param_groups for one in group["params"]
    }
    assert optimised == {id(one) for one in module.speaker_branch.parameters()}


def test_what_content_leaves_out_is_learned_by_the_speaker_stage(tmp_path):
    module = speaker_stage(objective=LandmarkObjective(weigh_lips=False))
    data = TinySpeech(batches=4, samples=8, nod=0.5)
    fit = trainer(tmp_path, epochs=8, check_val_every_n_epoch=8)
    start = trainer(tmp_path).validate(module, data, verbose=False)[0]["validation/displacement"]
    fit.fit(module, data)
    assert fit.callback_metrics["validation/displacement"] < 0.7 * start


def test_the_discriminator_learns_and_the_branch_listens_from_its_epoch_on(tmp_path):
    module = speaker_stage(judged=True, adversarial_from_epoch=1)
    seen = []

    def note(*_):
        seen.append((module.current_epoch, "term/adversarial" in module.report, module.report["loss/discriminator"]))

    before = weights(module.motion_discriminator)
    log = module.log_dict
    module.log_dict = lambda *args, **kwargs: (note(), log(*args, **kwargs))
    trainer(tmp_path, epochs=2, limit_val_batches=0).fit(module, TinySpeech(batches=2))
    assert [(epoch, listens) for epoch, listens, _ in seen] == [(0, False), (0, False), (1, True), (1, True)]
    assert all(math.isfinite(loss) for *_, loss in seen)
    assert not same(before, module.motion_discriminator.state_dict())
    assert module.updates == {"branch": 4, "discriminator": 4}
    assert set(module.report) >= {"gradient_norm/branch", "gradient_norm/discriminator", "logits/real", "logits/made"}


def test_the_adversarial_term_does_not_teach_the_discriminator():
    """One phase of the branch leaves no gradient in D_T, and D_T's phase none in the branch."""
    module = speaker_stage(judged=True)
    batch = speech(2, 6)
    made = module(batch)
    module._judge(made, batch).sum().backward()
    assert any(one.grad is not None and one.grad.any() for one in module.speaker_branch.head.parameters())
    assert all(one.grad is None for one in module.content_branch.parameters())


def test_gradients_are_clipped(tmp_path):
    module = content_stage(gradient_clip=1e-6, optimizer=settings())
    trainer(tmp_path, limit_val_batches=0).fit(module, TinySpeech(batches=1))
    norm = torch.linalg.vector_norm(
        torch.stack([one.grad.norm() for one in module.parameters() if one.grad is not None])
    )
    assert norm.item() <= 1.001e-6
    assert module.report["gradient_norm/branch"] > 1e-3, "measured before clipping"


def test_two_runs_are_the_same_and_a_checkpoint_brings_everything_back(tmp_path):
    first, second = content_stage(), content_stage()
    for module in (first, second):
        torch.manual_seed(1)
        trainer(tmp_path, limit_val_batches=0).fit(module, TinySpeech())
    assert same(first.state_dict(), second.state_dict())
    fit = trainer(tmp_path, limit_val_batches=0)
    fit.fit(first, TinySpeech())
    fit.save_checkpoint(tmp_path / "one.ckpt")
    other = content_stage(seed=9)
    trainer(tmp_path, epochs=2, limit_val_batches=0).fit(
        other, TinySpeech(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
    )
    assert other.windows_seen == first.windows_seen + 4 * 4 * 6
    with pytest.raises(ConfigError, match="content stage"):
        speaker_stage().on_load_checkpoint(torch.load(tmp_path / "one.ckpt", weights_only=True))


def test_the_speaker_stage_builds_on_a_run_of_the_content_stage(tmp_path):
    module, average = content_stage(), ExponentialMovingAverage(network="content_branch")
    fit = trainer(tmp_path, callbacks=[average], limit_val_batches=0)
    fit.fit(module, TinySpeech())
    path = tmp_path / "content.ckpt"
    fit.save_checkpoint(path)
    plain, smooth = tiny_content(), tiny_content()
    load_content_branch(plain, path, averaged=False)
    statistics = load_content_branch(smooth, path)
    assert same(module.content_branch.state_dict(), plain.state_dict())
    assert same(average.average, smooth.state_dict())
    assert not same(plain.state_dict(), smooth.state_dict())
    assert torch.equal(statistics.mean, torch.zeros(80))
    manner = speaker_stage(content_checkpoint=path)
    assert same(smooth.state_dict(), manner.content_branch.state_dict())

    data = TinySpeech(batches=1)
    data.feature_mean, data.feature_std = torch.full((80,), 0.5), torch.ones(80)
    with pytest.raises(ConfigError, match="normalised otherwise"):
        trainer(tmp_path).fit(manner, data)
    data.feature_mean = torch.zeros(80)
    trainer(tmp_path, limit_val_batches=0).fit(manner, data)


def test_what_the_features_were_normalised_with_is_kept(tmp_path):
    module, data = content_stage(), TinySpeech(batches=1)
    data.feature_mean, data.feature_std = torch.arange(80.0), torch.arange(1.0, 81.0)
    trainer(tmp_path, limit_val_batches=0).fit(module, data)
    state = module.state_dict()
    assert torch.equal(state["feature_mean"], data.feature_mean)
    assert torch.equal(state["feature_std"], data.feature_std)


def test_both_kinds_of_content_branch_are_exported(tmp_path):
    features, face, frames = torch.randn(40, 80), torch.randn(204), torch.tensor([3, 20])
    convolutions = ConvolutionalBranch(width=8, steps=(5, 3), coefficients=4, face_width=8)
    for number, branch in enumerate((tiny_content(), convolutions)):
        data = TinySpeech(batches=1, past=branch.past, future=branch.future)
        data.feature_mean, data.feature_std = torch.arange(80.0), torch.arange(1.0, 81.0)
        module = content_stage(content_branch=branch)
        fit = trainer(tmp_path, limit_val_batches=0)
        fit.fit(module, data)
        fit.save_checkpoint(tmp_path / "content.ckpt")
        export_landmark_model(tmp_path / "content.ckpt", tmp_path / f"{number}.safetensors", half=False)
        model = load_landmark_model(tmp_path / f"{number}.safetensors")
        assert type(model.content_branch) is type(branch)
        assert torch.equal(model.feature_mean, data.feature_mean)
        expected = branch.eval().displacements(features, face, frames)
        torch.testing.assert_close(model.content_branch.displacements(features, face, frames), expected)


def test_windows_that_the_branch_does_not_hear_are_refused(tmp_path):
    data = TinySpeech(batches=1)
    data.past, data.future = 4, 17
    with pytest.raises(ConfigError, match=r"4 frames of past and 17 of future.*hears 0 and 17"):
        trainer(tmp_path, limit_val_batches=0).fit(content_stage(), data)


def test_the_speaker_branch_hears_the_published_part_of_longer_windows(tmp_path):
    content = ConvolutionalBranch(width=8, steps=(20,), coefficients=4, face_width=8).eval()
    module = speaker_stage(content_branch=content).eval()
    batch = speech(2, 6, past=21, future=21)
    said = module.content_branch(batch.windows, batch.static)
    added = module.speaker_branch(batch.windows[:, :, 21:39], 3 * batch.embedding)
    torch.testing.assert_close(module(batch), batch.static[:, None] + said + added)


def test_other_files_are_no_content_branch(tmp_path):
    torch.save({"state_dict": {"generator.weight": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match=r"^[^\n]*content stage[^\n]*$"):
        load_content_branch(tiny_content(), tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="no content branch"):
        load_content_branch(ConvolutionalBranch(width=4), tmp_path / "other.ckpt")
    state = {f"content_branch.{key}": value for key, value in tiny_content().state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "small.ckpt")
    with pytest.raises(WeightsError, match=r"^[^\n]*another network[^\n]*$"):
        load_content_branch(ConvolutionalBranch(width=4), tmp_path / "small.ckpt")
    torch.save({"model_g_face_id": published_content()}, tmp_path / "published.pth")
    branch = tiny_content()
    assert load_content_branch(branch, tmp_path / "published.pth") is None
    assert branch.prior[0].weight[0, 0] == 0.25


def published_content():
    sizes = tiny_content().arguments
    return {key: torch.full(shape, 0.25) for key, shape in CONTENT_BRANCH.shapes(sizes).items()}


@pytest.mark.parametrize(
    "wrong",
    [
        {"speaker_branch": tiny_speaker()},
        {"motion_discriminator": tiny_judge()},
        {"stage": "speaker"},
        {"content_checkpoint": "any.ckpt"},
    ],
)
def test_networks_that_do_not_go_with_the_stage_are_refused(wrong):
    with pytest.raises(ConfigError):
        AudioToLandmark(tiny_content(), **wrong)


def test_the_small_problem_is_one():
    batch = speech(2, 5)
    assert torch.equal(batch.windows[:, 1:, 0], batch.windows[:, :-1, 1]), "windows overlap"
    assert (batch.target - still_face().flatten()).abs().max() > 0.05
