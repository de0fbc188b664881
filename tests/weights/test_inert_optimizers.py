"""Checkpoints with optimisers in them are read; nothing in a file runs."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from lightning_modules.errors import WeightsError
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.inert_optimizers import ForgottenOptimizer

RAN = []


def betray(*_):
    RAN.append("a file ran code")
    return {}


class Mischief:
    def __reduce__(self):
        return betray, ("now",)


class HiddenMischief(torch.optim.Adam):
    """An optimiser of somebody else's."""


def trained(optimizer=torch.optim.Adam, **options):
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    made = optimizer(network.parameters(), lr=1e-3, **options)
    network(torch.randn(5, 3)).square().sum().backward()
    made.step()
    return network, made


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream of 2020"])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_an_optimiser_in_a_file_is_passed_over(tmp_path, zipped, optimizer):
    network, made = trained(optimizer)
    path = tmp_path / "both.pth"
    torch.save({"G": network.state_dict(), "opt": made, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
    held, header = read_weight_file(path)
    assert header is None
    assert held["epoch"] == 3
    assert type(held["opt"]) is ForgottenOptimizer
    assert not vars(held["opt"])
    assert all(torch.equal(value, held["G"][key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_runs(tmp_path, zipped):
    network, made = trained()
    path = tmp_path / "wrong.pth"
    made.state["trap"] = Mischief()
    torch.save({"G": network.state_dict(), "opt": made}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="more than tensors"):
        read_weight_file(path)
    torch.save({"G": network.state_dict(), "opt": trained(HiddenMischief)[1]}, path)
    with pytest.raises(WeightsError, match="more than tensors"):
        read_weight_file(path)
    assert not RAN


def test_a_bare_pickle_is_refused_in_one_line(tmp_path):
    """As the published speaker embeddings come: torch's restricted reader does not know such files."""
    path = tmp_path / "emb.pickle"
    path.write_bytes(pickle.dumps({"id": torch.zeros(256)}))
    with pytest.raises(WeightsError, match=r"^[^\n]*bare pickle[^\n]*safetensors[^\n]*$"):
        read_weight_file(path)


def test_afterwards_torch_is_as_strict_as_before(tmp_path):
    path = tmp_path / "both.pth"
    torch.save({"opt": trained()[1]}, path)
    read_weight_file(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
