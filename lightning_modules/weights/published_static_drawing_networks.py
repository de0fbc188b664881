"""The published static drawer and the networks it was trained with: their keys beside ours (auxiliary, section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lightning_modules.networks.frozen.edge_detector import EdgeDetector
from lightning_modules.networks.frozen.perceptual_distance import PerceptualDistance
from lightning_modules.networks.inverse_generator import InverseGenerator
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator
from lightning_modules.networks.style_discriminator import StyleDiscriminator
from lightning_modules.weights.published_network import PublishedNetwork, Shapes, layer_entries

_BLOCKS: Final = 9


def _blocks(first: int) -> dict[str, str]:
    """Published layer -> our layer of the residual blocks, the first of which has the number ``first``."""
    return {
        f"model.{first + block}.conv_block.{published}": f"blocks.{block}.{own}.convolution"
        for block in range(_BLOCKS)
        for published, own in ((1, "first"), (5, "second"))
    }


def _decoder(first: int) -> dict[str, str]:
    return {
        f"model.{first}": "decoder.up.0.convolution",
        f"model.{first + 3}": "decoder.up.1.convolution",
        f"model.{first + 7}": "decoder.last",
    }


STATIC_DRAWING_LAYERS: Final[Mapping[str, str]] = {
    "model0.1": "encoder.0.convolution",
    "model0.4": "encoder.1.convolution",
    "model0.7": "encoder.2.convolution",
    "model.0": "join.convolution",
    **_blocks(3),
    **_decoder(12),
}
"""Published layer -> our layer; the same in the files of the successor (QMUPD)."""

INVERSE_LAYERS: Final[Mapping[str, str]] = {
    "model.1": "encoder.0.convolution",
    "model.4": "encoder.1.convolution",
    "model.7": "encoder.2.convolution",
    **_blocks(10),
    **_decoder(19),
}
"""Published layer -> our layer."""

STYLE_DISCRIMINATOR_LAYERS: Final[Mapping[str, str]] = {
    "model0.0": "trunk.0",
    "model0.2": "trunk.1",
    "model0.5": "trunk.2",
    "model1.0": "patch_head.0",
    "model1.3": "patch_head.1",
    "model2.0": "style_head.0",
    "model2.3": "style_head.1",
    "model2.6": "style_head.2",
}
"""Published layer -> our layer."""

_STAGES: Final = (("One", (0, 2)), ("Two", (1, 3)), ("Thr", (1, 3, 5)), ("Fou", (1, 3, 5)), ("Fiv", (1, 3, 5)))

EDGE_LAYERS: Final[Mapping[str, str]] = {
    **{
        f"moduleVgg{name}.{published}": f"stages.{stage}.{own}"
        for stage, (name, convolutions) in enumerate(_STAGES)
        for own, published in enumerate(convolutions)
    },
    **{f"moduleScore{name}": f"sides.{stage}" for stage, (name, _) in enumerate(_STAGES)},
    "moduleCombine.0": "fuse",
}
"""Published layer -> our layer."""

_ALEXNET: Final = (0, 3, 6, 8, 10)  # its convolutions' places in torchvision's network

DISTANCE_ENTRIES: Final[Mapping[str, str]] = {
    **layer_entries({f"features.{place}": f"convolutions.{layer}" for layer, place in enumerate(_ALEXNET)}),
    **{f"lin{layer}.model.1.weight": f"heads.{layer}.weight" for layer in range(len(_ALEXNET))},
}
"""Published key -> our key: torchvision's AlexNet and the heads of LPIPS in one."""


def _static_drawing_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": shapes.size("model0.1.weight", 0),
        "styles": shapes.size("model.0.weight", 1) - shapes.size("model.0.weight", 0),
        "output_channels": shapes.size("model.19.weight", 0),
    }


def _inverse_sizes(shapes: Shapes) -> dict[str, Any]:
    return {"width": shapes.size("model.1.weight", 0), "input_channels": shapes.size("model.1.weight", 1)}


def _style_discriminator_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "input_channels": shapes.size("model0.0.weight", 1),
        "width": shapes.size("model0.0.weight", 0),
        "styles": shapes.size("model2.6.weight", 0),
        "side": 32 * shapes.size("model2.6.weight", 2),
    }


STATIC_DRAWING_GENERATOR: Final = PublishedNetwork(
    kind="static_drawing_generator",
    build=StaticDrawingGenerator,
    full_size={},
    sizes=_static_drawing_sizes,
    names=layer_entries(STATIC_DRAWING_LAYERS),
)

STATIC_DRAWING_NETWORKS: Final = (
    STATIC_DRAWING_GENERATOR,
    PublishedNetwork(
        kind="inverse_generator",
        build=InverseGenerator,
        full_size={},
        sizes=_inverse_sizes,
        names=layer_entries(INVERSE_LAYERS),
    ),
    PublishedNetwork(
        kind="style_discriminator",
        build=StyleDiscriminator,
        full_size={},
        sizes=_style_discriminator_sizes,
        names=layer_entries(STYLE_DISCRIMINATOR_LAYERS),
    ),
    PublishedNetwork(
        kind="edge_detector",
        build=EdgeDetector,
        full_size={},
        sizes=lambda shapes: {"width": shapes.size("moduleVggOne.0.weight", 0)},
        names=layer_entries(EDGE_LAYERS),
    ),
    PublishedNetwork(
        kind="perceptual_distance",
        build=PerceptualDistance,
        full_size={},
        sizes=lambda _: {},
        names=DISTANCE_ENTRIES,
        dropped=(r"classifier\..*",),
    ),
)
"""For the register of all published networks."""
