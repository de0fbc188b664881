"""Trained networks used as they are, kept outside the parameters of the LightningModule that asks them.

So neither its optimisers, nor its checkpoints, nor the gradient exchange between processes know them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class UnregisteredNetwork:
    """A network in eval mode whose parameters require no gradient; it follows its input from device to device.

    It is no ``nn.Module`` on purpose: an attribute that is none is not registered by the module that holds it. What
    keeps a network of ours in eval mode while it *is* registered somewhere is
    :class:`~lightning_modules.networks.frozen.frozen_network.FrozenNetwork`.

    Args:
        network: any module; it is changed in place.

    Attributes:
        fraction_origin: of a landmark detector, where its fractions begin; ``"first_pixel"`` for a network that does
            not say so.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.fraction_origin = getattr(network, "fraction_origin", "first_pixel")
        self._device: torch.device | None = None

    def __call__(self, first: Tensor, *others: Tensor) -> Any:
        """Run the network in float32, outside autocast; gradients flow to the inputs where they are asked for."""
        if self._device != first.device:
            self.network.to(first.device)
            self._device = first.device
        with torch.autocast(first.device.type, enabled=False):
            return self.network(first.float(), *(other.float() for other in others))


def unregistered(network: nn.Module | None) -> UnregisteredNetwork | None:
    """Wrap a network; None stays None."""
    return None if network is None else UnregisteredNetwork(network)
