"""SyncNet has the published shape and stays as it was loaded."""

from __future__ import annotations

import torch

from lightning_modules.networks.frozen.syncnet import SyncNet


def test_the_published_shape():
    network = SyncNet()
    assert 13.62e6 < sum(parameter.numel() for parameter in network.parameters()) < 13.64e6
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["netcnnlip.0.weight"] == (96, 3, 5, 7, 7)
    assert shapes["netcnnlip.18.weight"] == (512, 256, 1, 6, 6)
    assert shapes["netcnnlip.19.running_var"] == (512,)
    assert shapes["netcnnaud.18.weight"] == (512, 256, 5, 4)
    assert shapes["netcnnaud.0.weight"] == (64, 1, 3, 3)
    assert shapes["netfclip.3.weight"] == shapes["netfcaud.3.weight"] == (1024, 512)


def test_windows_become_rows_and_nothing_is_learned():
    network = SyncNet()
    network.train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network.lips(torch.rand(1, 3, 5, 224, 224) * 255).shape == (1, 1024)
    assert network.sound(torch.randn(2, 1, 13, 20)).shape == (2, 1024)
