"""From a checkpoint of a supporting network's training to a file of that network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import StoredNetwork, build_network, filled, save_network
from lightning_modules.weights.checkpoint_file import read_weight_file

STATE: Final = "supporting_network"
"""Name under which the checkpoint says what it holds."""

_AVERAGE: Final = "ExponentialMovingAverage"
_PREFIX: Final = "network."
_REMEDY: Final = "give a .ckpt that inkspeak fit wrote for a supporting network"


def is_supporting_checkpoint(path: str | Path) -> bool:
    """Whether a file is a checkpoint of a supporting network's training.

    Raises:
        WeightsError: there is no such file, or it is damaged.
    """
    return STATE in read_weight_file(path)[0]


def supporting_network_of_checkpoint(path: str | Path, *, averaged: bool = True) -> StoredNetwork:
    """The network in a checkpoint; no configuration is needed.

    Args:
        path: the checkpoint.
        averaged: take the moving average where the checkpoint has one; False takes the weights of the last step.

    Returns:
        Kind, network (CPU, eval mode), and as facts ``samples_seen``, ``averaged`` and what its trainer says of it.

    Raises:
        WeightsError: there is no such file, it is damaged, or it is no such checkpoint.
    """
    checkpoint, _ = read_weight_file(path)
    record, state = checkpoint.get(STATE), checkpoint.get("state_dict")
    if not isinstance(record, Mapping) or not isinstance(state, Mapping):
        raise WeightsError("it is no checkpoint of a supporting network", _REMEDY, path)
    trained = {
        name.removeprefix(_PREFIX): value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if name.startswith(_PREFIX)
    }
    average = _average(checkpoint, trained) if averaged else None
    try:
        kind, seen, said = str(record["kind"]), int(record["samples_seen"]), dict(record.get("facts", {}))
        network = filled(build_network(kind, record["arguments"]), trained if average is None else average)
    except (ConfigError, WeightsError) as error:
        raise WeightsError(error.found, error.remedy, path) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"what it says about its network cannot be read ({error})", _REMEDY, path) from error
    return StoredNetwork(kind, network, said | {"samples_seen": seen, "averaged": average is not None})


def _average(checkpoint: Mapping[str, Any], trained: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The network's average, if one was kept and updated."""
    callbacks = checkpoint.get("callbacks")
    for name, state in (callbacks if isinstance(callbacks, Mapping) else {}).items():
        if str(name).startswith(_AVERAGE) and isinstance(state, Mapping) and state.get("updates"):
            average: dict[str, Tensor] = state["average"]
            if average and average.keys() == trained.keys():
                return average
    return None


def export_supporting_network(
    checkpoint: str | Path,
    path: str | Path,
    *,
    averaged: bool = True,
    half: bool = True,
    facts: Mapping[str, Any] | None = None,
) -> StoredNetwork:
    """Write the network of a checkpoint into a file.

    Args:
        checkpoint: the checkpoint.
        path: the file to write.
        averaged: see :func:`supporting_network_of_checkpoint`.
        half: keep matrices and kernels in 16 bits.
        facts: what else is to be known about it, such as licence, source and description.

    Returns:
        What was written.

    Raises:
        WeightsError: see :func:`supporting_network_of_checkpoint`.
        OutputError: the file cannot be written.
    """
    found = supporting_network_of_checkpoint(checkpoint, averaged=averaged)
    told = found.facts | dict(facts or {})
    save_network(found.kind, found.network, path, told, half=half)
    return StoredNetwork(found.kind, found.network, told)
