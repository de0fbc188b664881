"""The building blocks against NumPy written from their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.networks.blocks import (
    LandmarkResidualBlock,
    ResidualBlock,
    SeparableConvolution,
    down_layer,
    flat_layer,
    instance_normalization,
    up_layer,
)
from lightning_modules.networks.initialization import initialize


def convolve(x, weight, bias, *, mode):
    """(C, H, W) with (O, C, k, k), same size, in float64; ``mode`` as in ``numpy.pad``."""
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2,) * 2, (k // 2,) * 2), mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(1, 2))
    return np.einsum("chwij,ocij->ohw", windows, weight) + bias[:, None, None]


def normalized(x):
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def arrays(layer):
    return layer.convolution.weight.detach().double().numpy(), layer.convolution.bias.detach().double().numpy()


def test_flat_layer_is_reflected_convolution_norm_relu():
    layer, x = flat_layer(3, 4), torch.randn(1, 3, 9, 11)
    expected = np.maximum(normalized(convolve(x[0].double().numpy(), *arrays(layer), mode="reflect")), 0)
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-5)


def test_residual_block():
    block, x = ResidualBlock(5), torch.randn(1, 5, 8, 6)
    own = x[0].double().numpy()
    inner = np.maximum(normalized(convolve(own, *arrays(block.first), mode="reflect")), 0)
    expected = own + normalized(convolve(inner, *arrays(block.second), mode="reflect"))
    np.testing.assert_allclose(block(x)[0].detach().numpy(), expected, atol=1e-5)
    assert expected.min() < 0, "nothing follows the sum"


def test_landmark_residual_block():
    block = LandmarkResidualBlock(5, 2)
    x, source, target = torch.randn(1, 5, 8, 6), torch.randn(1, 2, 8, 6), torch.randn(1, 2, 8, 6)
    joined = np.concatenate([part[0].double().numpy() for part in (x, source, target)])
    inner = np.maximum(normalized(convolve(joined, *arrays(block.first), mode="reflect")), 0)
    expected = normalized(convolve(joined, *arrays(block.shortcut), mode="constant"))
    expected = expected + normalized(convolve(inner, *arrays(block.second), mode="reflect"))
    np.testing.assert_allclose(block(x, source, target)[0].detach().numpy(), expected, atol=1e-5)


def test_separable_convolution_is_a_dense_one_of_low_rank():
    separable = initialize(SeparableConvolution(4, 6, 5))
    depthwise, pointwise = separable.depthwise.weight[:, 0], separable.pointwise.weight[..., 0, 0]
    dense = nn.Conv2d(4, 6, 5, padding=2, padding_mode="reflect")
    dense.weight.data = torch.einsum("oc,cij->ocij", pointwise, depthwise)
    dense.bias.data = separable.pointwise.bias.data
    x = torch.randn(2, 4, 8, 7)
    torch.testing.assert_close(separable(x), dense(x), atol=1e-6, rtol=1e-5)
    assert separable.depthwise.bias is None


def test_strides_keep_one_grid():
    """Down: output i is centred on input 2i. Up: input i is centred on output 2i."""
    down, up = down_layer(1, 1).convolution, up_layer(1, 1).convolution
    for layer in (down, up):
        layer.weight.data.zero_()
        layer.weight.data[0, 0, 1, 1] = 1.0
        layer.bias.data.zero_()
    x = torch.randn(1, 1, 8, 6)
    assert torch.equal(down(x), x[..., ::2, ::2])
    small = torch.randn(1, 1, 4, 3)
    assert up(small).shape == (1, 1, 8, 6)
    assert torch.equal(up(small)[..., ::2, ::2], small)
    assert up(small)[..., 1::2, :].abs().max() == 0


@pytest.mark.parametrize(("layout", "error"), [(torch.contiguous_format, 2e-6), (torch.channels_last, 2e-5)])
def test_instance_normalization(layout, error):
    x = torch.randn(3, 4, 9, 7) * (0.5 + torch.rand(3, 4, 1, 1)) + torch.randn(3, 4, 1, 1)
    x = x.contiguous(memory_format=layout)
    made = instance_normalization(x)
    expected = np.stack([normalized(sample) for sample in x.double().numpy()])
    np.testing.assert_allclose(made.numpy(), expected, atol=error)
    assert made.is_contiguous(memory_format=layout)
    assert torch.allclose(instance_normalization(x[1:2]), made[1:2], atol=1e-6), "samples are on their own"


LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("given", LAYOUTS)
@pytest.mark.parametrize("handed_back", LAYOUTS)
def test_the_gradient_of_instance_normalization_is_right_in_all_layouts(batch, given, handed_back):
    x, gradient = 3 * torch.randn(batch, 4, 9, 7) + 1, torch.randn(batch, 4, 9, 7)
    precise = x.double().requires_grad_()
    normal = (precise - precise.mean((2, 3), keepdim=True)) / (
        precise.var((2, 3), keepdim=True, correction=0) + 1e-5
    ).sqrt()
    expected = torch.autograd.grad(normal, precise, gradient.double())[0]
    own = x.contiguous(memory_format=given).requires_grad_()
    made = instance_normalization(own)
    assert made.is_contiguous(memory_format=given)
    found = torch.autograd.grad(made, own, gradient.contiguous(memory_format=handed_back))[0]
    assert torch.allclose(found.double(), expected, atol=2e-5)


def test_mirrored_weights_make_mirrored_features():
    block, mirrored = ResidualBlock(3), ResidualBlock(3)
    for own, other in zip(block.parameters(), mirrored.parameters(), strict=True):
        other.data = own.data.flip(-1) if own.ndim == 4 else own.data
    x = torch.randn(2, 3, 6, 7)
    torch.testing.assert_close(mirrored(x.flip(-1)), block(x).flip(-1), atol=1e-5, rtol=0)
    assert (mirrored(x) - block(x)).abs().max() > 0.1


def test_initialization_follows_the_published_rule():
    network = nn.Sequential(nn.Conv2d(64, 64, 5), nn.ConvTranspose2d(64, 64, 5), nn.Linear(512, 256))
    network = nn.Sequential(*network, nn.BatchNorm2d(4096), nn.Conv2d(512, 512, 5, groups=512, bias=False))
    initialize(network, generator=torch.Generator().manual_seed(1))
    for layer in network[:3]:
        assert layer.weight.mean().abs() < 5e-4
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert layer.bias.abs().max() == 0
    assert network[3].weight.mean().item() == pytest.approx(1, abs=2e-3)
    assert network[3].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert network[4].weight.std().item() == pytest.approx(1 / 5, rel=0.05), "depth-wise: the variance is kept"
    again = initialize(nn.Conv2d(64, 64, 5), generator=torch.Generator().manual_seed(1))
    assert torch.equal(again.weight, network[0].weight)
