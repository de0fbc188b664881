"""A trained network as one safetensors file: its weights, and in the header what builds it and how it was trained.

The header names the network by an entry of a closed register, never by a class path, and every value in it is checked;
so a foreign file can be refused, but it cannot make anything run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.networks.autovc import AutoVC
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.networks.frozen.edge_detector import EdgeDetector
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.networks.frozen.photo_to_cartoon import PhotoToCartoon
from lightning_modules.networks.frozen.sphereface import SphereFace
from lightning_modules.networks.image_translation import ImageTranslation
from lightning_modules.networks.inverse_generator import InverseGenerator
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.networks.speaker_branch import SpeakerBranch
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator
from lightning_modules.networks.style_discriminator import StyleDiscriminator
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.weights.checkpoint_file import HEADER, read_weight_file

FORM: Final = 2
"""Raised whenever the meaning of a stored network changes; 2 added how it was trained."""

_REMEDY: Final = "give a file that inkspeak exported, complete and unchanged"
_LARGEST: Final = 4096  # of any number: a header must not ask for a network that fills the memory


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= _LARGEST


def _switch(value: object) -> bool:
    return isinstance(value, bool)


def _numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_number, value))


def _name(value: object) -> bool:
    return value is None or isinstance(value, str)


@dataclass(frozen=True)
class NetworkKind:
    """One entry of the register.

    Attributes:
        build: makes the network from its arguments.
        arguments: which it may have, and whether a value is of the right type.
    """

    build: Callable[..., nn.Module]
    arguments: Mapping[str, Callable[[object], bool]] = field(default_factory=dict)


def _content_branch(architecture: str = "recurrent", **sizes: Any) -> nn.Module:
    kinds: dict[str, Callable[..., nn.Module]] = {"recurrent": ContentBranch, "convolutional": ConvolutionalBranch}
    if architecture not in kinds:
        raise ValueError(f"its architecture is {architecture!r}, not one of {', '.join(kinds)}")
    return kinds[architecture](**sizes)


NETWORKS: Final[Mapping[str, NetworkKind]] = {
    "portrait_generator": NetworkKind(
        PortraitGenerator,
        dict.fromkeys(("width", "landmark_width", "blocks", "output_channels"), _number)
        | {"undecided": _real}
        | dict.fromkeys(("warp_a", "warp_b"), _switch)
        | dict.fromkeys(("landmark_blocks", "scales"), _numbers)
        | dict.fromkeys(("block_type", "head", "compat"), _name),
    ),
    "static_drawing_generator": NetworkKind(
        StaticDrawingGenerator, dict.fromkeys(("width", "blocks", "styles", "output_channels"), _number)
    ),
    "photo2cartoon": NetworkKind(PhotoToCartoon, dict.fromkeys(("width", "fixed_size"), _number)),
    "flow_regression": NetworkKind(
        LandmarkFlow, {"architecture": _name} | dict.fromkeys(("width", "levels", "widest"), _number)
    ),
    "content_branch": NetworkKind(
        _content_branch,
        dict.fromkeys(("features", "prior_width", "prior_features", "hidden", "layers", "head_width", "width"), _number)
        | dict.fromkeys(("coefficients", "face_width"), _number)
        | {"architecture": _name, "steps": _numbers},
    ),
    "speaker_branch": NetworkKind(
        SpeakerBranch,
        dict.fromkeys(("features", "hidden", "layers", "embedding", "code", "noise", "width", "heads"), _number)
        | dict.fromkeys(("blocks", "feed_forward", "head_width", "longest"), _number),
    ),
    "inverse_generator": NetworkKind(InverseGenerator, dict.fromkeys(("width", "blocks", "input_channels"), _number)),
    "style_discriminator": NetworkKind(
        StyleDiscriminator, dict.fromkeys(("input_channels", "width", "styles", "side"), _number)
    ),
    "edge_detector": NetworkKind(EdgeDetector, {"width": _number}),
    "autovc": NetworkKind(
        AutoVC,
        dict.fromkeys(("bands", "embedding", "pitch_classes", "width", "neck", "decoder_width", "period"), _number),
    ),
    "image_translation": NetworkKind(
        ImageTranslation, dict.fromkeys(("input_channels", "output_channels", "width", "levels"), _number)
    ),
    "mobilefacenet": NetworkKind(MobileFaceNet, {"side": _number}),
    "modnet": NetworkKind(MODNet, dict.fromkeys(("width", "encoder_eighths"), _number)),
    "sphereface": NetworkKind(SphereFace, {"widths": _numbers, "embedding": _number}),
}
"""What a file may hold. A network with arguments keeps them as plain values in its attribute ``arguments``."""


class StoredNetwork(NamedTuple):
    """What a file holds."""

    kind: str
    """One of :data:`NETWORKS`."""
    network: nn.Module
    """On the CPU, in eval mode, its weights bit by bit those that were saved."""
    facts: dict[str, Any]
    """What was said about it when it was saved; not checked here."""


def build_network(kind: str, arguments: Mapping[str, Any]) -> nn.Module:
    """A network of the register without memory for its weights.

    Args:
        kind: one of :data:`NETWORKS`.
        arguments: of its constructor, plain values; defaults may be left out.

    Raises:
        ConfigError: if a name is not known, a value is of another type, or no network has these arguments.
    """
    checks = NETWORKS[kind].arguments
    for name, value in arguments.items():
        if name not in checks:
            raise ConfigError(f"a {kind} has no argument {name!r}", f"use some of {', '.join(checks) or 'none'}")
        if not checks[name](value):
            raise ConfigError(f"a {kind} with {name} {value!r}", "give the value that built the network")
    try:
        with torch.device("meta"):
            return NETWORKS[kind].build(**arguments)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ConfigError(f"no {kind} has these arguments ({error})", "give those that built the network") from error


def plain_arguments(network: nn.Module) -> dict[str, Any]:
    """The arguments that built a network, as values that JSON knows; nothing for one that has none."""
    arguments: Mapping[str, Any] = getattr(network, "arguments", {})
    return {
        name: (sorted(value) if isinstance(value, (set, frozenset)) else list(value))
        if isinstance(value, (set, frozenset, tuple, range, list))
        else value
        for name, value in arguments.items()
    }


def filled(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Give a network without memory its weights.

    Args:
        network: from :func:`build_network`.
        state: its state_dict.

    Returns:
        The network on the CPU, in eval mode.

    Raises:
        WeightsError: if the weights are of other names, shapes or types, or not finite.
    """
    odd = first_difference(network.state_dict(), state)
    if odd is not None:
        raise WeightsError(f"its weights do not fit the network that it describes ({odd})", _REMEDY)
    damaged = next((name for name, values in state.items() if not bool(torch.isfinite(values).all())), None)
    if damaged is not None:
        raise WeightsError(f"it holds weights that are not finite ({damaged})", "take another checkpoint of that run")
    constants = _constants(network)
    # Copies are put in place. Module.to_empty would load torch's symbolic algebra, sympy, for two seconds.
    own = {name: values.detach().cpu().clone(memory_format=torch.contiguous_format) for name, values in state.items()}
    network.load_state_dict(own, assign=True)
    for name, values in constants.items():
        owner, _, own_name = name.rpartition(".")
        setattr(network.get_submodule(owner), own_name, values)
    return network.eval()


def _constants(network: nn.Module) -> dict[str, Tensor]:
    """Buffers that a network computes when it is built and that no file holds, such as a table of positions."""
    kept = network.state_dict().keys()
    names = [name for name, _ in network.named_buffers() if name not in kept]
    if not names:
        return {}
    arguments: Mapping[str, Any] = getattr(network, "arguments", {})
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are thrown away: draw none from the caller's
        built = type(network)(**arguments)
    return {name: built.get_buffer(name) for name in names}


def first_difference(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str | None:
    """In words, the first entry in which two state_dicts differ by name, shape or type; None where there is none."""
    for name, value in expected.items():
        if name not in given:
            return f"no {name}"
        found = given[name]
        if (found.dtype, found.shape) != (value.dtype, value.shape):
            forms = [f"{tuple(one.shape)} {str(one.dtype).removeprefix('torch.')}" for one in (found, value)]
            return f"{name} is {forms[0]} instead of {forms[1]}"
    return next((f"{name} is not expected" for name in given if name not in expected), None)


def save_network(
    kind: str, network: nn.Module, path: str | Path, facts: Mapping[str, Any] | None = None, *, half: bool = False
) -> Path:
    """Write a network; nothing appears under the name before the file is complete.

    Args:
        kind: one of :data:`NETWORKS`.
        network: of that kind, on any device; float32.
        path: the file to write, by custom ``*.safetensors``.
        facts: what else is to be known about it, values that JSON knows.
        half: keep matrices and kernels as float16; biases, norms and slopes stay float32, and reading gives float32.

    Returns:
        The file.

    Raises:
        ConfigError: the network is not of this kind.
        OutputError: the file cannot be written.
    """
    arguments = plain_arguments(network)
    state = {name: values.detach().cpu().contiguous() for name, values in network.state_dict().items()}
    odd = first_difference(build_network(kind, arguments).state_dict(), state)
    if odd is not None:
        raise ConfigError(f"the network given is no {kind} ({odd})", "name the kind that it is")
    header = {"form": FORM, "network": kind, "arguments": arguments, "facts": dict(facts or {})}
    if half:
        header["half"] = True
        state = {name: values.half() if _halved(values) else values for name, values in state.items()}
    with atomic_path(path) as aside:
        aside.write_bytes(save(state, metadata={HEADER: json.dumps(header, sort_keys=True)}))
    return Path(path)


def _halved(values: Tensor) -> bool:
    return values.ndim > 1 and values.dtype == torch.float32


def load_network(path: str | Path) -> StoredNetwork:
    """Read a network.

    Args:
        path: a file that :func:`save_network` wrote.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds something else.
    """
    state, header = read_weight_file(path)
    if header is None:
        raise WeightsError("it holds weights that inkspeak did not export", _REMEDY, path)
    return stored_network(state, header, path)


def stored_network(state: Mapping[str, Tensor], header: str, path: str | Path) -> StoredNetwork:
    """The network of a file that was read: see :func:`load_network`.

    Args:
        state: its tensors.
        header: its header.
        path: named in messages.

    Raises:
        WeightsError: header and weights do not describe a network of the register.
    """
    try:
        described = json.loads(header)
        form, kind = described["form"], described["network"]
        arguments, facts = described.get("arguments"), described.get("facts")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError("its header cannot be read", _REMEDY, path) from error
    if form != FORM:
        found = f"it is of form {form!r}, and only form {FORM} is known"
        raise WeightsError(found, "export it again with this version, or update inkspeak", path)
    if not isinstance(kind, str) or kind not in NETWORKS:
        raise WeightsError(f"its header asks for the network {kind!r}", f"known are {', '.join(NETWORKS)}", path)
    if not isinstance(arguments, dict) or not isinstance(facts, dict):
        raise WeightsError("its header cannot be read", _REMEDY, path)
    if described.get("half") is True:
        state = {name: values.float() if values.dtype == torch.float16 else values for name, values in state.items()}
    try:
        return StoredNetwork(kind, filled(build_network(kind, arguments), state), facts)
    except ConfigError as error:
        raise WeightsError(f"its header describes no network ({error.found})", _REMEDY, path) from error
    except WeightsError as error:
        raise WeightsError(error.found, error.remedy, path) from error
