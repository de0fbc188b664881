"""The landmark network that comes with the package, made ready for looking at many small crops on a processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import BackendError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lightning_modules.faces.consistent_faces import LandmarkNetwork

WEIGHT_NAME = "starter-landmark-detector"


def load_landmark_network(weights: str | Path | None = None) -> LandmarkNetwork:
    """Read a landmark network, and fold and lay it out for speed.

    Args:
        weights: an exported network of the kind ``mobilefacenet``; None for the one of the package.

    Returns:
        From crops (B, 112, 112, 3), RGB in [0, 1], to landmarks (B, 68, 2), fractions of the crops' sides.

    Raises:
        BackendError: the package came without its weights.
        WeightsError: the file is damaged, or holds another network.
    """
    from lightning_modules.export.network_file import load_network
    from lightning_modules.weights.registry import require_weight

    if weights is None:
        try:
            weights = require_weight(WEIGHT_NAME)
        except WeightsError as error:
            raise BackendError(
                f"the starter's landmark network cannot be used ({error.found})",
                "install inkspeak again with its weights, or use --landmarks mediapipe",
            ) from error
    stored = load_network(weights)
    if stored.kind != "mobilefacenet":
        raise WeightsError(f"it holds a {stored.kind}, not a landmark network", "give a mobilefacenet", weights)
    return as_landmark_network(stored.network)


def as_landmark_network(network: nn.Module) -> LandmarkNetwork:
    """A function of arrays from a network in eval mode; the network given is left as it is.

    Batch norms are folded into the convolutions before them, and the channels come last in memory: together a third
    faster at batch 1 and two thirds at batch 16. Then its layers are called in turn without their modules, whose calls
    take another third of the time of a single crop.

    Args:
        network: a :class:`~lightning_modules.networks.frozen.mobilefacenet.MobileFaceNet`.
    """
    import torch

    layers = layers_in_turn(folded_for_inference(network))

    def landmarks_of(crops: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            shown = torch.from_numpy(crops).permute(0, 3, 1, 2)  # channels last in memory already
            answer: npt.NDArray[np.float32] = layers(shown).numpy()
        return answer.reshape(len(crops), -1, 2)

    return landmarks_of


def folded_for_inference(network: nn.Module) -> nn.Module:
    """A copy of a MobileFaceNet that computes the same with fewer steps, on the processor, for inference only."""
    import copy

    import torch
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

    made = copy.deepcopy(network).cpu().eval()
    for part in list(made.modules()):
        convolution, norm = getattr(part, "convolution", None), getattr(part, "norm", None)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            part.convolution = fuse_conv_bn_eval(convolution, norm)
            part.norm = nn.Identity()
        slope = getattr(part, "slope", None)
        if isinstance(slope, nn.PReLU) and bool((slope.weight == slope.weight[0]).all()):
            part.slope = nn.LeakyReLU(float(slope.weight[0]))  # faster than one slope a channel
    regression, output_norm = getattr(made, "regression", None), getattr(made, "output_norm", None)
    if isinstance(regression, nn.Linear) and isinstance(output_norm, nn.BatchNorm1d):
        made.regression = fuse_linear_bn_eval(regression, output_norm)
        made.output_norm = nn.Identity()
    made.requires_grad_(requires_grad=False)
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch names it for tensors
    return made


def layers_in_turn(folded: nn.Module) -> Callable[[Tensor], Tensor]:
    """The same computation as plain calls of functions, in place where nobody looks at what was there before.

    Args:
        folded: of :func:`folded_for_inference`; a network of another structure is given back as it is.

    Returns:
        From crops (B, 3, 112, 112) to (B, 136). For inference only: no gradients, and weights are read now.
    """
    from torch.nn import functional

    from lightning_modules.networks.frozen.mobilefacenet import INPUT_SIZE, LAST_SIZE, MobileFaceNet

    if not isinstance(folded, MobileFaceNet):
        return folded

    first = [_layer(folded.stem), _layer(folded.stem_depthwise)]
    blocks = [(_layer(one.expand), _layer(one.depthwise), _layer(one.project), one.skips) for one in folded.blocks]
    last = [_layer(folded.widen), _layer(folded.gather)]
    side, regression = folded.side, folded.regression

    def landmarks_of(crop: Tensor) -> Tensor:
        x = crop
        if side != INPUT_SIZE:
            x = functional.interpolate(x, (side, side), mode="bilinear", align_corners=False, antialias=True)
        for one in first:
            x = one(x)
        for expand, depthwise, project, skips in blocks:
            made = project(depthwise(expand(x)))
            x = made.add_(x) if skips else made
        if side != INPUT_SIZE:
            x = functional.interpolate(x, (LAST_SIZE, LAST_SIZE), mode="bilinear", align_corners=False)
        for one in last:
            x = one(x)
        return functional.linear(x.flatten(1), regression.weight, regression.bias)

    return landmarks_of


def _layer(cell: Any) -> Callable[[Tensor], Tensor]:
    """A convolution and what bends it as one function."""
    import torch
    from torch import nn
    from torch.nn import functional

    convolution, slope = cell.convolution, cell.slope
    weight, bias, groups = convolution.weight.detach(), convolution.bias.detach(), convolution.groups
    stride, padding, dilation = convolution.stride, convolution.padding, convolution.dilation

    def linear(x: Tensor) -> Tensor:
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)

    if slope is None:
        return linear
    if isinstance(slope, nn.LeakyReLU):
        steepness = slope.negative_slope
        return lambda x: functional.leaky_relu_(linear(x), steepness)
    slopes = slope.weight.detach()
    return lambda x: functional.prelu(linear(x), slopes)
