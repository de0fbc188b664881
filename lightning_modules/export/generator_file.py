"""A trained generator as a file of its own, with all that drawing with it depends on: how its inputs were made.

A generator draws well only from what it was trained on. So the file says, beside weights and arguments, which
recipe made its inputs, whether the person was separated from the background, what flow map A was, and at what size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from torch import nn

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import load_network, plain_arguments, save_network
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.portrait_gan_inputs import InputRecipe

KIND: Final = "portrait_generator"
UNSTATED: Final = "not stated"

FlowA = Literal["none", "interpolated", "regressed"]
"""What a generator was given as flow map A: nothing, flow map B in its place, or the flow of a regression."""


@dataclass(frozen=True)
class GeneratorTraining:
    """How a generator was trained, as far as drawing with it depends on it, and what is to be known about it.

    Attributes:
        recipe: the choices that made its inputs.
        separate_foreground: it draws the person only, to be laid over the background by Eq. 1.
        flow_a: what it was given as flow map A.
        image_size: side of the pictures it was trained on, pixels; None where nothing was trained yet.
        photos_seen: photos that it learned from.
        averaged: the weights are the moving average over the training, not those of its last step.
        licence: of the weights, as their maker states it.
        source: where they come from, as their maker states it.

    Raises:
        ConfigError: a value is of another type or not one of those allowed.
    """

    recipe: InputRecipe = field(default_factory=InputRecipe)
    separate_foreground: bool = True
    flow_a: FlowA = "interpolated"
    image_size: int | None = None
    photos_seen: int = 0
    averaged: bool = False
    licence: str = UNSTATED
    source: str = UNSTATED

    def __post_init__(self) -> None:
        for owner in (self, self.recipe):
            for name, hint in get_type_hints(type(owner)).items():
                if not _fits(getattr(owner, name), hint):
                    found = f"a generator trained with {name} {getattr(owner, name)!r}"
                    raise ConfigError(found, "give a value that this version knows")

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> GeneratorTraining:
        """From plain values, as a file or a checkpoint keeps them.

        Raises:
            ConfigError: a name is missing or not known, or a value is not allowed.
        """
        try:
            return cls(**{**facts, "recipe": InputRecipe(**facts["recipe"])})
        except (TypeError, KeyError) as error:
            raise ConfigError(f"no training of a generator is described ({error})", "export it again") from error

    def facts(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def _fits(value: object, hint: Any) -> bool:
    """Whether a plain value is of the type that a field announces."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_args(hint):  # a union
        return any(_fits(value, part) for part in get_args(hint))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


class TrainedGenerator(NamedTuple):
    """What a file holds."""

    generator: PortraitGenerator
    training: GeneratorTraining


def generator_record(
    generator: nn.Module, recipe: InputRecipe, *, separate_foreground: bool, regressed: bool, image_size: int | None
) -> dict[str, Any] | None:
    """What a checkpoint says about its generator, plain values; None for a network that is not in the register.

    Args:
        generator: as it is trained.
        recipe: of its inputs.
        separate_foreground: whether Eq. 1 is used.
        regressed: whether a flow regression is given.
        image_size: side of the pictures, pixels.
    """
    if not isinstance(generator, PortraitGenerator):
        return None
    used: FlowA = "regressed" if regressed else "interpolated"
    training = GeneratorTraining(
        recipe=recipe,
        separate_foreground=separate_foreground,
        flow_a=used if generator.warp_a else "none",
        image_size=image_size,
    )
    return {"arguments": plain_arguments(generator), "training": training.facts()}


def require_flow_weights(training: GeneratorTraining, weights: Path, flow_weights: Path | None) -> None:
    """Require a flow regression for a generator that was trained with one, and none for another.

    Args:
        training: of the generator.
        weights: its file, named in messages.
        flow_weights: the file of the flow regression that is given.

    Raises:
        ConfigError: one is needed and not given, or given and not needed.
    """
    if training.flow_a == "regressed" and flow_weights is None:
        found = "this generator was trained with a flow regression (flow map A), which is not in its file"
        raise ConfigError(found, "name that network's weights with --flow-weights FILE", weights)
    if training.flow_a != "regressed" and flow_weights is not None:
        found = "this generator was trained without a flow regression (flow map A)"
        raise ConfigError(found, "leave --flow-weights out", weights)


def save_generator(generator: PortraitGenerator, path: str | Path, training: GeneratorTraining | None = None) -> Path:
    """Write a generator; nothing appears under the name before the file is complete.

    Args:
        generator: on any device; float32.
        path: the file to write, by custom ``*.safetensors``.
        training: how it was trained.

    Returns:
        The file.

    Raises:
        ConfigError: the network is no portrait generator.
        OutputError: the file cannot be written.
    """
    return save_network(KIND, generator, path, (training or GeneratorTraining()).facts())


def load_generator(path: str | Path) -> TrainedGenerator:
    """Read a generator.

    Args:
        path: a file that :func:`save_generator` wrote.

    Returns:
        The generator on the CPU, in eval mode, its weights bit by bit those that were saved; and how it was trained.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds something else.
    """
    stored = load_network(path)
    if stored.kind != KIND:
        raise WeightsError(
            f"it holds a {stored.kind}, not a generator", "give what inkspeak weights export wrote", path
        )
    try:
        training = GeneratorTraining.of(stored.facts)
    except ConfigError as error:
        raise WeightsError(error.found, error.remedy, path) from error
    return TrainedGenerator(cast("PortraitGenerator", stored.network), training)
