"""How the networks of both generators and discriminators start: the published rule, and what it leaves open."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

Network = TypeVar("Network", bound=nn.Module)

DEVIATION = 0.02


@torch.no_grad()
def initialize(network: Network, *, deviation: float = DEVIATION, generator: torch.Generator | None = None) -> Network:
    """Draw all weights anew, in place: convolutions and linear layers from N(0, deviation²), biases 0.

    Batch normalisation, where there is any, gets weights from N(1, deviation²) and biases 0. This is the rule of the
    published system (reference stage2 §1.6). Depth-wise kernels do not occur there; they are drawn from N(0, 1/k²)
    for a k x k kernel, which keeps the variance of their input: with the published deviation a separable convolution
    would shrink its signal towards the epsilon of the instance normalisation behind it.

    Args:
        network: the module to initialise.
        deviation: standard deviation of the weights.
        generator: source of randomness; torch's default generator when None.

    Returns:
        The same module.
    """
    for module in network.modules():
        if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
            continue  # nothing is there to be filled, and torch would load its compiler for it, two seconds
        if isinstance(module, _ConvNd | nn.Linear):
            depthwise = isinstance(module, _ConvNd) and module.groups == module.in_channels > 1
            spread = module.weight[0].numel() ** -0.5 if depthwise else deviation
            module.weight.normal_(0.0, spread, generator=generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.affine:
            module.weight.normal_(1.0, deviation, generator=generator)
        else:
            continue
        if module.bias is not None:
            module.bias.zero_()
    return network
