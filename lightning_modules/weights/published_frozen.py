"""The frozen networks from the published state dicts: their keys beside ours (auxiliary, sections 2, 3.1 and 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn

from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.networks.frozen.modnet import MODNet
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
_MODNET_PARTS: Final = {
    "semantic.gate.squeeze": "lr_branch.se_block.fc.0",
    "semantic.gate.excite": "lr_branch.se_block.fc.2",
    "semantic.at_sixteenth": "lr_branch.conv_lr16x",
    "semantic.at_eighth": "lr_branch.conv_lr8x",
    "semantic.head": "lr_branch.conv_lr",
    "detail.from_half": "hr_branch.tohr_enc2x",
    "detail.half_to_quarter": "hr_branch.conv_enc2x",
    "detail.from_quarter": "hr_branch.tohr_enc4x",
    "detail.both": "hr_branch.conv_enc4x",
    "detail.at_quarter": "hr_branch.conv_hr4x",
    "detail.at_half": "hr_branch.conv_hr2x",
    "detail.head": "hr_branch.conv_hr",
    "fusion.at_quarter": "f_branch.conv_lr4x",
    "fusion.at_half": "f_branch.conv_f2x",
    "fusion.at_full": "f_branch.conv_f",
    "convolution": "layers.0",
    "norm.batch": "layers.1.bnorm",
}
_ENCODER: Final = "backbone."
_ENCODER_PLACES: Final = ("expand", "depthwise", "project")  # three layers each: convolution, norm, activation


def _mobilefacenet_key(own: str) -> str:
    """Published name of one of our keys: ``blocks.1.expand.norm.bias`` is ``conv_3.model.0.conv.bn.bias``."""
    own = re.sub(r"^blocks\.(\d+)", lambda match: _MOBILEFACENET_BLOCKS[int(match[1])], own)
    return ".".join(_MOBILEFACENET_PARTS.get(part, part) for part in own.split("."))


def _encoder_key(own: str) -> str:
    """Published name of one of the encoder's keys: ``blocks.1.project.norm.bias`` is ``features.2.conv.7.bias``."""
    cell, part, entry = own.rsplit(".", 2)
    layer = ("convolution", "norm").index(part)
    if not cell.startswith("blocks."):
        return f"features.{('stem', 'widen').index(cell) * 18}.{layer}.{entry}"
    _, block, place = cell.split(".")
    cells_before = _ENCODER_PLACES.index(place) - (block == "0")  # the first block does not expand
    return f"features.{int(block) + 1}.conv.{3 * cells_before + layer}.{entry}"


def _modnet_key(own: str) -> str:
    """Published name of one of our keys: ``fusion.at_half.convolution.bias`` is ``f_branch.conv_f2x.layers.0.bias``.

    Those of the encoder: :func:`_encoder_key`.
    """
    if own.startswith(_ENCODER):
        return f"{_ENCODER}model.{_encoder_key(own.removeprefix(_ENCODER))}"
    for part, published in _MODNET_PARTS.items():
        own = re.sub(rf"(^|\.){re.escape(part)}\.", rf"\g<1>{published}.", own)
    return own


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
    kind: str,
    build: Callable[[], nn.Module],
    published_key: Callable[[str], str],
    dropped: tuple[str, ...] = (),
    repeated: Mapping[str, str] | None = None,
) -> PublishedNetwork:
    """A network of one size only."""
    return PublishedNetwork(
        kind=kind,
        build=build,
        full_size={},
        sizes=lambda _: {},
        names=_names(build, published_key),
        dropped=dropped,
        repeated=repeated or {},
    )


KINDS: Final[dict[str, PublishedNetwork]] = {
    network.kind: network
    for network in (
        _kind("mobilefacenet", MobileFaceNet, _mobilefacenet_key),
        _kind("modnet", MODNet, _modnet_key, repeated={f"lr_branch.{_ENCODER}": _ENCODER}),
        _kind("sphereface", SphereFace, _sphereface_key, dropped=(r"fc6\..*",)),
    )
}
"""Kind -> what is known about it, for the register of all published networks."""
