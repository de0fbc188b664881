from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from lightning_modules.geometry import sampling


def smooth_map(size=64, reach=3.0, dtype=torch.float64):
    """A gentle warp: some pixels of flow that vanish at the border."""
    own = sampling.identity_map(size, dtype=dtype)
    wave = torch.sin(torch.pi * own / (size - 1))
    bump = wave[..., 0] * wave[..., 1]
    return own + reach * torch.stack((bump, -0.6 * bump), dim=-1)


def test_identity_map_and_normalisation_by_hand():
    own = sampling.identity_map((3, 5))
    assert own.shape == (1, 3, 5, 2)
    assert own[0, 1, 4].tolist() == [4.0, 1.0]
    normalized = sampling.normalize_map(own, (3, 5))
    assert normalized[0, 0, 0].tolist() == [-1.0, -1.0]
    assert normalized[0, 2, 4].tolist() == [1.0, 1.0]
    assert normalized[0, 1, 2].tolist() == [0.0, 0.0]
    assert torch.allclose(sampling.pixel_map(normalized, (3, 5)), own, atol=1e-6)


@pytest.mark.parametrize(("padding", "mode"), [("border", "nearest"), ("zeros", "constant")])
def test_sample_equals_scipy(padding, mode):
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 2, 20, 30, generator=generator, dtype=torch.float64)
    positions = torch.rand(1, 40, 25, 2, generator=generator, dtype=torch.float64) * 40 - 5
    sampled = sampling.sample(image, positions, padding)
    for channel in (0, 1):
        where = positions[0].flip(-1).movedim(-1, 0).numpy()
        expected = map_coordinates(image[0, channel].numpy(), where, order=1, mode=mode)
        if padding == "zeros":  # SciPy cuts off at the last centre, torch fades to zero one pixel further
            inside = ((where >= 0) & (where <= np.array([19, 29])[:, None, None])).all(0)
            far = ((where < -1) | (where > np.array([20, 30])[:, None, None])).any(0)
            assert (sampled[0, channel].numpy()[far] == 0).all()
            assert np.abs(sampled[0, channel].numpy() - expected)[inside].max() < 1e-12
        else:
            assert np.abs(sampled[0, channel].numpy() - expected).max() < 1e-12


def test_sample_identity_shift_and_broadcast():
    image = torch.rand(3, 2, 16, 24)
    own = sampling.identity_map((16, 24))
    assert torch.allclose(sampling.sample(image, own), image, atol=2e-6)
    shifted = sampling.sample(image, own + torch.tensor([2.0, -1.0]))
    assert torch.allclose(shifted[..., 1:, :-2], image[..., :-1, 2:], atol=5e-6)
    many = sampling.sample(image[:1], own.repeat(4, 1, 1, 1))
    assert many.shape == (4, 2, 16, 24)
    with pytest.raises(ValueError, match="do not go"):
        sampling.sample(image, own.repeat(2, 1, 1, 1))


def test_half_precision_images_are_sampled_in_float32():
    image = torch.rand(1, 1, 256, 256)
    own = sampling.identity_map(256) + 0.25
    for dtype in (torch.bfloat16, torch.float16):
        low = sampling.sample(image.to(dtype), own)
        assert low.dtype == dtype
        # half-precision positions would be off by up to half a pixel, not by rounding of the values
        assert (low.float() - sampling.sample(image.to(dtype).float(), own)).abs().max() < 4e-3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sampling.sample(image, own), sampling.sample(image, own))
        assert sampling.sample(image, own).dtype == torch.float32


def test_flow_and_map_are_inverse():
    warp = smooth_map()
    assert torch.allclose(sampling.map_of(sampling.flow_of(warp)), warp, atol=1e-12)
    assert sampling.flow_of(sampling.identity_map(9)).abs().max() == 0


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [32, 128, (96, 48)])
def test_resized_map_of_a_linear_warp_is_the_same_warp(size, align_corners):
    """A linear warp written down in both frames by hand; resizing must turn one into the other."""
    height, width = (size, size) if isinstance(size, int) else size
    old = torch.tensor([64.0, 64.0], dtype=torch.float64)
    new = torch.tensor([width, height], dtype=torch.float64)

    def linear(own, frame):
        unit = own / (frame - 1) if align_corners else (own + 0.5) / frame
        moved = unit * torch.tensor([0.9, 1.1]) + torch.tensor([0.03, -0.02])
        return moved * (frame - 1) if align_corners else moved * frame - 0.5

    before = linear(sampling.identity_map(64, dtype=torch.float64), old)
    expected = linear(sampling.identity_map(size, dtype=torch.float64), new)
    resized = sampling.resize_map(before, size, align_corners=align_corners)
    edge = slice(2, -2)  # beyond the outermost old centres values are held
    assert torch.allclose(resized[:, edge, edge], expected[:, edge, edge], atol=1e-9)
    other = sampling.resize_map(before, size, align_corners=not align_corners)
    assert not torch.allclose(other[:, edge, edge], expected[:, edge, edge], atol=1e-3)


def test_resized_map_warps_a_resized_image_alike():
    """The warp of an enlarged image is the enlarged warp of the image (smooth content, half-pixel convention)."""
    own = sampling.identity_map(64, dtype=torch.float64)
    large = sampling.identity_map(128, dtype=torch.float64)

    def content(positions):
        return torch.sin(positions[..., 0] / 9) * torch.cos(positions[..., 1] / 7)

    small_image, large_image = content(own)[:, None], content((large + 0.5) / 2 - 0.5)[:, None]
    warp = smooth_map()
    small = sampling.sample(small_image, warp)
    from_large = sampling.sample(large_image, sampling.resize_map(warp, 128))
    reduced = torch.nn.functional.avg_pool2d(from_large, 2)
    assert (reduced - small).abs()[..., 2:-2, 2:-2].max() < 0.01
    assert (small - small_image).abs().max() > 0.2


def test_composition_order():
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64).repeat_interleave(16, 2).repeat_interleave(16, 3)
    image = torch.nn.functional.avg_pool2d(image, 9, 1, 4, count_include_pad=False)
    image = torch.nn.functional.avg_pool2d(image, 9, 1, 4, count_include_pad=False)
    inner, outer = smooth_map(128, 5.0), smooth_map(128, 4.0) + torch.tensor([3.0, 0.0])
    twice = sampling.sample(sampling.sample(image, inner), outer)
    at_once = sampling.sample(image, sampling.compose_maps(inner, outer))
    wrong = sampling.sample(image, sampling.compose_maps(outer, inner))
    inside = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert (twice - at_once)[inside].abs().max() < 0.01
    assert (twice - wrong)[inside].abs().max() > 0.02


def test_composition_of_shifts_and_identity():
    own = sampling.identity_map(16)
    total = sampling.compose_maps(own + torch.tensor([2.0, 1.0]), own + torch.tensor([3.0, -5.0]))
    assert torch.allclose(sampling.flow_of(total), torch.tensor([5.0, -4.0]).expand_as(own), atol=1e-5)
    warp = smooth_map(16)
    assert torch.allclose(sampling.compose_maps(warp, own.double()), warp, atol=1e-9)


def test_inverse_undoes_the_warp():
    warp = smooth_map(64, 4.0)
    there_and_back = sampling.compose_maps(warp, sampling.invert_map(warp))
    assert sampling.flow_of(there_and_back).abs().max() < 0.01
    assert sampling.flow_of(warp).abs().max() > 3


def test_gradcheck():
    image = torch.randn(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    positions = torch.rand(1, 4, 5, 2, dtype=torch.float64) * 4 + 0.6
    positions = positions.floor() + 0.2 + 0.6 * positions.frac()  # bilinear has kinks at pixel centres
    assert torch.autograd.gradcheck(sampling.sample, (image, positions.requires_grad_()))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="sampling map"):
        sampling.normalize_map(torch.zeros(1, 2, 4, 4), 4)
    with pytest.raises(ValueError, match="image"):
        sampling.sample(torch.zeros(4, 4), sampling.identity_map(4))
    with pytest.raises(ValueError, match="1x1"):
        sampling.identity_map(0)
