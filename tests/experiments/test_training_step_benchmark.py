"""The training step's benchmark: the published order of work computes what ours does, and the figures are whole."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from experiments.benchmarks import published_order, training_step
from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.sampling import normalize_map
from lightning_modules.geometry.spline import SplineBasis

SIZE = 64


class GivenMatte:
    """Hands out the mattes of a batch in turn, again and again."""

    name = "given"

    def __init__(self, mattes: torch.Tensor) -> None:
        self.mattes = mattes
        self.calls = 0

    def matte(self, rgb: np.ndarray) -> np.ndarray:
        self.calls += 1
        return self.mattes[(self.calls - 1) % len(self.mattes), 0].numpy()


@pytest.fixture(scope="module")
def batch():
    return training_step.make_batch(SIZE, 2)


@pytest.fixture(scope="module")
def compared(batch):
    return training_step.compare("lite", size=SIZE, batch_size=2, turns=2, matter=GivenMatte(batch.matte))


def test_both_sides_start_from_the_same_loss(compared):
    losses = compared["generator_loss_in_the_first_turn"]
    # The published order updates G after each photo, so only the first of its two photos sees the same weights.
    assert losses["published_order"] == pytest.approx(losses["ours"], rel=0.1)


def test_first_published_step_has_the_loss_of_our_objective(batch):
    module = training_step.make_module("lite")
    # At whole positions, as the lines of the published order cut fractions off.
    one = replace(
        batch.split(2)[0],
        landmarks=batch.landmarks[:1].round(),
        target_landmarks=batch.target_landmarks[:1].round(),
    )
    with torch.no_grad():
        expected, _ = module.objective.total(module._terms(module.draw(one)))
    other = training_step.make_published(module, GivenMatte(one.matte))
    before = copy.deepcopy(other.generator.state_dict())
    found = other.step(one, one)["generator"]
    assert float(found) == pytest.approx(float(expected), rel=0.01)
    assert any(not torch.equal(value, before[name]) for name, value in other.generator.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in module.generator.state_dict().items())


def test_griddata_gives_flow_map_b(batch):
    source, target = batch.landmarks[0], batch.target_landmarks[0, 0]
    found = published_order.griddata_map(source.numpy(), target.numpy(), SIZE)
    ours = normalize_map(interpolated_flow_map(source[None], target[None], SIZE, anchors="official"), SIZE)[0]
    assert np.abs(found - ours.numpy()).max() < 1e-3


def test_dense_spline_gives_the_warp_of_the_losses(batch):
    source, target = batch.landmarks[0], batch.target_landmarks[0, 0]
    found = published_order.dense_spline_map(source, target, SIZE)
    ours = SplineBasis(target[None], SIZE).sampling_map(source[None])
    assert float((found - ours).abs().max()) < 0.1


def test_heat_map_is_one_disc_for_each_landmark():
    landmarks = np.zeros((68, 2), np.float32) + 32
    maps = published_order.heat_maps(landmarks, 64)
    assert maps.shape == (68, 224, 224)
    assert maps[3].sum() == 49  # lattice points within 4 of (112, 112)
    assert maps[3, 112, 116] == 1
    assert maps[3, 112, 117] == 0


def test_figures_fit_together(compared):
    rates = compared["images_per_second"]
    assert compared["ratio"] == pytest.approx(rates["ours"] / rates["published_order"])
    assert compared["ratio_without_matting"] <= compared["ratio"]
    assert len(compared["ratio_in_each_turn"]) == 2
    assert set(compared["seconds_on_the_host_per_image"]) == {"matting", "griddata", "lip_lines"}


def test_published_order_takes_one_photo_only(batch):
    other = training_step.make_published(training_step.make_module("lite"), GivenMatte(batch.matte))
    with pytest.raises(ValueError, match="one photo"):
        other.step(batch, batch)


def test_presets_are_those_of_the_configurations():
    config = Path(training_step.__file__).parents[1] / "configs" / "portrait_gan" / "lite.yaml"
    given = yaml.safe_load(config.read_text())["model"]["init_args"]
    wanted = dict(given["generator"]["init_args"])
    wanted.pop("output_channels")
    assert wanted == training_step.LITE_GENERATOR | {"landmark_blocks": [0, 2, 4]}
