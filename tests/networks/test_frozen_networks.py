from __future__ import annotations

import numpy as np
import pytest
import torch
from seeded_weights import lively_weights, seeded_weights
from torch import nn
from torch.nn import functional

from lightning_modules.errors import WeightsError
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.weights.published_frozen import KINDS

PARAMETERS = {"mobilefacenet": 1_007_248, "modnet": 6_487_075, "sphereface": 22_670_656}
ENTRIES = {"mobilefacenet": 333, "modnet": 751 - 312, "sphereface": 62}  # MODNet's file has its encoder, 312, twice
CROPS = {"mobilefacenet": (3, 112, 112), "modnet": (3, 64, 96), "sphereface": (3, 112, 96)}
EACH = pytest.mark.parametrize("kind", sorted(KINDS))


@pytest.fixture(scope="module")
def weights():
    sphereface = seeded_weights(KINDS["sphereface"].shapes({}), seed=12, scale=0.02)
    return {"sphereface": sphereface} | {kind: lively_weights(kind) for kind in ("mobilefacenet", "modnet")}


@pytest.fixture(scope="module")
def networks(weights):
    return {kind: KINDS[kind].load(weights[kind]) for kind in KINDS}


def fixture_weights(fixture: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix("weights/"): torch.from_numpy(v) for key, v in fixture.items() if key.startswith("weights/")
    }


def test_mobilefacenet_gives_the_published_landmarks(parity):
    fixture = parity("mobilefacenet")
    published = fixture_weights(fixture)
    assert {key: tuple(value.shape) for key, value in published.items()} == KINDS["mobilefacenet"].shapes({})
    crop, expected = (torch.from_numpy(fixture[key]) for key in ("inputs/crop", "outputs/landmarks"))
    assert (KINDS["mobilefacenet"].load(published)(crop) - expected).abs().max() < 1e-5
    for key in ("output_layer.bn.running_mean", "output_layer.linear.weight", "output_layer.conv_6_dw.bn.bias"):
        changed = {**published, key: published[key] + 0.01}
        assert (KINDS["mobilefacenet"].load(changed)(crop) - expected).abs().max() > 1e-4, key


def mobilefacenet_by_keys(weights: dict[str, torch.Tensor], crop: torch.Tensor) -> torch.Tensor:
    """The network once more, as one recipe over the published keys (auxiliary, section 4.1), in float64."""
    w = {key: value.double() for key, value in weights.items()}

    def norm(x, key):
        return functional.batch_norm(
            x, w[f"{key}.running_mean"], w[f"{key}.running_var"], w[f"{key}.weight"], w[f"{key}.bias"]
        )

    def cell(x, key, stride=1, padding=0):
        kernel = w[f"{key}.conv.weight"]
        x = functional.conv2d(x, kernel, stride=stride, padding=padding, groups=x.shape[1] // kernel.shape[1])
        x = norm(x, f"{key}.bn")
        slope = w.get(f"{key}.prelu.weight")
        return x if slope is None else torch.where(x > 0, x, x * slope[:, None, None])

    def bottleneck(x, key, stride):
        return cell(cell(cell(x, f"{key}.conv"), f"{key}.conv_dw", stride, 1), f"{key}.project")

    x = cell(cell(crop.double(), "conv1", 2, 1), "conv2_dw", 1, 1)
    for strided, still, count in (("conv_23", "conv_3", 4), ("conv_34", "conv_4", 6), ("conv_45", "conv_5", 2)):
        x = bottleneck(x, strided, 2)
        for k in range(count):
            x = x + bottleneck(x, f"{still}.model.{k}", 1)
    x = cell(cell(x, "conv_6_sep"), "output_layer.conv_6_dw")
    return norm(x.flatten(1) @ w["output_layer.linear.weight"].T, "output_layer.bn")


def test_mobilefacenet_by_a_second_recipe(networks, weights):
    """The fixture's answers are the same for any crop to 1e-7; with larger weights every part of the network counts."""
    weights = weights["mobilefacenet"]
    crop = torch.rand(2, *CROPS["mobilefacenet"])
    expected = mobilefacenet_by_keys(weights, crop).float()
    scale = (expected[0] - expected[1]).abs().max()
    assert scale > 0.05
    assert (networks["mobilefacenet"](crop) - expected).abs().max() < 1e-4 * scale
    for key in [key for key in weights if key.endswith("conv.weight") or "prelu" in key][::8]:
        changed = {**weights, key: weights[key] * 1.1}
        assert (KINDS["mobilefacenet"].load(changed)(crop) - expected).abs().max() > 1e-3 * scale, key


def test_sphereface_gives_the_published_features(parity, networks, weights):
    fixture = parity("sphereface_seeded")
    crop = torch.from_numpy(fixture["inputs/crop"])
    expected = [torch.from_numpy(fixture[f"outputs/stage_{k}"]) for k in range(1, 6)]

    def errors(network):
        return [((a - b).norm() / b.norm()).item() for a, b in zip(network(crop), expected, strict=True)]

    assert [tuple(feature.shape) for feature in networks["sphereface"](crop)] == [tuple(one.shape) for one in expected]
    assert max(errors(networks["sphereface"])) < 1e-5
    changed = {**weights["sphereface"], "relu3_5.weight": weights["sphereface"]["relu3_5.weight"] + 0.1}
    broken = errors(KINDS["sphereface"].load(changed))
    assert max(broken[:2]) < 1e-5  # the first two stages come before the changed weight
    assert min(broken[2:]) > 3e-3


@EACH
def test_numbers_of_parameters_and_entries(kind, networks):
    assert sum(parameter.numel() for parameter in networks[kind].parameters()) == PARAMETERS[kind]
    assert len(KINDS[kind].shapes({})) == ENTRIES[kind]


def test_published_names_where_they_are_easily_confused():
    mobile, matting, sphere = (KINDS[kind].shapes({}) for kind in ("mobilefacenet", "modnet", "sphereface"))
    assert mobile["conv1.conv.weight"] == (64, 3, 3, 3)
    assert mobile["conv2_dw.conv.weight"] == (64, 1, 3, 3)
    assert mobile["conv_23.conv_dw.conv.weight"] == (128, 1, 3, 3)
    assert mobile["conv_3.model.3.conv.prelu.weight"] == (128,)
    assert mobile["conv_34.project.conv.weight"] == (128, 256, 1, 1)
    assert mobile["conv_45.conv.conv.weight"] == (512, 128, 1, 1)
    assert mobile["output_layer.conv_6_dw.conv.weight"] == (512, 1, 7, 7)
    assert mobile["output_layer.bn.bias"] == (136,)
    assert "conv_23.project.prelu.weight" not in mobile
    assert next(iter(matting)) == "backbone.model.features.0.0.weight"
    assert matting["backbone.model.features.1.conv.0.weight"] == (32, 1, 3, 3)
    assert matting["backbone.model.features.1.conv.4.running_var"] == (16,)
    assert matting["backbone.model.features.17.conv.6.weight"] == (320, 960, 1, 1)
    assert matting["backbone.model.features.18.1.bias"] == (1280,)
    assert matting["lr_branch.se_block.fc.0.weight"] == (320, 1280)
    assert matting["lr_branch.conv_lr16x.layers.0.weight"] == (96, 1280, 5, 5)
    assert matting["lr_branch.conv_lr16x.layers.1.bnorm.weight"] == (48,)
    assert matting["lr_branch.conv_lr.layers.0.bias"] == (1,)
    assert matting["hr_branch.conv_enc2x.layers.0.weight"] == (32, 35, 3, 3)
    assert matting["hr_branch.conv_enc4x.layers.0.weight"] == (64, 64, 3, 3)
    assert matting["hr_branch.conv_hr4x.0.layers.0.weight"] == (64, 99, 3, 3)
    assert matting["hr_branch.conv_hr2x.1.layers.0.weight"] == (32, 64, 3, 3)
    assert matting["f_branch.conv_lr4x.layers.0.weight"] == (32, 32, 5, 5)
    assert matting["f_branch.conv_f.1.layers.0.weight"] == (1, 16, 1, 1)
    assert "f_branch.conv_f.1.layers.1.bnorm.weight" not in matting
    assert sphere["conv1_1.weight"] == (64, 3, 3, 3)
    assert sphere["relu3_9.weight"] == (256,)
    assert sphere["conv4_3.bias"] == (512,)
    assert sphere["fc5.weight"] == (512, 512 * 7 * 6)
    assert "conv1_4.weight" not in sphere


@EACH
def test_it_never_leaves_eval_mode(kind, networks):
    parent = nn.Sequential(networks[kind], nn.BatchNorm1d(2)).train()
    assert parent[1].training
    assert not any(module.training for module in networks[kind].modules())
    networks[kind].train()
    assert not any(module.training for module in networks[kind].modules())


def test_asking_changes_no_statistics(networks):
    network = networks["mobilefacenet"].train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network(torch.rand(3, *CROPS["mobilefacenet"]))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@EACH
def test_gradients_pass_through_and_stay_nowhere(kind, networks):
    crop = torch.rand(1, *CROPS[kind], requires_grad=True)
    answer = networks[kind](crop)
    (answer if isinstance(answer, torch.Tensor) else answer[-1]).square().sum().backward()
    assert crop.grad.abs().sum() > 0
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in networks[kind].parameters())


@EACH
def test_samples_of_a_batch_do_not_meet(kind, networks):
    crops = torch.rand(3, *CROPS[kind])
    together, alone = networks[kind](crops), networks[kind](crops[1:2])
    if isinstance(together, torch.Tensor):
        together, alone = [together], [alone]
    for batch, single in zip(together, alone, strict=True):
        assert torch.allclose(batch[1:2], single, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(batch[0:1], single, rtol=1e-4, atol=1e-5)


def test_whoever_trains_the_detector_can():
    network = KINDS["mobilefacenet"].build(trainable=True).train()
    crop = torch.rand(2, *CROPS["mobilefacenet"])
    before = network.stem.norm.running_mean.clone()
    network(crop).square().sum().backward()
    assert network.stem.norm.training
    assert not torch.equal(before, network.stem.norm.running_mean)
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert not network.eval().stem.norm.training


@EACH
def test_wrapped_and_prefixed_files_are_read(kind, networks, weights):
    given = {f"module.{key}": value.double() for key, value in weights[kind].items() if "num_batches" not in key}
    given = {"state_dict": {**given, "module.fc6.weight": torch.zeros(512, 10574)}} if kind == "sphereface" else given
    built = KINDS[kind].load(given)
    for (name, mine), other in zip(built.state_dict().items(), networks[kind].state_dict().values(), strict=True):
        assert mine.dtype == other.dtype, name
        assert torch.equal(mine, other), name
    assert not built.training


def test_the_given_tensors_are_not_held(weights):
    given = {key: value.clone() for key, value in weights["mobilefacenet"].items()}
    network = KINDS["mobilefacenet"].load(given)
    given["conv1.conv.weight"].zero_()
    assert torch.equal(network.stem.convolution.weight, weights["mobilefacenet"]["conv1.conv.weight"])


@EACH
def test_foreign_files_are_refused(kind, weights):
    good = weights[kind]
    name = {
        "mobilefacenet": "conv1.bn.bias",
        "modnet": "hr_branch.conv_hr2x.0.layers.0.bias",
        "sphereface": "conv1_1.bias",
    }[kind]
    cases = {
        f"without {name}": {key: value for key, value in good.items() if key != name},
        "with the unexpected entry conv9.weight": {**good, "conv9.weight": torch.zeros(1)},
        rf"{name} of shape \(7,\) instead of \(64,\)": {**good, name: torch.zeros(7)},
        f"{name} of type str, not a tensor": {**good, name: "no tensor"},
        f"{name} not finite": {**good, name: torch.full((64,), float("nan"))},
        f"without {next(iter(KINDS[kind].shapes({})))}": {},
    }
    for message, given in cases.items():
        with pytest.raises(WeightsError, match=message):
            KINDS[kind].load(given)


@EACH
def test_other_crops_are_refused(kind, networks):
    for shape in ((1, 1, 112, 112), (1, 3, 96, 112), (3, 112, 112)):
        with pytest.raises(ValueError, match=r"the (crop|photo) must be"):
            networks[kind](torch.zeros(shape))


def test_fixed_slopes_mean_the_same_to_a_network_without_them():
    torch.manual_seed(0)
    fixed, learned = MobileFaceNet(trainable=True, fixed_slopes=True), MobileFaceNet(trainable=True)
    learned.load_state_dict(fixed.state_dict())
    crops = torch.rand(2, 3, 112, 112)
    assert torch.allclose(fixed.eval()(crops), learned.eval()(crops), atol=1e-6)
    slopes = {name: value for name, value in learned.named_parameters() if name.endswith("slope.weight")}
    assert len(slopes) == 33
    assert all(bool((value == 0.25).all()) for value in slopes.values())
    still = dict(fixed.named_parameters())
    assert not any(still[name].requires_grad for name in slopes)


def test_crops_are_reduced_inside_and_the_answer_stays_differentiable():
    torch.manual_seed(0)
    small, large = MobileFaceNet(trainable=True, side=64).eval(), MobileFaceNet().eval()
    large.load_state_dict(small.state_dict())
    assert (small.arguments, large.arguments) == ({"side": 64}, {})
    crops = torch.rand(2, 3, 112, 112, requires_grad=True)
    found = small(crops)
    assert found.shape == (2, 136)
    assert not torch.allclose(found, large(crops), rtol=1e-2, atol=0)
    found.sum().backward()
    assert float((crops.grad != 0).float().mean()) > 0.9
    seen = {}
    small.stem.register_forward_pre_hook(lambda _, given: seen.update(side=given[0].shape[-1]))
    small(crops)
    assert seen == {"side": 64}
    with pytest.raises(ValueError, match="multiple of 16"):
        MobileFaceNet(side=60)
