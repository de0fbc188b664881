"""The published cartoon network against a computation written from the table of its layers alone."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch.nn import functional

from lightning_modules.errors import WeightsError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.drawer_file import load_drawer
from lightning_modules.weights.published import PUBLISHED, from_published, published_shapes

KIND = "photo2cartoon"


def checkpoint(**sizes):
    generator = torch.Generator().manual_seed(3)
    shapes = PUBLISHED[KIND].shapes({"width": 8, "fixed_size": 0} | sizes)
    return {
        key: torch.randn(shape, generator=generator) * (1.2 / math.sqrt(math.prod(shape[1:])) if shape[1:] else 0.5)
        for key, shape in shapes.items()
    }


def convolved(x, weight, stride=1):
    reach = weight.shape[-1] // 2
    return functional.conv2d(functional.pad(x, (reach,) * 4, mode="reflect") if reach else x, weight, stride=stride)


def instance(x):
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / torch.sqrt((x - mean).square().mean((2, 3), keepdim=True) + 1e-5)


def split_block(w, name, x):
    a = convolved(instance(x).relu(), w[f"{name}.ConvBlock1.3.weight"])
    b = convolved(instance(a).relu(), w[f"{name}.ConvBlock2.3.weight"])
    c = convolved(instance(b).relu(), w[f"{name}.ConvBlock3.3.weight"])
    return x + torch.cat((a, b, c), 1)


def hourglass(w, name, x):
    skips, level = [], x
    for number in (1, 2, 3, 4):
        skips.append(split_block(w, f"{name}.HG.0.ConvBlock{number}_1", level))
        level = split_block(w, f"{name}.HG.0.ConvBlock{number}_2", functional.avg_pool2d(level, 2))
    level = split_block(w, f"{name}.HG.0.ConvBlock5", level)
    for number in (6, 7, 8, 9):
        level = split_block(w, f"{name}.HG.0.ConvBlock{number}", level)
        level = skips.pop() + level.repeat_interleave(2, 2).repeat_interleave(2, 3)
    level = instance(convolved(split_block(w, f"{name}.HG.1", level), w[f"{name}.HG.2.weight"])).relu()

    def point(part, value):
        return functional.conv2d(value, w[f"{name}.{part}.weight"], w[f"{name}.{part}.bias"])

    picture = point("Conv1", level)
    return x + point("Conv2", level) + point("Conv3", picture) if f"{name}.Conv2.weight" in w else picture


def mixed(x, share):
    def norm(axes):
        return (x - x.mean(axes, keepdim=True)) / torch.sqrt(x.var(axes, keepdim=True, unbiased=True) + 1e-5)

    return share * norm((2, 3)) + (1 - share) * norm((1, 2, 3))


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def adaptive(w, name, x, content, style):
    scale_shift = []
    for part in ("gamma", "beta"):
        own = linear(w, f"{name}.c_{part}.2", linear(w, f"{name}.c_{part}.0", content).relu())
        share = w[f"{name}.w_{part}"]
        scale_shift.append(((1 - share) * linear(w, f"{name}.s_{part}", style) + share * own)[:, :, None, None])
    return mixed(x, w[f"{name}.norm.rho"]) * scale_shift[0] + scale_shift[1]


def published(w, x, *, light):
    x = instance(convolved(x, w["ConvBlock1.1.weight"])).relu()
    x = hourglass(w, "HourGlass2", hourglass(w, "HourGlass1", x))
    for block in ("DownBlock1", "DownBlock2"):
        x = instance(convolved(x, w[f"{block}.1.weight"], 2)).relu()
    contents = []
    for number in (1, 2, 3, 4):
        inner = instance(convolved(x, w[f"EncodeBlock{number}.conv_block.1.weight"])).relu()
        x = x + instance(convolved(inner, w[f"EncodeBlock{number}.conv_block.5.weight"]))
        contents.append(x.mean((2, 3)))
    both = [x * w[f"{name}_fc.weight"][:, :, None, None] for name in ("gap", "gmp")]
    x = functional.conv2d(torch.cat(both, 1), w["conv1x1.weight"], w["conv1x1.bias"]).relu()
    style = linear(w, "FC.2", linear(w, "FC.0", x.mean((2, 3)) if light else x.flatten(1)).relu()).relu()
    for number in (1, 2, 3, 4):
        name, content = f"DecodeBlock{number}", contents[4 - number]
        inner = adaptive(w, f"{name}.norm1", convolved(x, w[f"{name}.conv1.weight"]), content, style).relu()
        x = x + adaptive(w, f"{name}.norm2", convolved(inner, w[f"{name}.conv2.weight"]), content, style)
    for name in ("UpBlock1", "UpBlock2"):
        x = convolved(x.repeat_interleave(2, 2).repeat_interleave(2, 3), w[f"{name}.2.weight"])
        x = (mixed(x, w[f"{name}.3.rho"]) * w[f"{name}.3.gamma"] + w[f"{name}.3.beta"]).relu()
    x = hourglass(w, "HourGlass4", hourglass(w, "HourGlass3", x))
    return torch.tanh(convolved(x, w["ConvBlock2.1.weight"]))


def test_the_table_has_the_published_count_of_entries_and_numbers():
    shapes = published_shapes(KIND)
    assert len(shapes) == 406
    assert sum(math.prod(shape) for shape in shapes.values()) == 3_831_079
    assert shapes["ConvBlock1.1.weight"] == (32, 3, 7, 7)
    assert shapes["HourGlass3.HG.0.ConvBlock2_1.ConvBlock4.2.weight"] == (32, 32, 1, 1)
    assert shapes["DecodeBlock4.norm2.norm.rho"] == (1, 128, 1, 1)
    assert shapes["FC.0.weight"] == (128, 128)
    assert sum(bool(re.match(r"HourGlass\d\.", key)) for key in shapes) == 248
    assert sum(key.startswith("DecodeBlock") for key in shapes) == 128
    assert "HourGlass4.Conv2.weight" not in shapes


@pytest.mark.parametrize("fixed_size", [0, 32])
@torch.inference_mode()
def test_it_computes_what_the_table_says(fixed_size):
    weights = checkpoint(fixed_size=fixed_size)
    photo = torch.rand(2, 3, 32, 32 if fixed_size else 48) * 2 - 1
    network = from_published(KIND, {"genA2B": weights, "genB2A": {}})
    assert network.arguments == {"width": 8, "fixed_size": fixed_size}
    double = {key: value.double() for key, value in weights.items()}
    expected = published(double, photo.double(), light=not fixed_size)
    assert expected.std() > 0.05, "a grey picture would prove nothing"
    found = network.double()(photo.double())
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


def test_every_weight_that_should_matter_does():
    weights, photo = checkpoint(), torch.rand(1, 3, 32, 32) * 2 - 1
    network = from_published(KIND, weights)
    network(photo).square().sum().backward()
    idle = re.compile(r".*\.ConvBlock4\.2\.weight|(gap|gmp)_fc\.bias")
    own = dict(network.named_parameters())
    for key, name in PUBLISHED[KIND].names_at({}).items():
        gradient = own[name].grad
        moves = gradient is not None and float(gradient.abs().max()) > 0
        assert moves != bool(idle.fullmatch(key)), key


def test_wrong_files_are_named():
    weights = checkpoint()
    with pytest.raises(WeightsError, match=r"without UpBlock2\.3\.rho"):
        from_published(KIND, {key: value for key, value in weights.items() if key != "UpBlock2.3.rho"})
    with pytest.raises(WeightsError, match="unexpected entry UpBlock3"):
        from_published(KIND, weights | {"UpBlock3.1.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match="no square"):
        from_published(KIND, weights | {"FC.0.weight": torch.zeros(32, 96)})


def test_a_file_becomes_a_drawer(tmp_path):
    weights = checkpoint()
    torch.save({"genA2B": weights, "disGA": {"a": torch.zeros(1)}}, tmp_path / "cartoon.pt")
    drawer = load_drawer(tmp_path / "cartoon.pt")
    assert (drawer.channels, drawer.side, drawer.paints_white) == (3, 256, True)
    photo = torch.rand(1, 3, 256, 256)
    drawn = drawer.draw(photo)
    with torch.inference_mode():
        torch.testing.assert_close(drawn, (from_published(KIND, weights)(2 * photo - 1) + 1) / 2)
    assert drawer.draw(torch.rand(2, 1, 100, 140)).shape == (2, 3, 100, 140)

    exported = save_network(KIND, from_published(KIND, weights), tmp_path / "cartoon.safetensors")
    assert load_network(exported).kind == KIND
    again = load_drawer(exported)
    torch.testing.assert_close(again.draw(photo), drawn)
    assert again.settings()["network"] != drawer.settings()["network"]
    assert read_weight_file(exported)[1] is not None


def test_upd_becomes_a_drawer_of_its_own_rules(tmp_path):
    generator = torch.Generator().manual_seed(0)
    shapes = PUBLISHED["static_drawing_generator"].shapes({"width": 4, "styles": 3, "output_channels": 1})
    torch.save({k: 0.1 * torch.randn(s, generator=generator) for k, s in shapes.items()}, tmp_path / "drawing.pth")
    drawer = load_drawer(tmp_path / "drawing.pth")
    assert (drawer.channels, drawer.side, drawer.paints_white) == (1, 512, False)
    drawn = drawer.draw(torch.rand(1, 3, 64, 96))
    assert drawn.shape == (1, 1, 64, 96)
    assert 0.0 <= drawn.min() <= drawn.max() <= 1.0


def test_a_file_that_draws_nothing_is_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="no network that draws") as caught:
        load_drawer(tmp_path / "other.pt")
    assert "\n" not in str(caught.value)
