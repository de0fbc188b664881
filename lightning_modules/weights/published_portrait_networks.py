"""The published portrait generator and its discriminators: their keys beside ours (reference stage2 §1.7, §3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from lightning_modules.networks.patch_discriminator import PatchDiscriminator
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.weights.published_network import PublishedNetwork, Shapes, layer_entries

GENERATOR_LAYERS: Final[Mapping[str, str]] = {
    "model_tri_merge": "image_encoder.merge",
    # encoder with the warp at full size
    "model_tri00.1": "image_encoder.branches.0.layers.0.convolution",
    "model_tri01.0": "image_encoder.branches.0.layers.1.convolution",
    "model_tri02.0": "image_encoder.branches.0.layers.2.convolution",
    # ... at half size
    "model_tri10.1": "image_encoder.branches.1.layers.0.convolution",
    "model_tri11.0": "image_encoder.branches.1.layers.1.convolution",
    "model_tri12.0": "image_encoder.branches.1.layers.2.convolution",
    # ... at quarter size
    "model_tri20.1": "image_encoder.branches.2.layers.0.convolution",
    "model_tri21.0": "image_encoder.branches.2.layers.1.convolution",
    "model_tri22.0": "image_encoder.branches.2.layers.2.convolution",
    # nine residual blocks; landmarks go into 0, 3 and 6
    **{
        f"model2.{block}.{published}": f"transfer.blocks.{block}.{own}.convolution"
        for block in range(9)
        for published, own in (("conv_block.1", "first"), ("conv_block.5", "second"), ("shortcut.0", "shortcut"))
        if published != "shortcut.0" or block in (0, 3, 6)
    },
    "model3.0": "image_decoder.up.0.convolution",
    "model3.3": "image_decoder.up.1.convolution",
    "model3.7": "image_decoder.last",
    "model_landmark_trans.0": "landmark_encoder.layers.0.convolution",
    "model_landmark_trans.3": "landmark_encoder.layers.1.convolution",
    "model_landmark_trans.6": "landmark_encoder.layers.2.convolution",
}
"""Published layer -> our layer."""

DISCRIMINATOR_LAYERS: Final[Mapping[str, str]] = {
    "model.0": "layers.0",
    "model.2": "layers.1",
    "model.5": "layers.2",
    "model.8": "layers.3",
    "model.11": "layers.4",
}
"""Published layer -> our layer; the same for D_g, the local discriminators and D_coh."""


def _generator_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": shapes.size("model_tri10.1.weight", 0),
        "landmark_width": shapes.size("model_landmark_trans.0.weight", 0),
        "output_channels": shapes.size("model3.7.weight", 0),
    }


def _discriminator_sizes(shapes: Shapes) -> dict[str, Any]:
    return {"input_channels": shapes.size("model.0.weight", 1), "width": shapes.size("model.0.weight", 0)}


PORTRAIT_GENERATOR: Final = PublishedNetwork(
    kind="portrait_generator",
    build=partial(PortraitGenerator, compat="official"),
    full_size={"width": 64, "landmark_width": 8, "output_channels": 1},
    sizes=_generator_sizes,
    names=layer_entries(GENERATOR_LAYERS),
)

PATCH_DISCRIMINATOR: Final = PublishedNetwork(
    kind="patch_discriminator",
    build=PatchDiscriminator,
    full_size={"input_channels": 1, "width": 64},
    sizes=_discriminator_sizes,
    names=layer_entries(DISCRIMINATOR_LAYERS),
)
