"""The landmark network folded for speed computes what it did, and wrong files are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.errors import BackendError, WeightsError
from lightning_modules.export.network_file import save_network
from lightning_modules.faces import starter_network
from lightning_modules.faces.starter_network import as_landmark_network, folded_for_inference, load_landmark_network
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.networks.frozen.sphereface import SphereFace


def seeded(seed: int = 0) -> MobileFaceNet:
    torch.manual_seed(seed)
    network = MobileFaceNet()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.1)
        if isinstance(part, nn.PReLU):
            part.weight.data.uniform_(0.1, 0.4)
    return network


def test_folding_changes_the_steps_and_not_the_answer():
    network = seeded()
    crops = np.random.default_rng(0).random((3, 112, 112, 3), np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()).reshape(3, 68, 2).numpy()
    answer = as_landmark_network(network)(crops)
    assert answer.dtype == np.float32
    assert np.abs(answer - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(expected).max() > 1e-3
    folded = folded_for_inference(network)
    assert not any(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in folded.modules())
    assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def test_one_slope_for_all_channels_is_one_number():
    network = seeded()
    for part in network.modules():
        if isinstance(part, nn.PReLU):
            part.weight.data.fill_(0.25)
    folded = folded_for_inference(network)
    assert not any(isinstance(part, nn.PReLU) for part in folded.modules())
    crop = torch.rand(1, 3, 112, 112)
    with torch.inference_mode():
        assert torch.allclose(folded(crop), network(crop), rtol=1e-4, atol=1e-6)


def test_layers_in_turn_compute_the_same_and_leave_the_crops_alone():
    network = seeded(2)
    network.side = 64
    for part in network.modules():
        if isinstance(part, nn.PReLU):
            part.weight.data.fill_(0.25)
    crops = np.random.default_rng(1).random((3, 112, 112, 3), np.float32)
    given = crops.copy()
    answer = as_landmark_network(network)(crops)
    assert np.array_equal(crops, given)
    with torch.inference_mode():
        expected = network(torch.from_numpy(crops).permute(0, 3, 1, 2)).view(3, 68, 2).numpy()
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-6)


def test_a_file_of_the_right_kind_is_read_and_others_are_refused(tmp_path):
    network = seeded(1)
    path = save_network("mobilefacenet", network, tmp_path / "landmarks.safetensors")
    crops = np.random.default_rng(0).random((1, 112, 112, 3), np.float32)
    assert np.array_equal(load_landmark_network(path)(crops), as_landmark_network(network)(crops))
    other = save_network("sphereface", SphereFace(), tmp_path / "identity.safetensors")
    with pytest.raises(WeightsError, match="it holds a sphereface, not a landmark network"):
        load_landmark_network(other)


def test_a_package_without_the_weights_says_so(monkeypatch):
    from lightning_modules.weights import registry

    monkeypatch.setattr(registry, "locate", lambda _: None)
    monkeypatch.setattr(registry, "load_manifest", lambda: (_row(starter_network.WEIGHT_NAME),))
    with pytest.raises(BackendError, match=r"the starter's landmark network cannot be used .*--landmarks mediapipe"):
        load_landmark_network()


def _row(name):
    from lightning_modules.weights.registry import WeightFile

    return WeightFile(
        name, "landmarks", "package", "lightning_modules", "weights/starter/landmark_detector.safetensors",
        None, False, None, "MIT", "trained here", "--landmarks starter", False,
    )  # fmt: skip
