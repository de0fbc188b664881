"""Networks of flow map A: the published numbers, a second recipe over the published keys, feeding and resizing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.networks.flow_pyramid import FlowPyramid
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.portrait_gan_inputs import regressed_flow
from lightning_modules.weights import from_published, published_shapes
from lightning_modules.weights.published import PUBLISHED

KIND = PUBLISHED["flow_regression"]
SMALL = {
    "unet": {"architecture": "unet", "width": 2, "levels": 4, "widest": 16},
    "residual_unet": {"architecture": "residual_unet", "width": 2, "levels": 4, "widest": 8},
}
EACH = pytest.mark.parametrize("architecture", sorted(SMALL))


def lively(sizes) -> dict[str, torch.Tensor]:
    """Weights that let a picture reach every output."""
    weights = {}
    for key, shape in KIND.shapes(sizes).items():
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.zeros((), dtype=torch.int64)
        elif len(shape) > 1:
            weights[key] = torch.randn(shape) * (2 / max(1, int(np.prod(shape[1:])))) ** 0.5
        else:
            weights[key] = torch.rand(shape) + 0.5 if key.endswith(("running_var", "weight")) else torch.randn(shape)
    return weights


@pytest.mark.parametrize("name", ["flow_a_unet", "flow_a_unet_v2"])
def test_the_published_flow_is_reproduced(parity, name):
    stored = parity(name)
    weights = {key.removeprefix("weights/"): value for key, value in stored.items() if key.startswith("weights/")}
    network = from_published("flow_regression", weights)
    with torch.inference_mode():
        made = network(*(torch.from_numpy(stored[f"inputs/{side}_landmarks"]) for side in ("source", "target")))
    for found, expected in zip(made, ("flow_256", "validity_256"), strict=True):
        np.testing.assert_allclose(found.numpy(), stored[f"outputs/{expected}"], rtol=0, atol=1e-3)


class Recipe:
    """The networks once more, over the published keys (auxiliary, sections 6.2 and 6.3), in float64."""

    def __init__(self, weights):
        self.weights = {key: value.double() for key, value in weights.items()}

    def convolved(self, x, key, stride=1, padding=None):
        kernel = self.weights[f"{key}.weight"]
        padding = kernel.shape[-1] // 2 if padding is None else padding
        return functional.conv2d(x, kernel, self.weights.get(f"{key}.bias"), stride, padding)

    def norm(self, x, key):
        entries = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(self.weights[f"{key}.{entry}"] for entry in entries))

    def nested(self, x, block, depth):
        """The pix2pix way: each block calls the one inside it."""
        outermost, innermost = block == "unet_block", depth == 1
        beside = x if outermost else functional.leaky_relu(x, 0.2)
        first = 0 if outermost else 1
        x = self.convolved(beside, f"{block}.down.{first}", 2, 1)
        if not innermost:
            x = self.nested(self.norm(x, f"{block}.down.{first + 1}"), f"{block}.submodule", depth - 1)
        up = functional.conv_transpose2d(
            x.relu(), self.weights[f"{block}.up.1.weight"], self.weights.get(f"{block}.up.1.bias"), 2, 1
        )
        up = self.norm(up, f"{block}.up.2")
        self.flows.append(self.convolved(functional.leaky_relu(up, 0.1), f"{block}.predict_flow.1"))
        return up if outermost else torch.cat((beside, up), 1)

    def unet(self, x):
        self.flows = []
        x = functional.leaky_relu(self.norm(self.convolved(x, "conv_downsample.0"), "conv_downsample.1"), 0.1)
        x = functional.leaky_relu(self.norm(self.convolved(x, "conv_downsample.3", 2), "conv_downsample.4"), 0.1)
        x = self.nested(x, "unet_block", 4)
        return self.flows[::-1], self.convolved(functional.leaky_relu(x, 0.1), "predict_vis.1")

    def residual_unet(self, x):
        x = self.norm(self.convolved(x, "pre_conv.0.0"), "pre_conv.0.1")
        x = x + self.norm(self.convolved(x.relu(), "pre_conv.1.conv.0"), "pre_conv.1.conv.1")
        x = self.norm(self.convolved(x.relu(), "pre_conv.3", 2), "pre_conv.4")
        stack, flows = [], []
        for level in range(4):
            for key in (f"enc_{level}_res_0.conv", f"enc_{level}_res_1.conv"):
                x = x + self.norm(self.convolved(x.relu(), f"{key}.0"), f"{key}.1")
                stack.append(x)
            key = f"enc_{level}_downsample"
            x = self.norm(self.convolved(x.relu(), f"{key}.1", 2), f"{key}.2")
        for level in (3, 2, 1, 0):
            x = functional.pixel_shuffle(self.convolved(x.relu(), f"dec_{level}_upsample.1"), 2)
            x = self.norm(x, f"dec_{level}_upsample.3")
            for key in (f"dec_{level}_res_1", f"dec_{level}_res_0"):
                other = self.norm(self.convolved(stack.pop().relu(), f"{key}.conv_a.0"), f"{key}.conv_a.1")
                joined = torch.cat((x, other), 1).relu()
                x = x + self.norm(self.convolved(joined, f"{key}.conv.0"), f"{key}.conv.1")
            flows.append(self.convolved(x.relu(), f"pred_flow_{level}.1"))
        return flows[::-1], self.convolved(x.relu(), "pred_vis.1")


@EACH
def test_both_networks_by_a_second_recipe(architecture):
    """The fixture of the "unet" has no visible pixel, that of the other one 0.2 %: here every weight counts."""
    weights, maps = lively(SMALL[architecture]), (torch.rand(2, 136, 32, 32) < 0.1).float()

    def network(weights):
        return from_published("flow_regression", weights).network(maps)

    flows, visibility = getattr(Recipe(weights), architecture)(maps.double())
    found = network(weights)
    assert [tuple(flow.shape) for flow in found.flows] == [(2, 2, side, side) for side in (16, 8, 4, 2)]
    assert found.visibility.shape == (2, 3, 16, 16)
    pairs = list(zip((*found.flows, found.visibility), (*flows, visibility), strict=True))
    assert all((mine - other).abs().max() < 1e-4 * other.abs().max() for mine, other in pairs)
    for key in [key for key in weights if key.endswith("weight")][::5]:
        changed = network({**weights, key: weights[key] * 1.1})
        moved = zip((*changed.flows, changed.visibility), (*found.flows, found.visibility), strict=True)
        assert any((a - b).abs().max() > 1e-4 * b.abs().max() for a, b in moved), key


@EACH
def test_sizes_are_read_off_the_shapes(architecture):
    full = {"unet": (32, 512, 16_900_811), "residual_unet": (32, 128, 4_932_747)}[architecture]
    sizes = {"architecture": architecture, "width": full[0], "levels": 4, "widest": full[1]}
    assert KIND.sizes(KIND.shapes(sizes)) == sizes
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in LandmarkFlow(architecture).parameters()) == full[2]
    for levels in (2, 3, 4):
        small = SMALL[architecture] | {"levels": levels}
        assert KIND.sizes(KIND.shapes(small)) == small
        assert from_published("flow_regression", lively(small)).arguments == small


def test_published_names_where_they_are_easily_confused():
    shapes = published_shapes("flow_regression")
    assert shapes["conv_downsample.0.weight"] == (32, 136, 7, 7)
    assert shapes["unet_block.down.0.weight"] == (128, 64, 4, 4)
    assert shapes["unet_block.submodule.up.1.weight"] == (512, 128, 4, 4)
    assert shapes["unet_block.submodule.submodule.submodule.up.1.weight"] == (512, 512, 4, 4)
    assert shapes["unet_block.up.1.bias"] == (64,)
    assert not {"unet_block.submodule.up.1.bias", "unet_block.submodule.submodule.submodule.down.2.weight"} & set(
        shapes
    )


class Told(nn.Module):
    """Says 0.5 to the right and 1 down everywhere; the left half is visible, the rest background."""

    def forward(self, maps):
        self.maps = maps
        flow = torch.tensor([0.5, 1.0]).view(1, 2, 1, 1).expand(len(maps), 2, 112, 112)
        visibility = torch.zeros(len(maps), 3, 112, 112)
        visibility[:, 0, :, :56] = visibility[:, 2, :, 56:] = 4.0
        return FlowPyramid((flow,), visibility)


def test_feeding_and_resizing_by_hand():
    network = LandmarkFlow(width=2, levels=2)
    network.network = told = Told()
    source = torch.full((1, 68, 2), -100.0)  # outside: no disc
    source[0, 0] = torch.tensor([128.0, 64.0])
    flow, validity = network(source, source + torch.tensor([8.0, 0.0]))
    assert told.maps.shape == (1, 136, 224, 224)
    assert told.maps[0, 0].sum() == 49  # whole pixels within 4 of (112, 56)
    assert told.maps[0, 0, 56, 108:117].tolist() == [1.0] * 9
    assert told.maps[0, 1:68].sum() == 0
    assert told.maps[0, 68, 56, 115:124].tolist() == [1.0] * 9
    assert flow.shape == (1, 2, 256, 256)
    assert validity.shape == (1, 1, 256, 256)
    assert torch.allclose(flow[0, :, :, :126].mean((1, 2)), torch.tensor([0.5, 1.0]) * 20 * 8 / 7, atol=1e-4)
    assert flow[0, :, :, 130:].abs().max() == 0
    assert (validity[..., :126].min(), validity[..., 130:].max()) == (1, 0)
    assert torch.allclose(flow, validity * flow[..., :1], atol=1e-4)  # the flow fades as the validity does


def test_it_is_what_the_portrait_gan_asks_for():
    network = LandmarkFlow("residual_unet", width=2, levels=2, widest=4).eval()
    points = torch.rand(2, 68, 2) * 64
    with torch.inference_mode():
        flow, validity = regressed_flow(network, points, points, 64)
    assert flow.shape == (2, 2, 64, 64)
    assert validity.shape == (2, 1, 64, 64)


@pytest.mark.parametrize("change", [{"architecture": "net"}, {"levels": 5}, {"levels": 1}, {"width": 0}])
def test_impossible_networks_are_refused(change):
    with pytest.raises(ConfigError):
        LandmarkFlow(**change)
    with pytest.raises(ValueError, match="multiple of 32"):
        LandmarkFlow(width=2, widest=4).network(torch.zeros(1, 136, 48, 48))


@EACH
def test_foreign_weights_are_named(architecture):
    weights = lively(SMALL[architecture])
    head = {"unet": "predict_vis.1.bias", "residual_unet": "pred_vis.1.bias"}[architecture]
    with pytest.raises(WeightsError, match=f"without {head}"):
        from_published("flow_regression", {key: value for key, value in weights.items() if key != head})
    with pytest.raises(WeightsError, match="unexpected entry other"):
        from_published("flow_regression", weights | {"other": torch.zeros(1)})
    with pytest.raises(WeightsError, match="no conv_downsample"):
        from_published("flow_regression", {"fc.weight": torch.zeros(1)})
