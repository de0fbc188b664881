"""Stage 1 in a file: bit for bit the same afterwards, from a checkpoint or from parts; what is not one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.landmark_checkpoint import (
    export_landmark_model,
    landmark_model_of_checkpoint,
    networks_record,
    statistics_record,
)
from lightning_modules.export.landmark_model_file import (
    LandmarkModel,
    LandmarkTraining,
    NaturalGains,
    load_landmark_model,
    save_landmark_model,
)
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.networks.speaker_branch import SpeakerBranch

CONTENT: dict[str, Any] = {"prior_width": 8, "prior_features": 6, "hidden": 8, "layers": 2, "head_width": 8}
SPEAKER: dict[str, Any] = {"hidden": 8, "layers": 1, "code": 4, "noise": 4, "width": 4, "feed_forward": 8}


@pytest.fixture
def model() -> LandmarkModel:
    torch.manual_seed(3)
    return LandmarkModel(
        content_branch=ContentBranch(**CONTENT).eval(),
        speaker_branch=SpeakerBranch(**SPEAKER, head_width=8, longest=64).eval(),
        feature_mean=torch.randn(80),
        feature_std=torch.rand(80) + 0.5,
        mean_embedding=torch.rand(256),
        training=LandmarkTraining(
            gains=NaturalGains(1.25, 1.5, 0.5), windows_seen=7, description="d", licence="CC0-1.0"
        ),
    )


def same(one: LandmarkModel, other: LandmarkModel) -> bool:
    pairs = zip(one.branches().items(), other.branches().items(), strict=True)
    return all(
        name == again
        and branch.arguments == back.arguments
        and branch.state_dict().keys() == back.state_dict().keys()
        and all(torch.equal(branch.state_dict()[key], value) for key, value in back.state_dict().items())
        for (name, branch), (again, back) in pairs
    )


@pytest.mark.parametrize("both", [True, False])
def test_what_is_saved_comes_back_bit_by_bit(tmp_path: Path, model: LandmarkModel, both: bool) -> None:
    other = ConvolutionalBranch(width=8, steps=(1, 2), coefficients=4, face_width=8).eval()
    saved = model if both else replace(model, content_branch=other, speaker_branch=None, mean_embedding=None)
    loaded = load_landmark_model(save_landmark_model(saved, tmp_path / "sub" / "m.safetensors"))
    assert same(saved, loaded)
    assert torch.equal(loaded.feature_mean, saved.feature_mean)
    assert torch.equal(loaded.feature_std, saved.feature_std)
    assert (loaded.mean_embedding is None) == (not both)
    assert loaded.training == saved.training
    assert not any(branch.training for branch in loaded.branches().values())
    assert not any(values.requires_grad for values in loaded.content_branch.parameters())


def test_half_precision_halves_the_file_and_rounds_each_weight_once(tmp_path: Path, model: LandmarkModel) -> None:
    big = replace(model, content_branch=ContentBranch(hidden=64, layers=1).eval())
    whole = save_landmark_model(big, tmp_path / "whole.safetensors")
    half = save_landmark_model(big, tmp_path / "half.safetensors", half=True)
    assert half.stat().st_size < 0.56 * whole.stat().st_size
    loaded = load_landmark_model(half)
    for name, branch in big.branches().items():
        for key, values in branch.state_dict().items():
            found = loaded.branches()[name].state_dict()[key]
            assert found.dtype == values.dtype
            wanted = values.half().float() if values.is_floating_point() else values
            assert torch.equal(found, wanted)
    assert torch.equal(loaded.feature_mean, big.feature_mean)


def rewritten(path: Path, change: Any) -> Path:
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        header = json.loads(stored.metadata()["inkspeak"])
    change(header, tensors)
    save_file(tensors, path, metadata={"inkspeak": json.dumps(header)})
    return path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda header, _: header.update(network="portrait_generator"), "not a speech-to-landmark model"),
        (lambda header, _: header.update(form=99), "form 99"),
        (lambda header, _: header["content_branch"].update(hidden=10**9), "hidden"),
        (lambda header, _: header["content_branch"].update(os="system"), "os"),
        (lambda header, _: header["content_branch"].update(architecture="odd"), "odd"),
        (lambda header, _: header["facts"].update(feature="smell"), "smell"),
        (lambda header, _: header["facts"]["gains"].update(mouth_x=-1), "mouth_x"),
        (lambda header, _: header["facts"]["gains"].update(mouth_x="1"), "mouth_x"),
        (lambda header, _: header.pop("content_branch"), "content_branch"),
        (lambda _, tensors: tensors.pop("content_branch.head.0.bias"), "no head.0.bias"),
        (lambda _, tensors: tensors.pop("feature_std"), "feature_std"),
        (lambda _, tensors: tensors.pop("mean_embedding"), "mean_embedding"),
        (lambda _, tensors: tensors["feature_std"].zero_(), "feature_std"),
        (lambda _, tensors: tensors["content_branch.head.0.bias"].fill_(float("nan")), "not finite"),
        (lambda _, tensors: tensors.update(more=torch.zeros(1)), "more is not expected"),
    ],
)
def test_foreign_and_damaged_files_are_refused(tmp_path: Path, model: LandmarkModel, change: Any, told: str) -> None:
    path = rewritten(save_landmark_model(model, tmp_path / "m.safetensors"), change)
    with pytest.raises(WeightsError, match=told) as caught:
        load_landmark_model(path)
    assert caught.value.path == path


def test_parts_that_do_not_fit_together_are_refused(model: LandmarkModel) -> None:
    for change in (
        {"feature_mean": torch.zeros(79)},
        {"feature_std": torch.zeros(80)},
        {"mean_embedding": None},
        {"content_branch": ContentBranch(features=81)},
    ):
        with pytest.raises(ConfigError):
            replace(model, **change)


def checkpoint(model: LandmarkModel, *, average: bool = True, statistics: object = "all") -> dict[str, Any]:
    branches = model.branches()
    weights = {
        f"{name}.{key}": value for name, branch in branches.items() for key, value in branch.state_dict().items()
    }
    trained = branches.get("speaker_branch", model.content_branch)
    averaged = {key: value + 1 for key, value in trained.state_dict().items()}
    data = replace(model) if statistics == "all" else statistics
    return {
        "state_dict": weights,
        "callbacks": {"ExponentialMovingAverage": {"updates": 5 if average else 0, "average": averaged}},
        "audio_to_landmark": {
            "windows_seen": 9,
            "updates": {},
            "stage": "speaker" if model.speaker_branch is not None else "content",
            **networks_record(model.content_branch, model.speaker_branch),
            "statistics": statistics_record(data),
        },
    }


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("averaged", [True, False])
def test_a_checkpoint_gives_its_model(tmp_path: Path, model: LandmarkModel, both: bool, averaged: bool) -> None:
    held = model if both else replace(model, speaker_branch=None)
    torch.save(checkpoint(held), tmp_path / "last.ckpt")
    found = export_landmark_model(
        tmp_path / "last.ckpt", tmp_path / "out.safetensors", averaged=averaged, half=False, licence="CC0-1.0"
    )
    loaded = load_landmark_model(tmp_path / "out.safetensors")
    assert same(found, loaded)
    assert loaded.training == LandmarkTraining(windows_seen=9, averaged=averaged, licence="CC0-1.0")
    trained = "speaker_branch" if both else "content_branch"
    for name, branch in held.branches().items():
        shift = 1 if averaged and name == trained else 0
        state = loaded.branches()[name].state_dict()
        assert all(torch.equal(state[key], value + shift) for key, value in branch.state_dict().items())
    assert torch.allclose(loaded.feature_mean, held.feature_mean)


def test_other_checkpoints_are_refused(tmp_path: Path, model: LandmarkModel) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(WeightsError, match="no checkpoint of stage 1"):
        landmark_model_of_checkpoint(path)
    torch.save(checkpoint(model, statistics=None), path)
    with pytest.raises(WeightsError, match="mean and deviation"):
        landmark_model_of_checkpoint(path)
