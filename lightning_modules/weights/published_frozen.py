"""The frozen networks from the published state dicts: their keys beside ours (auxiliary, sections 3.1 and 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn

from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.networks.frozen.sphereface import SphereFace
from lightning_modules.weights.published_network import PublishedNetwork

_MOBILEFACENET_BLOCKS: Final = (
    "conv_23",
    *(f"conv_3.model.{index}" for index in range(4)),
    "conv_34",
    *(f"conv_4.model.{index}" for index in range(6)),
    "conv_45",
    *(f"conv_5.model.{index}" for index in range(2)),
)
_MOBILEFACENET_PARTS: Final = {
    "stem": "conv1",
    "stem_depthwise": "conv2_dw",
    "widen": "conv_6_sep",
    "gather": "output_layer.conv_6_dw",
    "regression": "output_layer.linear",
    "output_norm": "output_layer.bn",
    "expand": "conv",
    "depthwise": "conv_dw",
    "convolution": "conv",
    "norm": "bn",
    "slope": "prelu",
}


def _mobilefacenet_key(own: str) -> str:
    """Published name of one of our keys: ``blocks.1.expand.norm.bias`` is ``conv_3.model.0.conv.bn.bias``."""
    own = re.sub(r"^blocks\.(\d+)", lambda match: _MOBILEFACENET_BLOCKS[int(match[1])], own)
    return ".".join(_MOBILEFACENET_PARTS.get(part, part) for part in own.split("."))


def _sphereface_key(own: str) -> str:
    """Published name of one of our keys: ``stages.1.slopes.0.weight`` is ``relu2_1.weight``."""
    names = {"convolutions": "conv", "slopes": "relu"}
    own = re.sub(
        r"^stages\.(\d)\.(\w+)\.(\d)",
        lambda match: f"{names[match[2]]}{int(match[1]) + 1}_{int(match[3]) + 1}",
        own,
    )
    return re.sub("^embedding", "fc5", own)


def _names(
    build: Callable[[], nn.Module], published_key: Callable[[str], str]
) -> Callable[[Mapping[str, Any]], Mapping[str, str]]:
    """Published key -> our key, found when asked for."""

    def names(_: Mapping[str, Any]) -> Mapping[str, str]:
        with torch.device("meta"):
            return {published_key(key): key for key in build().state_dict()}

    return names


def _kind(
    kind: str, build: Callable[[], nn.Module], published_key: Callable[[str], str], dropped: tuple[str, ...] = ()
) -> PublishedNetwork:
    """A network of one size only."""
    return PublishedNetwork(
        kind=kind,
        build=build,
        full_size={},
        sizes=lambda _: {},
        names=_names(build, published_key),
        dropped=dropped,
    )


KINDS: Final[dict[str, PublishedNetwork]] = {
    network.kind: network
    for network in (
        _kind("mobilefacenet", MobileFaceNet, _mobilefacenet_key),
        _kind("sphereface", SphereFace, _sphereface_key, dropped=(r"fc6\..*",)),
    )
}
"""Kind -> what is known about it, for the register of all published networks."""
