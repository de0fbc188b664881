"""MODNet: the published matte, a second recipe for it, hand-made numbers, and what its file may look like."""

from __future__ import annotations

import math

import pytest
import torch
from seeded_weights import lively_weights, seeded_weights
from torch.nn import functional

from lightning_modules.errors import WeightsError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.networks.frozen import modnet
from lightning_modules.weights import from_published, published_shapes


@pytest.fixture(scope="module")
def weights():
    return lively_weights("modnet")


@pytest.fixture(scope="module")
def network(weights):
    return from_published("modnet", weights)


def with_the_encoder_twice(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """MODNet's weights as its published file has them."""
    return weights | {f"lr_branch.{key}": value for key, value in weights.items() if key.startswith("backbone.")}


def test_the_published_matte_is_reproduced(parity):
    fixture = parity("modnet_seeded")
    weights = seeded_weights(published_shapes("modnet"), seed=11, scale=0.06)
    photo, expected = (torch.from_numpy(fixture[key]) for key in ("inputs/photo", "outputs/matte"))
    with torch.inference_mode():
        assert (from_published("modnet", with_the_encoder_twice(weights))(photo) - expected).abs().max() < 1e-4
        for key in (
            "backbone.model.features.0.0.weight",
            "lr_branch.se_block.fc.2.weight",
            "f_branch.conv_f.0.layers.0.weight",
        ):
            changed = {**weights, key: weights[key] * 1.1}
            assert (from_published("modnet", changed)(photo) - expected).abs().max() > 1e-3, key


def norm(w: dict[str, torch.Tensor], x: torch.Tensor, key: str) -> torch.Tensor:
    mean, var, weight, bias = (
        w[f"{key}.{entry}"][:, None, None] for entry in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def encoded(w: dict[str, torch.Tensor], image: torch.Tensor) -> list[torch.Tensor]:
    """The encoder's features after its stem, its 17 blocks and its last layer."""

    def layer(x, key, place, stride=1):
        kernel = w[f"{key}.{place}.weight"]
        x = functional.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, groups=x.shape[1] // kernel.shape[1])
        return norm(w, x, f"{key}.{place + 1}")

    key = "backbone.model.features"
    features = [layer(image, f"{key}.0", 0, 2).clamp(0, 6)]
    for index in range(1, 18):
        x, block, stride = features[-1], f"{key}.{index}.conv", 2 if index in {2, 4, 7, 14} else 1
        if index > 1:
            x = layer(x, block, 0).clamp(0, 6)
        depthwise, project = (3, 6) if index > 1 else (0, 3)
        x = layer(layer(x, block, depthwise, stride).clamp(0, 6), block, project)
        features.append(x + features[-1] if x.shape == features[-1].shape else x)
    return [*features, layer(features[-1], f"{key}.18", 0).clamp(0, 6)]


def by_keys(weights: dict[str, torch.Tensor], photo: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The network once more over the published keys (auxiliary, sections 2.1 to 2.3), in float64."""
    w = {key: value.double() for key, value in weights.items()}

    def cell(x, key, stride=1):  # "CIR"; only convolution where the file has no norm
        kernel = w[f"{key}.layers.0.weight"]
        x = functional.conv2d(x, kernel, w[f"{key}.layers.0.bias"], stride, kernel.shape[-1] // 2)
        if f"{key}.layers.1.bnorm.weight" not in w:
            return x
        first, second = x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :]
        var, mean = torch.var_mean(second, dim=(2, 3), correction=0, keepdim=True)
        return torch.cat([norm(w, first, f"{key}.layers.1.bnorm"), (second - mean) / (var + 1e-5).sqrt()], 1).relu()

    def sized(x, size):
        return functional.interpolate(x, size=size, mode="bilinear")

    image = photo.double()
    sizes = [[side // 2**k for side in photo.shape[2:]] for k in range(6)]
    features = encoded(w, image)
    deep = features[-1]
    assert deep.shape[2:] == tuple(sizes[5])

    squeeze, excite = (w[f"lr_branch.se_block.fc.{k}.weight"] for k in (0, 2))
    gate = ((deep.mean((2, 3)) @ squeeze.T).relu() @ excite.T).sigmoid()
    lr8x = cell(sized(deep * gate[:, :, None, None], sizes[4]), "lr_branch.conv_lr16x")
    lr8x = cell(sized(lr8x, sizes[3]), "lr_branch.conv_lr8x")
    enc2x = cell(features[1], "hr_branch.tohr_enc2x")
    x = cell(torch.cat([sized(image, sizes[1]), enc2x], 1), "hr_branch.conv_enc2x", 2)
    x = cell(torch.cat([x, cell(features[3], "hr_branch.tohr_enc4x")], 1), "hr_branch.conv_enc4x")
    x = torch.cat([x, sized(lr8x, sizes[2]), sized(image, sizes[2])], 1)
    for k in range(3):
        x = cell(x, f"hr_branch.conv_hr4x.{k}")
    hr2x = torch.cat([sized(x, sizes[1]), enc2x], 1)
    for k in range(4):
        hr2x = cell(hr2x, f"hr_branch.conv_hr2x.{k}")
    detail = torch.cat([sized(hr2x, sizes[0]), image], 1)
    lr2x = sized(cell(sized(lr8x, sizes[2]), "f_branch.conv_lr4x"), sizes[1])
    matte = cell(torch.cat([lr2x, hr2x], 1), "f_branch.conv_f2x")
    matte = torch.cat([sized(matte, sizes[0]), image], 1)
    for k in range(2):
        detail, matte = cell(detail, f"hr_branch.conv_hr.{k}"), cell(matte, f"f_branch.conv_f.{k}")
    return cell(lr8x, "lr_branch.conv_lr", 2).sigmoid(), detail.sigmoid(), matte.sigmoid()


def test_a_second_recipe_gives_the_same(network, weights):
    """The fixture's matte hardly depends on the middle of the encoder; here every part of the network counts."""
    photo = torch.rand(2, 3, 64, 96) * 2 - 1
    expected = by_keys(weights, photo)
    with torch.inference_mode():
        maps = network.maps(photo)
        assert torch.equal(network(photo), maps.matte)
        for name, one, other in zip(maps._fields, maps, expected, strict=True):
            assert one.std() > 0.02, name
            assert (one - other).abs().max() < 1e-4, name
        for key in [key for key in weights if weights[key].ndim >= 2 and "backbone" in key][::8]:
            changed = {**weights, key: weights[key] * 1.1}
            assert (from_published("modnet", changed)(photo) - expected[-1]).abs().max() > 1e-3, key


def test_the_gate_and_norm_by_hand():
    gate = modnet._Gate(4)
    gate.squeeze.weight.data = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    gate.excite.weight.data = torch.tensor([[0.0], [math.log(3) / 10], [-math.log(3) / 10], [1000.0]])
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None] * torch.tensor([[0.5, 1.5]])  # means 1, 2, 3, 4; their sum 10
    factors = torch.tensor([1 / 2, 3 / 4, 1 / 4, 1])  # sigmoid of 0, ln 3, -ln 3, many
    torch.testing.assert_close(gate(x[None])[0], x * factors[:, None, None])
    torch.testing.assert_close(gate(-x[None])[0], -x / 2)  # a sum below 0 is cut: sigmoid of 0 for all

    norm = modnet._HalfInstanceNorm(3).eval()  # 1 channel by running numbers, 2 by their own
    for entry, value in (("running_mean", 1.0), ("running_var", 4.0), ("weight", 3.0), ("bias", 0.5)):
        getattr(norm.batch, entry).data.fill_(value)
    given = torch.tensor([[[[1.0, 5.0]], [[1.0, 5.0]], [[10.0, 4.0]]]])
    made = torch.tensor([[[[0.5, 6.5]], [[-1.0, 1.0]], [[1.0, -1.0]]]])
    torch.testing.assert_close(norm(given), made, rtol=1e-5, atol=1e-5)


def test_the_encoder_may_be_there_once_or_twice(network, weights):
    twice = with_the_encoder_twice(weights)
    assert len(twice) == 751
    for given in (twice, {f"module.{key}": value for key, value in twice.items()}):
        own = from_published("modnet", given).state_dict()
        assert all(torch.equal(own[key], value) for key, value in network.state_dict().items())
    again = "lr_branch.backbone.model.features.5.conv.3.weight"
    for given, message in (
        (twice | {again: twice[again] * 1.5}, f"with {again} unlike backbone"),
        (twice | {again: twice[again][:7]}, f"with {again} unlike backbone"),
        (
            twice | {"lr_branch.backbone.model.last.bias": torch.zeros(3)},
            "unexpected entry lr_branch.backbone.model.last.bias",
        ),
        ({key: value for key, value in twice.items() if key != again[10:]}, f"without {again[10:]}"),
    ):
        with pytest.raises(WeightsError, match=message) as caught:
            from_published("modnet", given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sides", [(64, 48), (33, 32), (0, 32), (16, 16)])
def test_sides_are_multiples_of_32(network, sides):
    with pytest.raises(ValueError, match="multiples of 32"):
        network(torch.zeros(1, 3, *sides))
    assert network(torch.zeros(1, 3, 32, 64)).shape == (1, 1, 32, 64)


def test_it_is_kept_as_a_file_of_ours(network, tmp_path):
    stored = load_network(save_network("modnet", network, tmp_path / "modnet.safetensors"))
    own = stored.network.state_dict()
    assert stored.kind == "modnet"
    assert all(torch.equal(own[key], value) for key, value in network.state_dict().items())
