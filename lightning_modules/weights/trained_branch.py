"""The weights of a trained branch of stage 1, out of a run's checkpoint or the published file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from torch import Tensor, nn

from lightning_modules.errors import WeightsError
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.published_speech_networks import CONTENT_BRANCH

_PREFIX: Final = "content_branch."
_AVERAGE: Final = "ExponentialMovingAverage"
_REMEDY: Final = "give a checkpoint of the content stage with the same network, or the published file"


class FeatureStatistics(NamedTuple):
    """What a run's features were normalised with."""

    mean: Tensor
    """(80,)."""
    deviation: Tensor
    """(80,), above 0."""


def load_content_branch(branch: nn.Module, path: str | Path, *, averaged: bool = True) -> FeatureStatistics | None:
    """Give a content branch the weights of a trained one.

    Args:
        branch: of the same class and sizes; changed in place.
        path: checkpoint of a run of the content stage; for a ``ContentBranch`` also the published file. Code in it is
            never run.
        averaged: take the moving average of a run that kept one; False: the weights as trained.

    Returns:
        What the features of that run were normalised with; None for the published file, which does not say.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds no branch like this one.
    """
    held, _ = read_weight_file(path)
    state = held.get("state_dict")
    own = _without_prefix(state) if isinstance(state, Mapping) else {}
    try:
        if own:
            kept = held.get("callbacks", {}).get(_AVERAGE, {}).get("average", {})
            branch.load_state_dict(kept if averaged and kept.keys() == own.keys() else own)
        else:
            branch.load_state_dict(_published(branch, held))
    except RuntimeError as error:  # torch's way to say that keys or shapes differ, over many lines
        raise WeightsError(f"it holds another network than {type(branch).__name__} here", _REMEDY, path) from error
    except WeightsError as error:
        raise WeightsError(error.found, _REMEDY, path) from error
    if not isinstance(state, Mapping) or not {"feature_mean", "feature_std"} <= state.keys():
        return None
    return FeatureStatistics(state["feature_mean"], state["feature_std"])


def _published(branch: nn.Module, held: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(branch, ContentBranch):
        raise WeightsError("it holds no content branch", _REMEDY)
    return CONTENT_BRANCH.load(held).state_dict()


def _without_prefix(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
