"""A trained generator as one safetensors file: its weights, and in the header the arguments that build it.

The header names the network by an entry of a closed register, never by a class path, and every value in it is checked;
so a foreign file can be refused, but it cannot make anything run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.pipeline.atomic_files import atomic_path

FORM: Final = 1
"""Raised whenever the meaning of a stored generator changes."""

NETWORKS: Final[Mapping[str, Callable[..., PortraitGenerator]]] = {"portrait_generator": PortraitGenerator}
"""What a file may hold."""

_HEADER: Final = "inkspeak"
_NETWORK: Final = "portrait_generator"
_REMEDY: Final = "give a file that 'save_generator' wrote, complete and unchanged"
_NUMBERS: Final = ("width", "landmark_width", "blocks", "output_channels")
_SWITCHES: Final = ("warp_a", "warp_b")
_LISTS: Final = ("landmark_blocks", "scales")
_NAMES: Final = ("block_type", "head", "compat")
_LARGEST: Final = 4096  # of any number: a header must not ask for a network that fills the memory


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments as plain values.

    Raises:
        ConfigError: if a name is not known or a value is of another type.
    """
    arguments: dict[str, Any] = {}
    for name, given in config.items():
        value = sorted(given) if isinstance(given, (set, frozenset)) else given
        value = list(value) if isinstance(value, tuple | range) else value
        if name in _NUMBERS:
            fits = _is_number(value)
        elif name in _SWITCHES:
            fits = isinstance(value, bool)
        elif name in _LISTS:
            fits = isinstance(value, list) and all(map(_is_number, value))
        elif name in _NAMES:
            fits = value is None or isinstance(value, str)
        else:
            known = ", ".join((*_NUMBERS, *_SWITCHES, *_LISTS, *_NAMES))
            raise ConfigError(f"a generator has no argument {name!r}", f"use some of {known}")
        if not fits:
            raise ConfigError(f"a generator with {name} {value!r}", "give the value that built the generator")
        arguments[name] = value
    return arguments


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _unfilled(arguments: Mapping[str, Any], network: str = _NETWORK) -> PortraitGenerator:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return NETWORKS[network](**arguments)


def _forms(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    return {name: (values.dtype, tuple(values.shape)) for name, values in state.items()}


def _choices(generator: PortraitGenerator) -> tuple[object, ...]:
    """What shapes do not show."""
    compat = [getattr(branch, "compat", None) for branch in generator.image_encoder.branches]
    return generator.warp_a, generator.warp_b, generator.scales, compat, generator.image_decoder.head


def save_generator(generator: PortraitGenerator, path: str | Path, config: Mapping[str, Any]) -> Path:
    """Write a generator; nothing appears under the name before the file is complete.

    Args:
        generator: on any device; float32.
        path: the file to write, by custom ``*.safetensors``.
        config: the arguments that built it, by the names of ``PortraitGenerator``; defaults may be left out.

    Returns:
        The file.

    Raises:
        ConfigError: the config does not describe this generator.
        OutputError: the file cannot be written.
    """
    arguments = _checked(config)
    described = _unfilled(arguments)
    state = {name: values.detach().cpu().contiguous() for name, values in generator.state_dict().items()}
    if _forms(described.state_dict()) != _forms(state) or _choices(described) != _choices(generator):
        raise ConfigError("the config describes another generator than the one given", "give what built the generator")
    header = json.dumps({"form": FORM, "network": _NETWORK, "arguments": arguments}, sort_keys=True)
    with atomic_path(path) as aside:
        aside.write_bytes(save(state, metadata={_HEADER: header}))
    return Path(path)


def load_generator(path: str | Path) -> PortraitGenerator:
    """Read a generator.

    Args:
        path: a file that :func:`save_generator` wrote.

    Returns:
        The generator on the CPU, in eval mode, its weights bit by bit those that were saved.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds something else.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError("there is no such weight file", "check the path given as weights", path)
    try:
        with safe_open(file, framework="pt") as stored:
            header = (stored.metadata() or {}).get(_HEADER)
            state = {name: stored.get_tensor(name) for name in stored.keys()} if header else {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise WeightsError("it is damaged or no safetensors file", _REMEDY, path) from error
    if header is None:
        raise WeightsError("it holds weights that inkspeak did not export", _REMEDY, path)
    network, arguments = _described(header, path)
    try:
        described = _unfilled(_checked(arguments), network)
    except (ConfigError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise WeightsError(f"its header describes no generator ({error})", _REMEDY, path) from error
    if _forms(described.state_dict()) != _forms(state):
        raise WeightsError("its weights do not fit the network that its header describes", _REMEDY, path)
    if not all(bool(torch.isfinite(values).all()) for values in state.values()):
        raise WeightsError("it holds weights that are not finite", "export another checkpoint of that training", path)
    generator = described.to_empty(device="cpu")
    generator.load_state_dict(state)
    return generator.eval()


def _described(header: str, path: str | Path) -> tuple[str, Mapping[str, Any]]:
    """Name and arguments of the network in a file's header."""
    try:
        facts = json.loads(header)
        form, network, arguments = facts["form"], facts["network"], facts["arguments"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError("its header cannot be read", _REMEDY, path) from error
    if form != FORM:
        raise WeightsError(f"it is of form {form!r}, and only form {FORM} is known", "update inkspeak", path)
    if not isinstance(network, str) or network not in NETWORKS or not isinstance(arguments, dict):
        raise WeightsError(f"its header asks for the network {network!r}", f"known are {', '.join(NETWORKS)}", path)
    return network, arguments
