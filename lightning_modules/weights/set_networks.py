"""The networks and tables of an imported set, loaded by their roles."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.errors import WeightsError
from lightning_modules.export.network_file import load_network
from lightning_modules.weights.published_tables import load_table
from lightning_modules.weights.weight_sets import SetMember, WeightSet

_AGAIN = "import the published checkpoints again with inkspeak weights import"


def set_network(weights: WeightSet, role: str) -> nn.Module:
    """The network that plays a role.

    Args:
        weights: the set.
        role: one of its roles.

    Returns:
        The network on the CPU, in eval mode, without gradients for its parameters.

    Raises:
        WeightsError: the set has no such role, or the file is gone, damaged or of another kind.
    """
    member = _member(weights, role)
    stored = load_network(weights.folder / member.file)
    if stored.kind != member.kind:
        found = f"it holds a {stored.kind}, and the set says {member.kind}"
        raise WeightsError(found, _AGAIN, weights.folder / member.file)
    return stored.network.requires_grad_(requires_grad=False)


def set_table(weights: WeightSet, role: str) -> dict[str, Tensor]:
    """The table that plays a role: name -> tensor.

    Args:
        weights: the set.
        role: one of its roles.

    Raises:
        WeightsError: the set has no such role, or the file is gone, damaged or of another kind.
    """
    member = _member(weights, role)
    return load_table(member.kind, weights.folder / member.file)


def _member(weights: WeightSet, role: str) -> SetMember:
    member = weights.member(role)
    if member is None:
        raise WeightsError(f"the set '{weights.name}' has no {role}", _AGAIN, weights.folder)
    return member
