"""The training step's benchmark: the published order of work computes what ours does, and the figures are whole."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from experiments.benchmarks import published_order, training_resources, training_setup, training_step
from experiments.benchmarks.peak_memory import peak_resident
from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.rasters import landmark_heat_maps
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
    return training_setup.make_batch(SIZE, 2)


@pytest.fixture(scope="module")
def compared(batch):
    return training_step.compare("lite", size=SIZE, batch_size=2, turns=2, matter=GivenMatte(batch.matte))


def test_both_sides_start_from_the_same_loss(compared):
    losses = compared["generator_loss_in_the_first_turn"]
    # The published order updates G after each photo, so only the first of its two photos sees the same weights.
    assert losses["published_order"] == pytest.approx(losses["ours"], rel=0.1)


def test_first_published_step_has_the_loss_of_our_objective(batch, monkeypatch):
    drawn = published_order.lip_lines  # cuts fractions off, ours rounds
    monkeypatch.setattr(published_order, "lip_lines", lambda points, size: drawn(np.rint(points), size))
    module = training_setup.make_module("lite")
    one = batch.split(2)[0]
    with torch.no_grad():
        expected, _ = module.objective.total(module.terms(module.draw(one)))
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
    assert compared["ratio_without_heat_maps"] < compared["ratio_without_matting"] <= compared["ratio"]
    assert len(compared["ratio_in_each_turn"]) == 2
    assert set(compared["seconds_on_the_host_per_image"]) == {"matting", "heat_maps", "griddata", "lip_lines"}


def test_both_sides_make_the_same_heat_maps(batch, monkeypatch):
    found = []
    monkeypatch.setattr(
        training_setup, "landmark_heat_maps", lambda points: found.append(landmark_heat_maps(points)) or found[0]
    )
    source, target = batch.landmarks, batch.target_landmarks[:, 0]
    flow, validity = training_setup.HeatMapsOnly()((source + 0.5) * 4 - 0.5, (target + 0.5) * 4 - 0.5)
    assert flow.shape == (2, 2, 256, 256)
    assert not flow.any()
    assert validity.all()
    expected = np.stack([published_order.heat_maps(points.numpy(), SIZE) for points in (*source, *target)])
    # Ours scales about the picture's corner, the published code about the first pixel's centre: 1.3 pixels apart here.
    assert found[0].shape == expected.shape
    assert found[0].sum().item() == pytest.approx(expected.sum(), rel=0.02)


def test_the_published_side_lies_in_memory_as_asked_for(batch):
    module = training_setup.make_module("lite")
    for layout, memory_format in (("plain", torch.contiguous_format), ("channels_last", torch.channels_last)):
        other = training_step.make_published(module, GivenMatte(batch.matte), layout=layout)
        assert all(p.is_contiguous(memory_format=memory_format) for p in other.judges.parameters() if p.dim() == 4)


def test_our_step_alone():
    found = training_step.alone("lite", size=SIZE, batch_size=1, turns=1)
    assert found["images_per_second"] == pytest.approx(1 / found["seconds"]["median"])


def test_the_step_is_not_compiled_without_a_compiler(monkeypatch):
    monkeypatch.setattr(training_step.shutil, "which", lambda _: None)
    assert "C++ compiler" in training_step.alone("lite", compile_networks=True)["not_measured"]


def test_memory_is_the_difference_of_two_processes(monkeypatch):
    class Child:
        def __init__(self, words, **_):
            self.stdout = f'a remark\n{{"bytes": {1e9 + 5e7 * int(words[4])}}}\n'

    monkeypatch.setattr(training_resources.subprocess, "run", Child)
    found = training_resources.memory_per_image("lite", 64)
    assert found["megabytes_per_image"] == pytest.approx(50.0)
    assert found["peak_megabytes"] == {"batch 1": 1050.0, "batch 3": 1150.0}


def test_the_peak_is_that_of_the_program_not_of_its_parent():
    filled = bytearray(b"x" * 300_000_000)
    child = "from experiments.benchmarks.peak_memory import peak_resident; print(peak_resident())"
    said = training_resources.subprocess.run([sys.executable, "-c", child], capture_output=True, check=True, text=True)
    assert len(filled) < peak_resident()
    assert 5e6 < int(said.stdout) < peak_resident() - 200e6


def test_published_order_takes_one_photo_only(batch):
    other = training_step.make_published(training_setup.make_module("lite"), GivenMatte(batch.matte))
    with pytest.raises(ValueError, match="one photo"):
        other.step(batch, batch)


def test_presets_are_those_of_the_configurations():
    config = Path(training_step.__file__).parents[1] / "configs" / "portrait_gan" / "lite.yaml"
    given = yaml.safe_load(config.read_text())["model"]["init_args"]
    wanted = dict(given["generator"]["init_args"])
    wanted.pop("output_channels")
    assert wanted == training_setup.LITE_GENERATOR | {"landmark_blocks": [0, 2, 4]}
