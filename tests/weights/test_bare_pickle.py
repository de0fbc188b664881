"""The restricted reader of bare pickles: tensors by name come out, nothing else is built, nothing is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from lightning_modules.errors import WeightsError
from lightning_modules.weights.bare_pickle import read_bare_pickle


class Evil:
    """Unpickling this makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class EvilStorage:
    """The bytes of a tensor's numbers, in which a pickle lies that makes a folder."""

    def __init__(self, path: Path) -> None:
        self.inner = pickle.dumps(Evil(path), protocol=2)

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.inner,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_come_out_by_name_each_with_its_own_numbers(tmp_path, protocol):
    whole = torch.randn(100, 256)
    path = tmp_path / "emb.pickle"
    path.write_bytes(pickle.dumps({"a": whole[3], "b": whole[7]}, protocol=protocol))
    read = read_bare_pickle(path)
    assert torch.equal(read["a"], whole[3])
    assert torch.equal(read["b"], whole[7])
    assert read["a"].untyped_storage().nbytes() == 256 * 4, "the rest of what it was a view of is let go"


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_code_in_a_pickle_is_not_run(tmp_path, protocol):
    path, made = tmp_path / "x.pickle", tmp_path / "made"
    path.write_bytes(pickle.dumps({"a": torch.zeros(3), "b": Evil(made)}, protocol=protocol))
    with pytest.raises(WeightsError, match=r"more than tensors.*asks for \w+\.mkdir") as caught:
        read_bare_pickle(path)
    assert not made.exists()
    assert "\n" not in str(caught.value)


def test_code_in_the_bytes_of_a_tensor_is_not_run(tmp_path):
    path, made = tmp_path / "x.pickle", tmp_path / "made"
    path.write_bytes(pickle.dumps({"a": EvilStorage(made)}, protocol=3))
    with pytest.raises(WeightsError):
        read_bare_pickle(path)
    assert not made.exists()


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ([torch.zeros(2)], "a pickle of a list"),
        ({}, "a pickle of a dict"),
        ({"a": 3}, "'a' of type int"),
        ({3: torch.zeros(2)}, "3 of type Tensor"),
    ],
)
def test_what_is_not_tensors_by_name_is_refused(tmp_path, held, told):
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps(held, protocol=3))
    with pytest.raises(WeightsError, match=told):
        read_bare_pickle(path)


@pytest.mark.parametrize("length", [1, 20, 400, 900])
def test_a_truncated_pickle_is_refused_in_one_line(tmp_path, length):
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps({"a": torch.randn(256)}, protocol=3)[:length])
    with pytest.raises(WeightsError) as caught:
        read_bare_pickle(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
