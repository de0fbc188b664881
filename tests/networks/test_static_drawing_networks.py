"""The static drawer and the networks it is trained with: styles, sizes, gradients, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.frozen.edge_detector import EdgeDetector
from lightning_modules.networks.inverse_generator import InverseGenerator
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator
from lightning_modules.networks.style_discriminator import StyleDiscriminator

# What builds each, and the (C, H, W) of what it is asked about.
SMALL = {
    "static_drawing": (lambda: StaticDrawingGenerator(width=4, blocks=2), (3, 32, 24)),
    "inverse": (lambda: InverseGenerator(width=4, blocks=2), (1, 32, 24)),
    "style_discriminator": (lambda: StyleDiscriminator(width=4, side=64), (1, 64, 64)),
    "edge_detector": (lambda: EdgeDetector(width=2, trainable=True), (3, 48, 32)),
}
EACH = pytest.mark.parametrize("name", SMALL)


def lively(network):
    """Weights large enough that what comes out is not grey."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.15 if parameter.ndim > 1 else 0.05)
    return network


def ask(network, pictures):
    """One tensor of all answers, a row a picture."""
    if isinstance(network, StaticDrawingGenerator):
        style = torch.tensor([[0.2, 0.5, 0.3]], dtype=pictures.dtype)
        return network(pictures, style).flatten(1)
    made = network(pictures)
    return torch.cat([part.flatten(1) for part in (made if isinstance(made, tuple) else (made,))], dim=1)


@pytest.fixture
def drawer():
    return lively(SMALL["static_drawing"][0]())


def test_a_style_vector_is_a_style_map_of_one_value(drawer):
    photo, style = torch.rand(2, 3, 32, 24) * 2 - 1, torch.tensor([[0.0, 1.0, 0.0], [0.6, 0.1, 0.3]])
    with torch.inference_mode():
        drawing = drawer(photo, style)
        assert torch.equal(drawing, drawer(photo, style[:, :, None, None].repeat(1, 1, 8, 6)))
        assert torch.equal(drawer(photo, style[:1]), drawer(photo, style[[0, 0]]))
    assert drawing.shape == (2, 1, 32, 24)
    assert drawing.abs().max() <= 1
    assert drawing.std() > 0.05, "a grey picture would prove nothing"


def test_each_style_draws_otherwise_and_a_map_changes_over_the_picture(drawer):
    """A constant channel vanishes in the normalisation but for the zero border, so styles count most at borders."""
    photo = torch.rand(1, 3, 32, 24) * 2 - 1
    with torch.inference_mode():
        first, second, third = (drawer(photo, style[None]) for style in torch.eye(3))
        halves = torch.zeros(1, 3, 8, 6)
        halves[:, 0, :, :3] = halves[:, 1, :, 3:] = 1.0
        mixed = drawer(photo, halves)
    for one, other in ((first, second), (second, third), (first, third), (mixed, first), (mixed, second)):
        assert (one - other).abs().max() > 0.01


@pytest.mark.parametrize("size", [(8, 8), (12, 40)])
def test_any_size_that_is_a_multiple_of_four(size):
    with torch.inference_mode():
        drawer = StaticDrawingGenerator(width=2, blocks=1, styles=5, output_channels=3)
        assert drawer(torch.rand(2, 3, *size), torch.rand(2, 5)).shape == (2, 3, *size)
        assert InverseGenerator(width=2, blocks=1)(torch.rand(2, 1, *size)).shape == (2, 3, *size)


@EACH
def test_a_batch_is_a_stack_of_singles(name):
    build, shape = SMALL[name]
    network, pictures = lively(build()), torch.rand(3, *shape)
    with torch.inference_mode():
        together = ask(network, pictures)
        alone = torch.cat([ask(network, picture[None]) for picture in pictures])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert (together[0] - together[1]).abs().max() > 1e-3


@EACH
def test_training_and_evaluation_compute_the_same(name):
    build, shape = SMALL[name]
    network, pictures = build(), torch.rand(1, *shape)
    with torch.inference_mode():
        assert torch.equal(ask(network.train(), pictures), ask(network.eval(), pictures))


@EACH
def test_gradients_reach_every_weight(name):
    build, shape = SMALL[name]
    network = lively(build()).double()  # in single precision rounding hides which gradients are zero
    if name == "edge_detector":  # of one sign, so that no ReLU is shut for good
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.abs_().mul_(0.1)
            network.mean.zero_()
    pictures = torch.rand(2, *shape, dtype=torch.float64, requires_grad=True)
    ask(network, pictures).sub(0.3).square().mean().backward()
    assert pictures.grad.abs().max() > 0
    ends = {
        "style_discriminator": ("trunk.1", "trunk.2", "patch_head.0", "style_head.0", "style_head.1"),
        "edge_detector": (),
    }.get(name, ("convolution",))
    without_effect = {f"{key}.bias" for key, _ in network.named_modules() if ends and key.endswith(ends)}
    for key, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all(), key
        if key in without_effect:  # a constant in front of a normalisation
            assert parameter.grad.abs().max() < 1e-13, key
        else:
            assert parameter.grad.flatten(1 if parameter.ndim > 1 else 0).abs().amax(-1).min() > 1e-14, key


def test_judgements_have_the_published_sizes():
    with torch.device("meta"):
        patches, styles = StyleDiscriminator()(torch.zeros(2, 1, 512, 512))
    assert patches.shape == (2, 1, 62, 62)
    assert styles.shape == (2, 3)


def test_the_style_head_reads_the_whole_drawing():
    network, drawing = lively(SMALL["style_discriminator"][0]()), torch.rand(1, 1, 64, 64, requires_grad=True)
    network(drawing).styles[0, 0].backward()
    corners = drawing.grad[0, 0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.abs().min() > 0


def test_the_edge_detector_stays_frozen_and_lets_gradients_through():
    detector, picture = EdgeDetector(width=2), torch.rand(1, 3, 32, 40, requires_grad=True)
    assert not detector.train().training
    edges = detector(picture)
    assert edges.shape == (1, 1, 32, 40)
    edges.sum().backward()
    assert picture.grad is not None
    assert all(parameter.grad is None for parameter in detector.parameters())
    assert "mean" not in detector.state_dict()


@pytest.mark.parametrize(
    ("photo", "style", "message"),
    [
        (torch.zeros(1, 1, 32, 24), torch.zeros(1, 3), r"photo must be floating point \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 32, 26), torch.zeros(1, 3), "multiples of 4"),
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3), "at least 8"),
        (torch.zeros(1, 3, 32, 24), torch.zeros(3), "style must be floating point"),
        (torch.zeros(1, 3, 32, 24), torch.zeros(1, 4), r"\(B, 3\) or \(B, 3, 8, 6\)"),
        (torch.zeros(1, 3, 32, 24), torch.zeros(1, 3, 6, 8), r"\(B, 3\) or \(B, 3, 8, 6\)"),
        (torch.zeros(1, 3, 32, 24), torch.zeros(1, 3, dtype=torch.long), "floating point"),
        (torch.zeros(1, 3, 32, 24), torch.zeros(0, 3), "style must be"),
        (torch.zeros(3, 3, 32, 24), torch.zeros(2, 3), "does not go into 3"),
    ],
)
def test_wrong_photos_and_styles_are_refused(drawer, photo, style, message):
    with pytest.raises(ValueError, match=message):
        drawer(photo, style)


def test_wrong_pictures_are_refused():
    with pytest.raises(ValueError, match="drawing must be floating point"):
        InverseGenerator(width=2, blocks=1)(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="drawing must be 64x64, got 64x32"):
        StyleDiscriminator(width=2, side=64)(torch.zeros(1, 1, 64, 32))
    with pytest.raises(ValueError, match="at least 16"):
        EdgeDetector(width=2)(torch.zeros(1, 3, 15, 32))


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (StaticDrawingGenerator, {"width": 0}, "width 0"),
        (StaticDrawingGenerator, {"styles": 0}, "styles 0"),
        (InverseGenerator, {"blocks": 0}, "blocks 0"),
        (StyleDiscriminator, {"styles": 0}, "styles 0"),
        (StyleDiscriminator, {"side": 32}, "32 pixels"),
        (StyleDiscriminator, {"side": 500}, "500 pixels"),
    ],
)
def test_impossible_sizes_are_refused(build, options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)
