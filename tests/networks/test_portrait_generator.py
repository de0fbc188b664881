"""The portrait generator: its size, its independence of the batch, what each input reaches, and its ablations."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lightning_modules.errors import ConfigError
from lightning_modules.networks.image_encoder import ImageEncoder
from lightning_modules.networks.portrait_generator import PortraitGenerator, lite_generator, paper_generator

NAMES = ("photo", "source_landmark_image", "target_landmark_image", "grid_b", "flow_a", "validity_a")


def inputs(batch=1, size=(32, 24)):
    """Random pictures, and smooth maps that move things by a few pixels."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size[0]), torch.linspace(-1, 1, size[1]), indexing="ij")
    grid = torch.stack((x, y), dim=-1)[None] * 0.9 + 0.1 * torch.randn(batch, 1, 1, 2)
    return {
        "photo": torch.rand(batch, 3, *size) * 2 - 1,
        "source_landmark_image": (torch.rand(batch, 1, *size) > 0.9).float() * 2 - 1,
        "target_landmark_image": (torch.rand(batch, 1, *size) > 0.9).float() * 2 - 1,
        "grid_b": grid,
        "flow_a": torch.randn(batch, 2, 1, 1).expand(batch, 2, *size) * 3,
        "validity_a": torch.rand(batch, 1, *size),
    }


def small(**options):
    """A generator whose weights are large enough to make drawings that are not grey."""
    network = PortraitGenerator(**{"width": 4, "landmark_width": 2, "blocks": 5, "landmark_blocks": (0, 3)} | options)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.15)
    return network


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def multiplications(network, size=256):
    """GMAC for one frame (whole forward), and for what is encoded once per photo; nothing is computed."""
    network = network.to("meta")
    given = {name: value.to("meta") for name, value in inputs(1, (size, size)).items()}
    with FlopCounterMode(display=False) as whole:
        network(**given)
    with FlopCounterMode(display=False) as once:
        network.encode(given["photo"])
        network.encode_landmarks(given["source_landmark_image"])
    return whole.get_total_flops() / 2e9, once.get_total_flops() / 2e9


@pytest.mark.parametrize(("channels", "count"), [(1, 15_925_553), (3, 15_931_827)])
def test_the_paper_generator_has_the_published_size(channels, count):
    with torch.device("meta"):
        assert parameters(paper_generator(channels)) == count


def test_the_paper_generator_does_the_published_work():
    """Reference stage2 §1, §1.8: 70.06 GMAC, of which 3.96 before the warp and 0.033 for one landmark picture."""
    whole, once = multiplications(paper_generator())
    assert whole == pytest.approx(70.06, abs=0.01)
    assert once == pytest.approx(3.96 + 0.033, abs=0.01)


def test_the_lite_generator_is_light():
    whole, once = multiplications(lite_generator())
    assert whole - once <= 4.0
    assert parameters(lite_generator()) <= 2_000_000


@pytest.mark.parametrize("make", [paper_generator, lite_generator])
def test_presets_have_their_channels(make):
    with torch.device("meta"):
        drawing = make(3)(**inputs(2, (64, 96)))
    assert drawing.shape == (2, 3, 64, 96)


@pytest.mark.parametrize("options", [{}, {"block_type": "separable", "head": "subpixel"}, {"compat": "official"}])
def test_draw_of_encode_is_forward(options):
    network, given = small(**options), inputs()
    with torch.inference_mode():
        drawing = network(**given)
        encoded = network.encode(given["photo"])
        source, target = (network.encode_landmarks(given[f"{name}_landmark_image"]) for name in ("source", "target"))
        drawn = network.draw(encoded, source, target, given["grid_b"], given["flow_a"], given["validity_a"])
    assert torch.equal(drawing, drawn)
    assert drawing.shape == (1, 1, 32, 24)
    assert drawing.abs().max() <= 1
    assert drawing.std() > 0.05, "a grey picture would prove nothing"


@pytest.mark.parametrize("options", [{}, {"block_type": "separable", "head": "subpixel"}])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_batch_is_a_stack_of_singles(options, layout):
    network, given = small(**options).to(memory_format=layout), inputs(4)
    with torch.inference_mode():
        together = network(**given)
        alone = [network(**{name: value[i : i + 1] for name, value in given.items()}) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_the_layout_in_memory_does_not_matter():
    network, given = small(block_type="separable", head="subpixel"), inputs(2)
    with torch.inference_mode():
        plain = network(**given)
        torch.testing.assert_close(network.to(memory_format=torch.channels_last)(**given), plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_photos_encoded_once_go_with_many_frames(layout):
    """Frame i is drawn from photo ``i % b``: two photos with two targets each, in the order of ``torch.cat``."""
    network, given = small().to(memory_format=layout), inputs(4)
    for name in ("photo", "source_landmark_image"):
        given[name] = given[name][:2].contiguous(memory_format=layout)
    with torch.inference_mode():
        drawing = network(**given)
        for name in ("photo", "source_landmark_image"):
            given[name] = torch.cat((given[name], given[name]))
        torch.testing.assert_close(drawing, network(**given), atol=1e-4, rtol=0)
        one = {name: value[:1] if name in NAMES[:2] else value for name, value in given.items()}
        assert (network(**one)[0] - drawing[0]).abs().max() < 1e-4
        assert (network(**one)[1] - drawing[1]).abs().max() > 0.1, "another photo"


@pytest.mark.parametrize("size", [(8, 8), (12, 40), (64, 32)])
@pytest.mark.parametrize("head", ["full", "subpixel"])
def test_any_size_that_is_a_multiple_of_four(size, head):
    with torch.inference_mode():
        assert small(head=head)(**inputs(2, size)).shape == (2, 1, *size)


@pytest.mark.parametrize("name", NAMES)
def test_every_input_matters(name):
    network, given, other = small(), inputs(), inputs()
    with torch.inference_mode():
        drawing, changed = network(**given), network(**given | {name: other[name]})
    assert (drawing - changed).abs().max() > 0.01


@pytest.mark.parametrize("options", [{}, {"block_type": "separable", "head": "subpixel", "output_channels": 3}])
def test_gradients_reach_every_parameter(options):
    network = small(**options).double()  # in single precision rounding hides which gradients are zero
    network(**{name: value.double() for name, value in inputs(2).items()}).sub(1).square().mean().backward()
    ends = ("convolution", "pointwise", *(("merge",) if options else ()))  # light blocks normalise what merge gives
    without_effect = {  # a constant in front of a normalisation
        f"{name}.bias" for name, module in network.named_modules() if name.endswith(ends)
    }
    assert "image_decoder.last.bias" not in without_effect
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if name in without_effect:
            assert parameter.grad.abs().max() < 1e-14, name
        else:
            assert (parameter.grad.flatten(1) if parameter.ndim > 1 else parameter.grad[:, None]).abs().amax(
                1
            ).min() > 1e-12, name


def test_it_can_learn_one_picture():
    torch.manual_seed(3)
    network, given = PortraitGenerator(width=8, blocks=3, landmark_blocks=(0,)), inputs(1, (32, 32))
    given["flow_a"], given["validity_a"] = torch.zeros(1, 2, 32, 32), torch.ones(1, 1, 32, 32)
    target = (given["photo"].mean(1, keepdim=True) > 0).float() * 2 - 1
    target = nn.functional.interpolate(nn.functional.avg_pool2d(target, 4), scale_factor=4)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3, betas=(0.5, 0.99))
    losses = []
    for _ in range(40):
        loss = (network(**given) - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("compat", [None, "official"])
@pytest.mark.parametrize(("ablated", "unread"), [("warp_a", ("flow_a", "validity_a")), ("warp_b", ("grid_b",))])
def test_an_ablated_flow_map_is_neither_needed_nor_read(compat, ablated, unread):
    network, given, other = small(compat=compat, **{ablated: False}), inputs(), inputs()
    full = {name: tuple(p.shape) for name, p in small(compat=compat).named_parameters()}
    with torch.inference_mode():
        drawing = network(**{name: value for name, value in given.items() if name not in unread})
        changed = network(**given | {name: other[name] for name in unread})
    assert torch.equal(drawing, changed)
    different = {name for name, p in network.named_parameters() if tuple(p.shape) != full[name]}
    first = ("weight", "bias")
    expected = {f"image_encoder.branches.{n}.layers.{n}.convolution.{entry}" for n in range(3) for entry in first}
    assert different == expected, "only what comes right before the warp makes all channels instead of half"


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_single_scale_warp(scale):
    network, given = small(scales=(scale,)), inputs()
    assert network(**given).shape == (1, 1, 32, 24)
    assert network.image_encoder.merge.weight.shape == (16, 16, 3, 3)
    assert network.encode(given["photo"])[0].shape == (1, (4, 8, 16)[scale] // 2, 32 >> scale, 24 >> scale)


def test_corrected_identity_maps_leave_the_encoder_unwarped():
    encoder, size = ImageEncoder(4), (16, 24)
    y, x = torch.meshgrid(torch.linspace(-1, 1, size[0]), torch.linspace(-1, 1, size[1]), indexing="ij")
    identity = (torch.stack((x, y), dim=-1)[None], torch.zeros(1, 2, *size), torch.ones(1, 1, *size))
    photo = torch.randn(1, 3, *size)
    merged = encoder.warp(encoder.encode(photo), *identity)
    finished = []
    for branch in encoder.branches:
        features = photo
        for index, layer in enumerate(branch.layers):
            features = layer(features)
            features = torch.cat((features, features), dim=1) if index == branch.level else features
        finished.append(features)
    torch.testing.assert_close(merged, encoder.merge(torch.cat(finished, dim=1)), atol=1e-4, rtol=0)
    official = ImageEncoder(4, compat="official")
    official.load_state_dict(encoder.state_dict())
    assert (official.warp(official.encode(photo), *identity) - merged).abs().max() > 0.1


def test_a_subpixel_head_starts_without_a_checkerboard():
    network = PortraitGenerator(width=4, blocks=1, landmark_blocks=(0,), head="subpixel", output_channels=3)
    with torch.no_grad():
        for parameter in network.image_decoder.up.parameters():
            parameter.normal_()
        drawing = network(**inputs())
    squares = drawing.unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
    assert (squares.amax(-1) - squares.amin(-1)).max() < 1e-6
    assert drawing.std((0, 2, 3)).min() > 1e-3
    assert (drawing[:, 0] - drawing[:, 1]).abs().max() > 1e-3, "the three colours are not equal"


def test_bfloat16_autocast_stays_close():
    network, given = small(), inputs()
    with torch.inference_mode():
        exact = network(**given)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(**given)
    assert (half.float() - exact).abs().mean() < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"photo": torch.zeros(1, 1, 32, 24)}, r"photo must be floating point \(B, 3, H, W\)"),
        ({"photo": torch.zeros(1, 3, 32, 26)}, "multiples of 4"),
        ({"photo": torch.zeros(1, 3, 32, 24, dtype=torch.uint8)}, "floating point"),
        ({"photo": torch.zeros(1, 3, 4, 4)}, "at least 8"),
        ({"target_landmark_image": torch.zeros(1, 68, 32, 24)}, "landmark image"),
        ({"target_landmark_image": torch.zeros(1, 1, 64, 48)}, "target landmarks"),
        ({"source_landmark_image": torch.zeros(1, 1, 64, 48)}, "source landmarks"),
        ({"grid_b": None}, "needs grid_b"),
        ({"grid_b": torch.zeros(1, 2, 32, 24)}, "grid_b must be"),
        ({"flow_a": None}, "needs flow_a"),
        ({"flow_a": torch.zeros(1, 32, 24, 2)}, "flow_a must be"),
        ({"flow_a": torch.zeros(1, 2, 64, 48)}, "32x24 like the other inputs"),
        ({"validity_a": torch.zeros(2, 1, 32, 24)}, "does not go into 1 frames"),
    ],
)
def test_wrong_inputs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        small()(**inputs() | change)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warp_a": False, "warp_b": False}, "neither flow map A nor flow map B"),
        ({"scales": ()}, "scales"),
        ({"scales": (0, 0)}, "scales"),
        ({"scales": (3,)}, "scales"),
        ({"width": 5}, "width 5"),
        ({"landmark_blocks": (9,)}, "blocks"),
        ({"landmark_blocks": ()}, "blocks"),
        ({"block_type": "dense"}, "block type"),
        ({"head": "nearest"}, "head"),
        ({"compat": "Official"}, "compat"),
        ({"output_channels": 0}, "output channels"),
    ],
)
def test_contradicting_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PortraitGenerator(**{"width": 4} | options)
