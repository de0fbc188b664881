"""A trained content branch from a file: what the speaker-aware branch builds on.

In a run's YAML::

    content_branch:
      class_path: lightning_modules.weights.trained_content_branch.trained_content_branch
      init_args:
        path: runs/AudioToLandmark/version_0/checkpoints/last.ckpt
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lightning_modules.errors import WeightsError
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.published_speech_networks import CONTENT_BRANCH

_PREFIX: Final = "content_branch."
_AVERAGE: Final = "ExponentialMovingAverage"
_MOST_LAYERS: Final = 16


def trained_content_branch(path: str | Path, *, averaged: bool = True) -> ContentBranch:
    """Read a content branch; its sizes follow from the shapes of its weights.

    Args:
        path: checkpoint of a run of the content stage, or the published file. Code in it is never run.
        averaged: take the moving average of a run that kept one; False: the weights as trained.

    Returns:
        The branch on the CPU, in evaluation mode.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds no content branch.
    """
    held, _ = read_weight_file(path)
    try:
        branch = CONTENT_BRANCH.load(_published_names(_own_weights(held, averaged=averaged) or held))
    except WeightsError as error:
        raise WeightsError(
            error.found, "give a checkpoint of the content stage, or the published file", path
        ) from error
    if not isinstance(branch, ContentBranch):
        raise TypeError(f"a content branch was to be built, and is a {type(branch).__name__}")
    return branch


def _own_weights(held: Mapping[str, Any], *, averaged: bool) -> dict[str, Any]:
    """The branch's state_dict in a checkpoint of a run; empty for any other file."""
    state = held.get("state_dict")
    if not isinstance(state, Mapping):
        return {}
    own = {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
    kept = held.get("callbacks", {}).get(_AVERAGE, {}).get("average", {})
    return dict(kept) if averaged and own and kept.keys() == own.keys() else own


def _published_names(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Our keys under their published names; keys of other origin stay."""
    names: Any = CONTENT_BRANCH.names
    published = {own: key for key, own in names({"layers": _MOST_LAYERS}).items()}
    return {published.get(key, key): value for key, value in weights.items()}
