"""The published static drawer and what it was trained with: the published numbers, keys, sizes and a second recipe."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.weights import from_published, published_shapes
from lightning_modules.weights.published import PUBLISHED
from lightning_modules.weights.registry import load_manifest

# Auxiliary, sections 1.1 and 1.2; the edge detector's is VGG16's 14,714,688, and 1,483 of side outputs and fusion.
PARAMETERS = {
    "static_drawing_generator": 11_968_897,
    "inverse_generator": 11_371_907,
    "style_discriminator": 9_448_388,
    "edge_detector": 14_716_171,
}
SMALL = {
    "static_drawing_generator": {"width": 3, "styles": 4, "output_channels": 2},
    "inverse_generator": {"width": 3, "input_channels": 2},
    "style_discriminator": {"input_channels": 2, "width": 3, "styles": 4, "side": 64},
    "edge_detector": {"width": 3},
}
PICTURES = {"inverse_generator": (2, 24, 32), "style_discriminator": (2, 64, 64), "edge_detector": (3, 37, 32)}
EACH = pytest.mark.parametrize("kind", PARAMETERS)

# Section 1.1, typed from the table: every layer of the static drawer with its weight.
DRAWER_WEIGHTS = {
    "model0.1": (64, 3, 7, 7),
    "model0.4": (128, 64, 3, 3),
    "model0.7": (256, 128, 3, 3),
    "model.0": (256, 259, 3, 3),
    **{f"model.{block}.conv_block.{layer}": (256, 256, 3, 3) for block in range(3, 12) for layer in (1, 5)},
    "model.12": (256, 128, 3, 3),
    "model.15": (128, 64, 3, 3),
    "model.19": (1, 64, 7, 7),
}
TRANSPOSED = {"model.12", "model.15"}  # stored (in, out, k, k)


def small_checkpoint(kind):
    """Weights that let a picture reach every output."""
    return {
        key: torch.randn(shape) * (2 / math.prod(shape[1:])) ** 0.5 if len(shape) > 1 else torch.randn(shape) * 0.3
        for key, shape in PUBLISHED[kind].shapes(SMALL[kind]).items()
    }


def answers(kind, weights, *inputs):
    with torch.inference_mode():
        made = from_published(kind, weights)(*inputs)
    return made if isinstance(made, tuple) else (made,)


def inputs_of(kind):
    if kind == "static_drawing_generator":
        return torch.rand(2, 3, 24, 32) * 2 - 1, torch.rand(2, 4, 6, 8)
    return (torch.rand(2, *PICTURES[kind]),)


def test_the_published_drawer_is_reproduced(parity):
    stored = parity("static_drawing_generator")
    weights = {key.removeprefix("weights/"): value for key, value in stored.items() if key.startswith("weights/")}
    photo, style = (torch.from_numpy(stored[f"inputs/{name}"]) for name in ("photo", "style_map"))
    (drawing,) = answers("static_drawing_generator", weights, photo, style)
    np.testing.assert_allclose(drawing.numpy(), stored["outputs/drawing"], rtol=0, atol=1e-4)
    assert np.ptp(stored["outputs/drawing"]) > 0.1, "there is something to compare"
    for key in ("model.0.weight", "model.11.conv_block.5.weight", "model.19.bias"):
        (changed,) = answers("static_drawing_generator", weights | {key: weights[key] * 1.2 + 0.01}, photo, style)
        assert (changed - drawing).abs().max() > 1e-3, key


def test_a_style_vector_does_for_the_published_style_map(parity):
    stored = parity("static_drawing_generator")
    weights = {key.removeprefix("weights/"): value for key, value in stored.items() if key.startswith("weights/")}
    photo, style = (torch.from_numpy(stored[f"inputs/{name}"]) for name in ("photo", "style_map"))
    vector = style.mean((2, 3))
    assert torch.equal(vector[:, :, None, None].expand_as(style), style)
    (drawing,) = answers("static_drawing_generator", weights, photo, vector)
    np.testing.assert_allclose(drawing.numpy(), stored["outputs/drawing"], rtol=0, atol=1e-4)


@EACH
def test_the_published_sizes_are_those_of_the_reference(kind):
    assert sum(math.prod(shape) for shape in published_shapes(kind).values()) == PARAMETERS[kind]


def test_the_keys_are_those_of_the_reference():
    expected = {}
    for layer, shape in DRAWER_WEIGHTS.items():
        expected |= {f"{layer}.weight": shape, f"{layer}.bias": (shape[layer in TRANSPOSED],)}
    assert published_shapes("static_drawing_generator") == expected
    inverse = published_shapes("inverse_generator")
    assert inverse["model.1.weight"] == (64, 1, 7, 7)
    assert inverse["model.18.conv_block.5.weight"] == inverse["model.10.conv_block.1.weight"] == (256, 256, 3, 3)
    assert [inverse[f"model.{index}.weight"] for index in (7, 19, 22, 26)] == [
        (256, 128, 3, 3),
        (256, 128, 3, 3),
        (128, 64, 3, 3),
        (3, 64, 7, 7),
    ]
    judge = published_shapes("style_discriminator")
    assert {key: shape for key, shape in judge.items() if key.endswith("weight")} == {
        "model0.0.weight": (64, 1, 4, 4),
        "model0.2.weight": (128, 64, 4, 4),
        "model0.5.weight": (256, 128, 4, 4),
        "model1.0.weight": (512, 256, 4, 4),
        "model1.3.weight": (1, 512, 4, 4),
        "model2.0.weight": (512, 256, 4, 4),
        "model2.3.weight": (512, 512, 4, 4),
        "model2.6.weight": (3, 512, 16, 16),
    }
    edges = published_shapes("edge_detector")
    assert edges["moduleVggTwo.1.weight"] == (128, 64, 3, 3)
    assert edges["moduleVggFiv.5.weight"] == (512, 512, 3, 3)
    assert edges["moduleScoreThr.weight"] == (1, 256, 1, 1)
    assert edges["moduleCombine.0.weight"] == (1, 5, 1, 1)
    assert len(edges) == 2 * (13 + 5 + 1)


class Recipe:
    """The networks once more, over the published keys (auxiliary, sections 1.1 and 1.2), in float64."""

    def __init__(self, weights):
        self.weights = {key: value.double() for key, value in weights.items()}

    def convolved(self, x, key, stride=1, padding=0, mode="constant"):
        x = functional.pad(x, (padding,) * 4, mode=mode)
        return functional.conv2d(x, self.weights[f"{key}.weight"], self.weights[f"{key}.bias"], stride)

    def normal(self, x):
        return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()

    def encoded(self, x, first, second, third):
        x = self.normal(self.convolved(x, first, 1, 3, "reflect")).relu()
        for key in (second, third):
            x = self.normal(self.convolved(x, key, 2, 1)).relu()
        return x

    def rest(self, x, first):
        for block in range(first, first + 9):
            y = self.normal(self.convolved(x, f"model.{block}.conv_block.1", 1, 1, "reflect")).relu()
            x = x + self.normal(self.convolved(y, f"model.{block}.conv_block.5", 1, 1, "reflect"))
        for index in (first + 9, first + 12):
            weight, bias = (self.weights[f"model.{index}.{entry}"] for entry in ("weight", "bias"))
            x = self.normal(functional.conv_transpose2d(x, weight, bias, 2, 1, 1)).relu()
        return self.convolved(x, f"model.{first + 16}", 1, 3, "reflect").tanh()

    def static_drawing_generator(self, photo, style):
        x = torch.cat((self.encoded(photo, "model0.1", "model0.4", "model0.7"), style), 1)
        return (self.rest(self.normal(self.convolved(x, "model.0", 1, 1)).relu(), 3),)

    def inverse_generator(self, drawing):
        return (self.rest(self.encoded(drawing, "model.1", "model.4", "model.7"), 10),)

    def style_discriminator(self, drawing):
        def layer(x, key, stride):
            return functional.leaky_relu(self.normal(self.convolved(x, key, stride, 1)), 0.2)

        x = functional.leaky_relu(self.convolved(drawing, "model0.0", 2, 1), 0.2)
        x = layer(layer(x, "model0.2", 2), "model0.5", 2)
        patches = self.convolved(layer(x, "model1.0", 1), "model1.3", 1, 1)
        styles = self.convolved(layer(layer(x, "model2.0", 2), "model2.3", 2), "model2.6")
        return patches, styles[..., 0, 0]

    def edge_detector(self, picture):
        mean = torch.tensor((104.00698793, 116.66876762, 122.67891434)).double()
        x = picture[:, [2, 1, 0]] * 255 - mean[:, None, None]
        sides = []
        for stage, layers in (("One", "02"), ("Two", "13"), ("Thr", "135"), ("Fou", "135"), ("Fiv", "135")):
            x = x if stage == "One" else functional.max_pool2d(x, 2, 2)
            for layer in layers:
                x = self.convolved(x, f"moduleVgg{stage}.{layer}", 1, 1).relu()
            side = self.convolved(x, f"moduleScore{stage}")
            sides.append(functional.interpolate(side, picture.shape[-2:], mode="bilinear", align_corners=False))
        return (self.convolved(torch.cat(sides, 1), "moduleCombine.0").sigmoid(),)


@EACH
def test_each_network_by_a_second_recipe(kind):
    weights, inputs = small_checkpoint(kind), inputs_of(kind)
    if kind == "edge_detector":  # pictures of 255 grey levels: keep the sigmoid off its ends
        weights["moduleCombine.0.weight"] *= 0.01
    expected = getattr(Recipe(weights), kind)(*(value.double() for value in inputs))
    found = answers(kind, weights, *inputs)
    for mine, other in zip(found, expected, strict=True):
        assert mine.shape == other.shape
        assert (mine - other).abs().max() < 1e-4 * other.abs().max()
        assert other.std() > 0.02, "a grey picture would prove nothing"
    for key in [key for key in weights if key.endswith("weight")]:
        changed = weights[key] * (0.5 + torch.rand(weights[key].shape))
        moved = zip(answers(kind, {**weights, key: changed}, *inputs), found, strict=True)
        assert any((a - b).abs().max() > 1e-4 * b.abs().max() for a, b in moved), key


@EACH
def test_sizes_are_inferred_and_every_weight_arrives(kind):
    given = small_checkpoint(kind)
    network = from_published(kind, given)
    own = network.state_dict()
    assert PUBLISHED[kind].sizes(PUBLISHED[kind].shapes(SMALL[kind])) == SMALL[kind]
    assert sorted(value.sum().item() for value in own.values()) == sorted(
        value.sum().item() for value in given.values()
    )
    assert not network.training


@EACH
def test_a_missing_key_is_named(kind):
    given = small_checkpoint(kind)
    for key in given:
        with pytest.raises(WeightsError, match=re.escape(key)) as caught:
            from_published(kind, {other: value for other, value in given.items() if other != key})
        assert "\n" not in str(caught.value)


@EACH
def test_a_misshapen_or_unexpected_entry_is_named(kind):
    given = small_checkpoint(kind)
    for key in list(given)[1::4]:
        with pytest.raises(WeightsError, match=f"{re.escape(key)} of shape") as caught:
            from_published(kind, given | {key: torch.zeros(2, 2)})
        assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match=r"unexpected entry model\.3\.running_mean"):
        from_published(kind, given | {"model.3.running_mean": torch.zeros(3)})


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("model.0.weight", ()),
        ("model.0.weight", (12, 12, 3, 3)),
        ("model.0.weight", (16, 12, 3, 3)),
        ("model0.1.weight", (0, 3, 7, 7)),
        ("model0.1.weight", (10**6, 3, 1, 1)),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(key, shape):
    given = small_checkpoint("static_drawing_generator") | {key: torch.zeros(()).expand(shape)}
    with pytest.raises(WeightsError, match=r"model|impossible sizes") as caught:
        from_published("static_drawing_generator", given)
    assert "\n" not in str(caught.value)


def test_an_imported_drawer_is_stored_as_one_of_ours(tmp_path):
    drawer = from_published("static_drawing_generator", small_checkpoint("static_drawing_generator"))
    path = save_network("static_drawing_generator", drawer, tmp_path / "d.safetensors", {"licence": "none stated"})
    stored = load_network(path)
    assert (stored.kind, stored.network.arguments) == ("static_drawing_generator", drawer.arguments)
    inputs = inputs_of("static_drawing_generator")
    with torch.inference_mode():
        assert torch.equal(stored.network(*inputs), drawer(*inputs))
    with pytest.raises(ConfigError, match="a portrait_generator has no argument 'styles'"):
        save_network("portrait_generator", drawer, tmp_path / "g.safetensors")


def test_the_manifest_knows_the_files():
    readers = [str(one.read_by) for one in load_manifest()]
    for kind in ("static_drawing_generator", "edge_detector"):
        assert sum(f"as {kind};" in reader for reader in readers) == 1
