"""Frozen networks of a training run from the files that the user has: what a run's YAML names under ``class_path``.

In a file, or as flags with the same keys::

    geometry_detector:
      class_path: lightning_modules.weights.from_file.NetworkFromFile
      init_args:
        kind: mobilefacenet
        path: weights/mobilefacenet_model_best.pth.tar

``path: starter`` names the file that comes with this package, where there is one of the kind.

The run's configuration keeps kind and path; its checkpoints hold nothing of the network. So a run that is resumed reads
the same file again, and says so in one line where it is gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, get_args

from torch import Tensor, nn

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import StoredNetwork, first_difference, stored_network
from lightning_modules.losses.geometry import FractionOrigin
from lightning_modules.networks.frozen.frozen_network import FrozenNetwork
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.published import from_published
from lightning_modules.weights.registry import STARTERS, require_weight

FrozenKind = Literal["mobilefacenet", "sphereface", "flow_regression", "modnet", "edge_detector"]
"""Landmark detector, face features, flow map A: ``geometry_detector``, ``identity_features``, ``flow_regression`` of
the portrait GAN; MODNet, the mattes of ``--matte modnet``; HED, the ``edge_detector`` of the static drawer."""

STARTER: Final = "starter"
"""In place of a path: the file that comes with the package."""


def path_of(kind: FrozenKind, path: str | Path) -> Path:
    """The file that a configuration means.

    Args:
        kind: what it must hold.
        path: a path, or :data:`STARTER`.

    Raises:
        ConfigError: no file of the kind comes with the package.
        WeightsError: the package's file is missing or damaged.
    """
    if str(path) != STARTER:
        return Path(path)
    if kind not in STARTERS:
        raise ConfigError(f"no {kind} comes with this package", "give the path of a file")
    return require_weight(STARTERS[kind])


def network_from_file(kind: FrozenKind, path: str | Path) -> nn.Module:
    """A network that is asked and not trained.

    Args:
        kind: what the file must hold.
        path: a file that inkspeak exported, or a published checkpoint: safetensors, ``.pth``, ``.pth.tar``. Code in it
            is never run. ``"starter"``: the one that comes with the package.

    Returns:
        The network on the CPU, in eval mode, without gradients for its parameters.

    Raises:
        ConfigError: the kind is unknown.
        WeightsError: there is no such file, it is damaged, or it holds another network; names the first entry that
            differs.
    """
    return _read(kind, path).network


def _read(kind: FrozenKind, path: str | Path) -> StoredNetwork:
    if kind not in get_args(FrozenKind):
        found = f"no kind of frozen network is called {kind!r}"
        raise ConfigError(found, f"use one of {', '.join(get_args(FrozenKind))}")
    path = path_of(kind, path)
    state, header = read_weight_file(path)
    if header is not None:
        stored = stored_network(state, header, path)
        if stored.kind != kind:
            raise WeightsError(f"it holds a {stored.kind}, and a {kind} is asked for", "give the other file", path)
    else:
        try:
            stored = StoredNetwork(kind, from_published(kind, state), {})
        except WeightsError as error:
            raise WeightsError(error.found, error.remedy, path) from error
    stored.network.requires_grad_(requires_grad=False)
    return stored


def start_from_file(network: nn.Module, kind: FrozenKind, path: str | Path) -> None:
    """Give a network that is to be trained the weights of a file.

    Args:
        network: of this kind; changed.
        kind: see :func:`network_from_file`.
        path: see :func:`network_from_file`.

    Raises:
        WeightsError: there is no such file, it is damaged, or its network has other sizes than this one.
    """
    given = network_from_file(kind, path).state_dict()
    odd = first_difference(network.state_dict(), given)
    if odd is not None:
        found = f"it holds a network of other sizes ({odd})"
        raise WeightsError(found, "give the network the sizes that the file was trained with", path)
    network.load_state_dict(given)


class NetworkFromFile(FrozenNetwork):
    """The same as a class, which is what a run's configuration can name.

    Args:
        kind: see :func:`network_from_file`.
        path: see :func:`network_from_file`.

    Raises:
        ConfigError: see :func:`network_from_file`.
        WeightsError: see :func:`network_from_file`.
    """

    fraction_origin: FractionOrigin
    """For a landmark detector, where its fractions begin: the published one counts them from the middle of the first
    pixel, those that were trained here from its edge, and their files say so."""

    def __init__(self, kind: FrozenKind, path: str) -> None:
        super().__init__()
        self.kind = kind
        stored = _read(kind, path)
        self.network = stored.network
        self.fraction_origin = "edge" if stored.facts.get("fraction_origin") == "edge" else "first_pixel"
        self.settle()

    def forward(self, *inputs: Tensor) -> Any:
        """What the network answers; see its kind in :mod:`lightning_modules.weights.published`."""
        return self.network(*inputs)
