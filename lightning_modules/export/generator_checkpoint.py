"""From a checkpoint of the portrait GAN to a generator's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from torch import Tensor

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.generator_file import (
    KIND,
    UNSTATED,
    GeneratorTraining,
    TrainedGenerator,
    save_generator,
)
from lightning_modules.export.network_file import build_network, filled
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.weights.checkpoint_file import read_weight_file

_STATE: Final = "portrait_gan"
_AVERAGE: Final = "ExponentialMovingAverage"
_PREFIX: Final = "generator."


def generator_of_checkpoint(path: str | Path, *, averaged: bool = True) -> TrainedGenerator:
    """The generator in a checkpoint that a training of ``PortraitGAN`` wrote; no configuration is needed.

    Args:
        path: the checkpoint.
        averaged: take the moving average where the checkpoint has one; False takes the weights of the last step.

    Returns:
        The generator on the CPU, in eval mode, and how it was trained; ``training.averaged`` says which weights it has.

    Raises:
        WeightsError: there is no such file, it is damaged, no checkpoint of the portrait GAN, or of a version that did
            not say how its generator is built.
    """
    checkpoint, _ = read_weight_file(path)
    state = checkpoint.get(_STATE)
    if not isinstance(state, Mapping) or not isinstance(checkpoint.get("state_dict"), Mapping):
        raise WeightsError("it is no checkpoint of the portrait GAN", "give a .ckpt that inkspeak fit wrote", path)
    record = state.get(KIND)
    if not isinstance(record, Mapping):
        found = "it does not say how its generator is built: another network, or a checkpoint of an older version"
        raise WeightsError(found, "let inkspeak fit go on from it: its next checkpoint says so", path)
    average = _average(checkpoint) if averaged else None
    trained = {
        name.removeprefix(_PREFIX): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(_PREFIX)
    }
    try:
        training = replace(
            GeneratorTraining.of(record["training"]),
            photos_seen=int(state["photos_seen"]),
            averaged=average is not None,
        )
        generator = filled(build_network(KIND, record["arguments"]), trained if average is None else average)
    except (ConfigError, WeightsError) as error:
        raise WeightsError(error.found, error.remedy, path) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"what it says about its generator cannot be read ({error})"
        raise WeightsError(found, "give a checkpoint that inkspeak fit wrote", path) from error
    return TrainedGenerator(cast("PortraitGenerator", generator), training)


def _average(checkpoint: Mapping[str, Any]) -> dict[str, Tensor] | None:
    """The generator's average, if one was kept and updated; an average of another network is none."""
    callbacks = checkpoint.get("callbacks")
    for name, state in (callbacks if isinstance(callbacks, Mapping) else {}).items():
        if str(name).startswith(_AVERAGE) and isinstance(state, Mapping) and state.get("updates"):
            average: dict[str, Tensor] = state["average"]
            names = {f"{_PREFIX}{one}" for one in average}
            if average and names <= checkpoint["state_dict"].keys():
                return average
    return None


def export_generator(
    checkpoint: str | Path,
    path: str | Path,
    *,
    averaged: bool = True,
    licence: str = UNSTATED,
    source: str = UNSTATED,
) -> TrainedGenerator:
    """Write the generator of a checkpoint into a file that ``animate --renderer gan`` reads.

    Args:
        checkpoint: the checkpoint.
        path: the file to write.
        averaged: see :func:`generator_of_checkpoint`.
        licence: of the weights.
        source: where they come from.

    Returns:
        What was written.

    Raises:
        WeightsError: see :func:`generator_of_checkpoint`.
        OutputError: the file cannot be written.
    """
    found = generator_of_checkpoint(checkpoint, averaged=averaged)
    training = replace(found.training, licence=licence, source=source)
    save_generator(found.generator, path, training)
    return TrainedGenerator(found.generator, training)
