"""From checkpoints of stage 1 to a speech-to-landmark model's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.landmark_model_file import (
    UNSTATED,
    ContentNetwork,
    LandmarkModel,
    LandmarkTraining,
    NaturalGains,
    save_landmark_model,
)
from lightning_modules.export.network_file import build_network, filled, plain_arguments
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.networks.speaker_branch import SpeakerBranch
from lightning_modules.weights.checkpoint_file import read_weight_file

STATE: Final = "audio_to_landmark"
"""Name under which a checkpoint of stage 1 keeps what it says about itself."""

_AVERAGE: Final = "ExponentialMovingAverage"
_BUFFERS: Final = ("feature_mean", "feature_std")
_REMEDY: Final = "give a .ckpt that inkspeak fit wrote for AudioToLandmark"
_BRANCHES: Final = {"content": "content_branch", "speaker": "speaker_branch"}  # stage -> what it trains


def networks_record(content_branch: nn.Module, speaker_branch: nn.Module | None) -> dict[str, Any]:
    """What a checkpoint says about its networks: the arguments that build them; None for those of other classes."""
    kinds: dict[str, tuple[type[nn.Module], ...]] = {
        "content_branch": (ContentBranch, ConvolutionalBranch),
        "speaker_branch": (SpeakerBranch,),
    }
    networks = {"content_branch": content_branch, "speaker_branch": speaker_branch}
    return {
        name: plain_arguments(network) if isinstance(network, kinds[name]) else None
        for name, network in networks.items()
        if network is not None
    }


def statistics_record(data: object) -> dict[str, list[float]]:
    """What a checkpoint says about the data it was trained on.

    Args:
        data: the data module; of its attributes ``feature_mean``, ``feature_std`` (80,) and ``mean_embedding`` (256,)
            those that it has are kept.

    Returns:
        Their names and values.
    """
    found = {name: getattr(data, name, None) for name in ("feature_mean", "feature_std", "mean_embedding")}
    return {name: values.tolist() for name, values in found.items() if isinstance(values, Tensor)}


def is_landmark_checkpoint(path: str | Path) -> bool:
    """Whether a file is a checkpoint of stage 1.

    Raises:
        WeightsError: there is no such file, or it is damaged.
    """
    return STATE in read_weight_file(path)[0]


def landmark_model_of_checkpoint(path: str | Path, *, averaged: bool = True) -> LandmarkModel:
    """The model in a checkpoint of stage 1; no configuration is needed.

    A checkpoint of the speaker stage holds both branches, one of the content stage the content branch alone.

    Args:
        path: the checkpoint.
        averaged: take the moving average of the trained branch where there is one; False: the weights of the last step.

    Returns:
        The model; ``training.averaged`` says which weights it has.

    Raises:
        WeightsError: there is no such file, it is damaged, no checkpoint of stage 1, or does not say with what
            statistics it hears.
    """
    checkpoint, _ = read_weight_file(path)
    state = checkpoint.get(STATE)
    if not isinstance(state, Mapping) or not isinstance(checkpoint.get("state_dict"), Mapping):
        raise WeightsError("it is no checkpoint of stage 1", _REMEDY, path)
    statistics = {name: values for name, values in checkpoint["state_dict"].items() if name in _BUFFERS}
    statistics |= state.get("statistics") or {}
    if not {"feature_mean", "feature_std"} <= set(statistics):
        found = "it does not say the mean and deviation of the features that it was trained on"
        raise WeightsError(found, "let inkspeak fit go on from it with SpeechLandmarksDataModule", path)
    try:
        trained = _BRANCHES[state["stage"]]
        branches, average_used = {}, False
        for name in ("content_branch", "speaker_branch"):
            if state.get(name) is None:
                continue
            weights = _own(checkpoint["state_dict"], name)
            average = _average(checkpoint, weights) if averaged and name == trained else None
            average_used |= average is not None
            branches[name] = filled(build_network(name, state[name]), average or weights)
        embedding = statistics.get("mean_embedding")
        return LandmarkModel(
            content_branch=cast("ContentNetwork", branches["content_branch"]),
            speaker_branch=cast("SpeakerBranch | None", branches.get("speaker_branch")),
            feature_mean=torch.as_tensor(statistics["feature_mean"]).float(),
            feature_std=torch.as_tensor(statistics["feature_std"]).float(),
            mean_embedding=None if embedding is None else torch.tensor(embedding, dtype=torch.float32),
            training=LandmarkTraining(windows_seen=int(state["windows_seen"]), averaged=average_used),
        )
    except (ConfigError, WeightsError) as error:
        raise WeightsError(error.found, error.remedy, path) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"what it says about its networks cannot be read ({type(error).__name__}: {error})"
        raise WeightsError(found, _REMEDY, path) from error


def _own(state: Mapping[str, Tensor], branch: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{branch}."): value for key, value in state.items() if key.startswith(f"{branch}.")}


def _average(checkpoint: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The trained branch's average, if one was kept and updated."""
    callbacks = checkpoint.get("callbacks")
    for name, state in (callbacks if isinstance(callbacks, Mapping) else {}).items():
        if str(name).startswith(_AVERAGE) and isinstance(state, Mapping) and state.get("updates"):
            average: dict[str, Tensor] = state["average"]
            if average.keys() == weights.keys():
                return average
    return None


def export_landmark_model(
    checkpoint: str | Path,
    path: str | Path,
    *,
    averaged: bool = True,
    half: bool = True,
    gains: NaturalGains | None = None,
    description: str = UNSTATED,
    licence: str = UNSTATED,
    source: str = UNSTATED,
) -> LandmarkModel:
    """Write the model of a checkpoint into a file that ``animate --driver trained --driver-weights`` reads.

    Args:
        checkpoint: the checkpoint.
        path: the file to write.
        averaged: see :func:`landmark_model_of_checkpoint`.
        half: keep weights in half precision, 8.7 MB instead of 17.4 for both published branches.
        gains: see :class:`~lightning_modules.export.landmark_model_file.NaturalGains`.
        description: what it was trained on.
        licence: of the weights.
        source: where they come from.

    Returns:
        What was written.

    Raises:
        WeightsError: see :func:`landmark_model_of_checkpoint`.
        OutputError: the file cannot be written.
    """
    found = landmark_model_of_checkpoint(checkpoint, averaged=averaged)
    training = replace(
        found.training, gains=gains or NaturalGains(), description=description, licence=licence, source=source
    )
    model = replace(found, training=training)
    save_landmark_model(model, path, half=half)
    return model
