"""Callbacks that measure in validation: their numbers are those of the metrics, and leave no trace in the module."""

from __future__ import annotations

import pytest
import torch
from measured_portraits import KnownDrawer, loader, make_batch, trainer
from torch import nn

from callbacks.discriminator_health import DiscriminatorHealth, balances
from callbacks.fid import DrawingDistances
from callbacks.inter_frame_ssim import FrameSteadiness
from callbacks.lip_landmark_distance import LandmarkAccuracy
from callbacks.validation_measure import ValidationMeasure
from lightning_modules.errors import WeightsError
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.metrics.feature_networks import RandomConvolutionFeatures
from lightning_modules.metrics.frechet_distance import FrechetDistance
from lightning_modules.metrics.inter_frame_ssim import frame_motion, inter_frame_ssim
from lightning_modules.metrics.kernel_distance import kernel_distance
from lightning_modules.metrics.lip_landmark_distance import lip_landmark_distance


@pytest.fixture(scope="module")
def batches():
    return [make_batch(2, seed) for seed in range(3)]


@pytest.fixture(scope="module")
def frames(batches):
    module = KnownDrawer().eval()
    with torch.no_grad():
        return torch.cat([module(batch) for batch in batches])


def validated(folder, batches, *callbacks, module=None):
    runner = trainer(folder, *callbacks)
    (results,) = runner.validate(module or KnownDrawer(), loader(batches), verbose=False)
    return results


class TrueReader(nn.Module):
    """Reads the landmarks that were asked for, one lip point off by two pixels."""

    def forward(self, drawing, landmarks):
        found = landmarks.clone()
        found[:, 50, 0] += 2
        return found


def test_drawing_distances(tmp_path, batches, frames):
    found = validated(tmp_path, batches, DrawingDistances())
    network = RandomConvolutionFeatures()
    real = network(as_rgb_bytes(torch.cat([batch.drawing for batch in batches])))
    made = network(as_rgb_bytes(frames[:, 0]))
    reference = FrechetDistance(128)
    reference.update(real, real=True)
    reference.update(made, real=False)
    kernel = kernel_distance(real, made)
    assert found["drawing_feature_distance/frechet"] == pytest.approx(float(reference.compute()), rel=1e-5)
    assert found["drawing_feature_distance/kernel/value"] == pytest.approx(float(kernel.value), rel=1e-5)
    assert found["drawing_feature_distance/kernel/standard_error"] == pytest.approx(
        float(kernel.standard_error), rel=1e-5
    )
    assert (found["drawings/real_count"], found["drawings/generated_count"]) == (6, 6)
    assert not any(word in name for name in found for word in ("fid", "kid"))


def test_with_inception_the_names_are_fid_and_kid(tmp_path, batches, monkeypatch):
    """Inception's place is taken by a small network here; which file may take it is tested with the metrics."""

    class Small(nn.Module):
        def forward(self, images):
            return nn.functional.adaptive_avg_pool2d(images.float(), 1).flatten(1).repeat(1, 683)[:, :2048]

    monkeypatch.setattr("lightning_modules.metrics.feature_networks.load_inception", lambda _: Small())
    callback = DrawingDistances("somewhere.pth")
    callback.setup(trainer(tmp_path), KnownDrawer(), "fit")
    assert {"drawings/fid", "drawings/kid/"} < set(callback.metrics)


def test_a_wrong_weights_file_is_told_before_training(tmp_path, batches):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="not the Inception weights"):
        validated(tmp_path, batches, DrawingDistances(str(path)))


def test_too_few_drawings_are_said_and_end_nothing(tmp_path, caplog):
    import logging

    logging.getLogger("lightning.pytorch").setLevel(logging.INFO)
    with caplog.at_level(logging.INFO):
        found = validated(tmp_path, [make_batch(2)], DrawingDistances())
    assert "drawing_feature_distance/frechet" in found
    assert "drawing_feature_distance/kernel/value" not in found
    assert "2 real drawings and needs 3" in caplog.text


def test_steadiness(tmp_path, batches, frames):
    found = validated(tmp_path, batches, FrameSteadiness())
    expected = torch.stack([inter_frame_ssim(clip).mean() for clip in frames]).mean()
    moved = torch.stack([frame_motion(clip).mean() for clip in frames]).mean()
    film = torch.stack([inter_frame_ssim(clip).mean() for batch in batches for clip in batch.adjacent]).mean()
    assert found["inter_frame_ssim/similarity"] == pytest.approx(float(expected), rel=1e-5)
    assert found["inter_frame_ssim/motion"] == pytest.approx(float(moved), rel=1e-5)
    assert found["inter_frame_ssim/film/similarity"] == pytest.approx(float(film), rel=1e-5)
    assert found["inter_frame_ssim/landmark_motion"] == pytest.approx(0.3 * 2**0.5, rel=1e-4)
    assert "inter_frame_ssim/compensated_similarity" in found


def test_landmark_accuracy_by_hand(tmp_path, batches):
    found = validated(tmp_path, batches, LandmarkAccuracy(TrueReader()))
    # One of 20 lip points by 2 px: centred, it is 1.9 px off and the 19 others 0.1 px each. Eyes are 16 px apart.
    assert found["lip_landmark_distance/pixels"] == pytest.approx((1.9 + 19 * 0.1) / 20, rel=1e-5)
    assert found["lip_landmark_distance/eye_percent"] == pytest.approx(100 * 0.19 / 16, rel=1e-5)
    assert found["landmark_error/lips"] == pytest.approx(100 * 2 / 20 / 16, rel=1e-5)
    assert found["landmark_error/jaw"] == 0
    assert found["lip_landmark_distance/missing_percent"] == 0


def test_the_modules_own_detector_is_asked(tmp_path, batches, frames):
    class Detector(nn.Module):
        def forward(self, crops):
            assert crops.shape[1:] == (3, 112, 112)
            return torch.linspace(0.1, 0.9, 136).expand(len(crops), -1)

    module = KnownDrawer()
    object.__setattr__(module, "geometry_detector", Detector())
    found = validated(tmp_path, batches, LandmarkAccuracy(), module=module)
    fractions = torch.linspace(0.1, 0.9, 136).view(68, 2)
    detected = torch.tensor([0.15, 0.20]) * 32 + fractions * 0.7 * 32
    targets = torch.cat([batch.target_landmarks for batch in batches])
    expected = lip_landmark_distance(detected.expand(6, 2, 68, 2), targets).pixels.mean()
    assert found["lip_landmark_distance/pixels"] == pytest.approx(float(expected), rel=1e-4)


def test_without_a_detector_nothing_is_logged(tmp_path, batches):
    assert validated(tmp_path, batches, LandmarkAccuracy()) == {}


def test_judgements_by_hand(tmp_path, batches, frames):
    found = validated(tmp_path, batches, DiscriminatorHealth())
    real = torch.cat([batch.drawing for batch in batches])
    real_logits, fake_logits = ((part.mean((1, 2, 3)) + 1) / 2 for part in (real, frames[:, 0]))
    assert found["health/d_g/real_mean"] == pytest.approx(float(real_logits.mean()), rel=1e-5)
    assert found["health/d_g/fake_mean"] == pytest.approx(float(fake_logits.mean()), rel=1e-5)
    signs = [float((part > 0.5).double().mean()) for part in (real_logits, fake_logits)]
    assert [found["health/d_g/real_sign"], found["health/d_g/fake_sign"]] == pytest.approx(signs)
    assert found["health/d_g/accuracy"] == pytest.approx((signs[0] + 1 - signs[1]) / 2)
    assert found["health/d_ln/real_mean"] == pytest.approx(float(real_logits.mean()) + 1, rel=1e-5)
    assert found["health/d_ll/real_mean"] == pytest.approx(float(real_logits.mean()) + 3, rel=1e-5)
    pairs = (frames[:, 0] - frames[:, 1]).abs().mean()
    strangers = torch.cat([batch.non_adjacent for batch in batches]).diff(dim=1).abs().mean()
    assert found["health/d_coh/fake_mean"] == pytest.approx(float(pairs), rel=1e-5)
    assert found["health/d_coh_strangers/fake_mean"] == pytest.approx(float(strangers), rel=1e-5)


def test_the_threshold_follows_the_loss(tmp_path, batches):
    module = KnownDrawer()
    module.adversarial_kind = "log"
    found = validated(tmp_path, batches, DiscriminatorHealth(), module=module)
    assert (found["health/d_g/real_sign"], found["health/d_g/fake_sign"]) == (1, 1)
    assert found["health/d_g/accuracy"] == 0.5


def test_balances_by_hand():
    values = {
        "logits/d_g_real": 0.9,
        "logits/d_g_made": 0.2,
        "logits/d_coh_neighbours": 0.5,
        "logits/d_coh_made": 0.6,
        "loss/drawing": 1.5,
        "raw/adversarial": 1.0,
        "raw/local": 2.0,
        "gradient_norm/generator": 4.0,
        "gradient_norm/drawing": 1.0,
        "gradient_norm/coherence": 8.0,
    }
    found = {name: float(value) for name, value in balances({n: torch.tensor(v) for n, v in values.items()}).items()}
    assert found == pytest.approx(
        {
            "health/d_g/margin": 0.7,
            "health/d_coh/margin": -0.1,
            "health/d_to_g_loss": 0.5,
            "health/gradient_ratio/drawing": 0.25,
            "health/gradient_ratio/coherence": 2.0,
        }
    )
    assert balances({}) == {}


def everything():
    return [DrawingDistances(), FrameSteadiness(), LandmarkAccuracy(TrueReader()), DiscriminatorHealth()]


def test_nothing_enters_the_module(tmp_path, batches):
    module, callbacks = KnownDrawer(), everything()
    validated(tmp_path, batches, *callbacks, module=module)
    assert set(module.state_dict()) == {"shade"}
    assert len(list(module.parameters())) == 1
    assert all(callback.state_dict() == {} for callback in callbacks)


def test_the_sanity_check_is_not_counted_and_epochs_start_anew(tmp_path, batches):
    class Seen(ValidationMeasure):
        fed = 0

        def feed(self, *args):
            self.fed += 1

    seen, counted = Seen(), DrawingDistances()
    runner = trainer(tmp_path, seen, counted, max_epochs=2, num_sanity_val_steps=2)
    runner.fit(KnownDrawer(), loader(batches[:1]), loader(batches))
    assert seen.fed == 2 * 3
    assert runner.callback_metrics["drawings/real_count"] == 6


def test_test_runs_have_names_of_their_own(tmp_path, batches):
    runner = trainer(tmp_path, FrameSteadiness())
    (found,) = runner.test(KnownDrawer(), loader(batches), verbose=False)
    assert "test/inter_frame_ssim/similarity" in found
    assert "inter_frame_ssim/similarity" not in found


def test_a_module_that_returns_nothing_is_told_what_is_missing(tmp_path, batches):
    class Silent(KnownDrawer):
        def validation_step(self, batch, batch_idx):
            pass

    with pytest.raises(TypeError, match=r'FrameSteadiness needs .*"frames".*Silent'):
        validated(tmp_path, batches, FrameSteadiness(), module=Silent())
