"""The published networks for flow map A: two architectures, told apart by their keys (auxiliary, 6.1 to 6.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.weights.published_network import PublishedNetwork, Shapes, layer_entries

_NORM: Final = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_WEIGHT: Final = ("weight",)


def _unet_names(levels: int) -> dict[str, str]:
    """Published key -> our key of the "unet"; its blocks are nested, ours a list."""
    names: dict[str, str] = {}
    for index, (convolution, norm) in enumerate((("0", "1"), ("3", "4"))):
        names |= layer_entries({f"conv_downsample.{convolution}": f"network.stem.{index}"}, _WEIGHT)
        names |= layer_entries({f"conv_downsample.{norm}": f"network.stem_norms.{index}"}, _NORM)
    for level in range(levels):
        block, own = "unet_block" + ".submodule" * level, f"network.levels.{level}"
        before = 0 if level == 0 else 1  # all but the outermost begin with an activation, which counts
        names |= layer_entries({f"{block}.down.{before}": f"{own}.down"}, _WEIGHT)
        if level < levels - 1:
            names |= layer_entries({f"{block}.down.{before + 1}": f"{own}.down_norm"}, _NORM)
        names |= layer_entries({f"{block}.up.1": f"{own}.up"}, ("weight", "bias") if level == 0 else _WEIGHT)
        names |= layer_entries({f"{block}.up.2": f"{own}.up_norm"}, _NORM)
        names |= layer_entries({f"{block}.predict_flow.1": f"{own}.flow"})
    return names | layer_entries({"predict_vis.1": "network.visibility"})


def _residual_unet_names(levels: int) -> dict[str, str]:
    """Published key -> our key of the "unet_v2"."""
    cells = {
        ("pre_conv.0.0", "pre_conv.0.1"): "enter",
        ("pre_conv.1.conv.0", "pre_conv.1.conv.1"): "enter_unit",
        ("pre_conv.3", "pre_conv.4"): "enter_halve",
    }
    for level in range(levels):
        own = f"levels.{level}"
        for unit in range(2):
            encoder, decoder = f"enc_{level}_res_{unit}", f"dec_{level}_res_{unit}"
            cells[f"{encoder}.conv.0", f"{encoder}.conv.1"] = f"{own}.units.{unit}"
            # Upwards the blocks run from the last to the first, in ours as in the published one.
            cells[f"{decoder}.conv_a.0", f"{decoder}.conv_a.1"] = f"{own}.mirror_units.{unit}.mirrored"
            cells[f"{decoder}.conv.0", f"{decoder}.conv.1"] = f"{own}.mirror_units.{unit}.joined"
        cells[f"enc_{level}_downsample.1", f"enc_{level}_downsample.2"] = f"{own}.halve"
        cells[f"dec_{level}_upsample.1", f"dec_{level}_upsample.3"] = f"{own}.enlarge"
    names: dict[str, str] = {}
    for (convolution, norm), own in cells.items():
        names |= layer_entries({convolution: f"network.{own}.convolution"}, _WEIGHT)
        names |= layer_entries({norm: f"network.{own}.norm"}, _NORM)
    heads = {f"pred_flow_{level}.1": f"network.levels.{level}.flow" for level in range(levels)}
    return names | layer_entries(heads | {"pred_vis.1": "network.visibility"})


def _names(sizes: Mapping[str, Any]) -> Mapping[str, str]:
    architecture = {"unet": _unet_names, "residual_unet": _residual_unet_names}
    return architecture[sizes["architecture"]](sizes["levels"])


def _sizes(shapes: Shapes) -> dict[str, Any]:
    """Architecture and sizes; the options file that belongs to the published weights is not needed.

    The channels below the deepest level are the widest of the network, or all there are.
    """
    if any(key.startswith("pre_conv.") for key in shapes):
        found = {int(match[1]) for key in shapes if (match := re.match(r"enc_(\d)_", key))}
        levels = max(found, default=0) + 1
        return {
            "architecture": "residual_unet",
            "width": shapes.size("pre_conv.0.0.weight", 0),
            "levels": levels,
            "widest": shapes.size(f"enc_{levels - 1}_downsample.1.weight", 0),
        }
    levels = max((key.count("submodule.") for key in shapes), default=0) + 1
    deepest = "unet_block." + "submodule." * (levels - 1)
    return {
        "architecture": "unet",
        "width": shapes.size("conv_downsample.0.weight", 0),
        "levels": levels,
        "widest": shapes.size(f"{deepest}down.1.weight", 0),
    }


FLOW_REGRESSION: Final = PublishedNetwork(
    kind="flow_regression",
    build=LandmarkFlow,
    full_size={"architecture": "unet", "width": 32, "levels": 4, "widest": 512},
    sizes=_sizes,
    names=_names,
)
