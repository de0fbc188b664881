"""PatchGAN, the four drawing discriminators and the coherence discriminator."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks import patch_discriminator
from lightning_modules.networks.coherence_discriminator import CoherenceDiscriminator
from lightning_modules.networks.drawing_discriminators import DrawingDiscriminators, masked_part, white_outside
from lightning_modules.networks.patch_discriminator import PatchDiscriminator


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_of_the_published_discriminators():
    """Reference stage2 §3, drawing / cartoon."""
    with torch.device("meta"):
        for channels, whole, part, coherence in (
            (1, 2_762_689, 2_763_713, 2_763_713),
            (3, 2_764_737, 2_765_761, 2_767_809),
        ):
            network = DrawingDiscriminators(channels)
            assert [parameters(net) for net in (network.d_g, network.d_ln, network.d_le, network.d_ll)] == [
                whole,
                part,
                part,
                part,
            ]
            assert parameters(CoherenceDiscriminator(channels)) == coherence


def test_patches_are_the_layers_of_the_reference():
    network, x = PatchDiscriminator(2, 4), torch.randn(1, 2, 64, 48)
    weights = [(layer.weight.normal_(std=0.2), layer.bias.normal_()) for layer in network.layers.requires_grad_(False)]
    made = network(x)
    for index, (stride, (weight, bias)) in enumerate(zip((2, 2, 2, 1, 1), weights, strict=True)):
        x = functional.conv2d(x, weight, bias, stride=stride, padding=1)
        if index in {1, 2, 3}:
            x = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
        if index < 4:
            x = torch.where(x > 0, x, 0.2 * x)
    torch.testing.assert_close(made, x, atol=1e-5, rtol=1e-4)


def test_thirty_by_thirty_patches():
    with torch.device("meta"):
        assert PatchDiscriminator(1)(torch.zeros(2, 1, 256, 256)).shape == (2, 1, 30, 30)


def test_a_logit_sees_seventy_pixels(monkeypatch):
    """With the normalisation, which reads the whole picture, taken out."""
    monkeypatch.setattr(patch_discriminator, "instance_normalization", lambda features: features)
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    PatchDiscriminator(1, 8)(x)[0, 0, 7, 7].backward()
    seen = x.grad[0, 0] != 0
    assert seen.any(0).sum() == seen.any(1).sum() == 70


def test_white_outside_is_the_published_formula():
    drawing, mask = torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 1, 8, 8)
    published = ((drawing / 2 + 0.5) * mask + 1 - mask) * 2 - 1
    torch.testing.assert_close(white_outside(drawing, mask), published)
    assert torch.equal(white_outside(drawing, torch.zeros(2, 1, 8, 8)), torch.ones(2, 3, 8, 8))
    assert torch.equal(white_outside(drawing, torch.ones(2, 1, 8, 8)), drawing)
    assert torch.equal(masked_part(drawing, mask)[:, 3:], mask)


def test_local_discriminators_see_their_part_only():
    network = DrawingDiscriminators(1, 4)
    drawing, masks = torch.rand(1, 1, 64, 64) * 2 - 1, torch.zeros(3, 1, 1, 64, 64)
    for index, mask in enumerate(masks):
        mask[..., 20 * index : 20 * index + 16, :] = 1.0
    logits = network(drawing, *masks)
    assert logits._fields == ("d_g", "d_ln", "d_le", "d_ll")
    changed = drawing.clone()
    changed[..., 20:36, :] *= -1  # the eyes
    again = network(changed, *masks)
    assert [torch.equal(one, other) for one, other in zip(logits, again, strict=True)] == [False, True, False, True]
    names = {"d_g": (drawing,), "d_ln": masks[0], "d_le": masks[1], "d_ll": masks[2]}
    for name in ("d_ln", "d_le", "d_ll"):
        alone = getattr(network, name)(torch.cat((white_outside(drawing, names[name]), names[name]), dim=1))
        assert torch.equal(getattr(logits, name), alone)


def test_a_batch_is_a_stack_of_singles():
    network, drawing, masks = DrawingDiscriminators(1, 4), torch.randn(3, 1, 32, 48), torch.rand(3, 3, 1, 32, 48)
    together = network(drawing, *masks)
    for index in range(3):
        alone = network(drawing[index : index + 1], *masks[:, index : index + 1])
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one[index : index + 1], other, atol=1e-5, rtol=1e-4)


def test_coherence_reads_both_frames_in_order():
    network = CoherenceDiscriminator(1, 4)
    first, second = torch.randn(2, 3, 1, 32, 32)
    assert network(first, second).shape == (3, 1, 2, 2)
    assert not torch.equal(network(first, second), network(second, first))
    assert torch.equal(network(first, second), network.patches(torch.cat((first, second), dim=1)))


def test_gradients_reach_picture_and_weights():
    network, drawing = DrawingDiscriminators(1, 4), torch.randn(1, 1, 32, 32, requires_grad=True)
    sum(logits.square().mean() for logits in network(drawing, *torch.rand(3, 1, 1, 32, 32))).backward()
    assert drawing.grad.abs().max() > 0
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters() if parameter.ndim > 1)


def test_what_does_not_fit_is_refused():
    network = DrawingDiscriminators(1, 4)
    drawing, mask = torch.zeros(2, 1, 32, 32), torch.zeros(2, 1, 32, 32)
    with pytest.raises(ValueError, match="32x32"):
        network(drawing, mask, mask, mask[..., :16])
    with pytest.raises(ValueError, match="1 masks do not go with 2 drawings"):
        network(drawing, mask, mask, mask[:1])
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        network(drawing.expand(2, 3, 32, 32), mask, mask, mask)
    with pytest.raises(ValueError, match="at least 24"):
        PatchDiscriminator(1, 4)(torch.zeros(1, 1, 16, 64))
    with pytest.raises(ValueError, match="one shape"):
        CoherenceDiscriminator(1, 4)(drawing, drawing[:1])
