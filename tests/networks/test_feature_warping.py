"""The double feature warp: identities, shifts, and the published numerics written out pixel by pixel.

In the parity fixtures of the generator flow A is zero and nowhere valid, so its published sampling is held here.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lightning_modules.networks.feature_warping import double_feature_warp, warp_by_flow, warp_by_grid

SIZE = (16, 24)


def grid_of(x, y):
    """Pixel positions (H, W) to the normalised grid (1, H, W, 2)."""
    height, width = x.shape
    return torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), dim=-1)[None]


def positions(size=SIZE):
    y, x = torch.meshgrid(torch.arange(float(size[0])), torch.arange(float(size[1])), indexing="ij")
    return x, y


def features_at(level, channels=3, batch=1, size=SIZE):
    return torch.randn(batch, channels, size[0] >> level, size[1] >> level)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_identity_maps_change_nothing(level):
    x, flow, valid = features_at(level), torch.zeros(1, 2, *SIZE), torch.ones(1, 1, *SIZE)
    warped = double_feature_warp(x, grid_of(*positions()), flow, valid, level)
    torch.testing.assert_close(warped, torch.cat((x, x), dim=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_moving_the_frame_moves_the_features_with_it(level):
    """2^L pixels to the left in the frame are one pixel at level L; beyond the border the border is repeated."""
    x, (own_x, own_y) = features_at(level), positions()
    moved = torch.cat((x[..., 1:], x[..., -1:]), dim=-1)
    by_grid = warp_by_grid(x, grid_of(own_x + 2**level, own_y), level)
    flow = torch.stack((torch.full(SIZE, 2.0**level), torch.zeros(SIZE)))[None]
    by_flow = warp_by_flow(x, flow, torch.ones(1, 1, *SIZE), level)
    torch.testing.assert_close(by_grid, moved, atol=1e-4, rtol=0)
    torch.testing.assert_close(by_flow, moved, atol=1e-4, rtol=0)


@pytest.mark.parametrize("compat", [None, "official"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_grid_and_a_flow_of_the_same_motion_agree(level, compat):
    """A motion that is linear in the position, so that both ways to resize it are exact."""
    size = (24, 24)
    x, (own_x, own_y) = features_at(level, size=size), positions(size)
    inner, scale = (size[0] >> level) - 1, size[0] - 1
    # The published flow is divided by 2^L, its grid scaled by (S_L - 1) / (S - 1): the same only for a flow that
    # vanishes, so it is compared with the grid that the division means.
    flow = torch.stack((0.1 * (own_x - 11), -0.2 * (own_y - 7)))
    factor = 1.0 if compat is None else scale / (2**level * inner)
    grid = grid_of(own_x + factor * flow[0], own_y + factor * flow[1])
    by_flow = warp_by_flow(x, flow[None], torch.ones(1, 1, *size), level, compat)
    torch.testing.assert_close(warp_by_grid(x, grid, level, compat), by_flow, atol=1e-4, rtol=0)


def test_corrected_bilinear_value_by_hand():
    x = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    flow = torch.tensor([0.25, 0.5]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    warped = warp_by_flow(x, flow, torch.ones(1, 1, 2, 2), 0)
    torch.testing.assert_close(warped, torch.tensor([[[[1.25, 2.0], [2.25, 3.0]]]]))


def test_validity_fades_to_zero_and_the_b_half_stays():
    x, grid, flow = features_at(0).abs() + 1, grid_of(*positions()), torch.zeros(1, 2, *SIZE)
    validity = torch.linspace(0, 1, SIZE[1]).expand(1, 1, *SIZE)
    warped = double_feature_warp(x, grid, flow, validity, 0)
    torch.testing.assert_close(warped[:, 3:], x * validity, atol=1e-5, rtol=0)
    torch.testing.assert_close(warped[:, :3], x, atol=1e-5, rtol=0)


def resized_corners(values, size):
    """(H, W) to another size with the corner pixels on the corners, by loops, float64."""
    height, width = values.shape
    made = np.empty(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y, x = i * (height - 1) / (size[0] - 1), j * (width - 1) / (size[1] - 1)
            made[i, j] = bilinear(values, x, y)
    return made


def bilinear(values, x, y):
    """Value at (x, y) with zeros outside, by the definition."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < values.shape[0] and 0 <= column < values.shape[1]:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * values[row, column]
    return total


@pytest.mark.parametrize("level", [0, 1, 2])
def test_published_numerics_pixel_by_pixel(level):
    """A position u in pixels of S lands on u S / (S - 1) - 1/2; -1 where the resized validity is at most one half."""
    x, (own_x, own_y) = features_at(level, channels=2), positions()
    size = tuple(x.shape[-2:])
    map_x, map_y = own_x + 3 * torch.randn(SIZE), own_y + 3 * torch.randn(SIZE)
    grid, flow = grid_of(map_x, map_y), 4 * torch.randn(1, 2, *SIZE)
    validity = torch.rand(1, 1, *SIZE)
    made = double_feature_warp(x, grid, flow, validity, level, "official").numpy()

    features = x[0].double().numpy()
    grid_x, grid_y = (resized_corners(grid[0, ..., k].double().numpy(), size) for k in (0, 1))
    flow_x, flow_y = (resized_corners(flow[0, k].double().numpy() / 2**level, size) for k in (0, 1))
    valid = resized_corners(validity[0, 0].double().numpy(), size)
    invalid = 0
    for i in range(size[0]):
        for j in range(size[1]):
            u, v = (grid_x[i, j] + 1) / 2 * (size[1] - 1), (grid_y[i, j] + 1) / 2 * (size[0] - 1)
            for channel in range(2):
                b = bilinear(features[channel], u * size[1] / (size[1] - 1) - 0.5, v * size[0] / (size[0] - 1) - 0.5)
                a = bilinear(
                    features[channel],
                    (j + flow_x[i, j]) * size[1] / (size[1] - 1) - 0.5,
                    (i + flow_y[i, j]) * size[0] / (size[0] - 1) - 0.5,
                )
                a = -1.0 if valid[i, j] <= 0.5 else a
                assert made[0, channel, i, j] == pytest.approx(b, abs=2e-4)
                assert made[0, 2 + channel, i, j] == pytest.approx(a, abs=2e-4)
            invalid += valid[i, j] <= 0.5
    assert 0 < invalid < size[0] * size[1]


def test_a_published_identity_halves_the_border():
    """Reference stage2 §1.2: half a pixel outwards at the border, mixed with zeros: 1/2 at edges, 1/4 at corners."""
    x = torch.ones(1, 1, *SIZE)
    warped = warp_by_grid(x, grid_of(*positions()), 0, "official")[0, 0]
    assert warped[0, 0].item() == pytest.approx(0.25, abs=1e-5)
    assert warped[0, 12].item() == pytest.approx(0.5, abs=1e-5)
    assert warped[8, 12].item() == pytest.approx(1.0, abs=1e-5)


def test_mirrored_features_and_maps_give_mirrored_features():
    x, (own_x, own_y) = features_at(0, batch=2), positions()
    map_x, map_y = own_x + 2 * torch.randn(SIZE), own_y + 2 * torch.randn(SIZE)
    straight = warp_by_grid(x, grid_of(map_x, map_y).expand(2, -1, -1, -1), 0)
    mirrored_map = grid_of((SIZE[1] - 1 - map_x).flip(-1), map_y.flip(-1)).expand(2, -1, -1, -1)
    torch.testing.assert_close(warp_by_grid(x.flip(-1), mirrored_map, 0).flip(-1), straight, atol=1e-4, rtol=0)


@pytest.mark.parametrize("compat", [None, "official"])
def test_half_precision_features_are_sampled_at_exact_positions(compat):
    x, (own_x, own_y) = features_at(0), positions()
    grid = grid_of(own_x + 0.3, own_y - 0.7)
    exact = warp_by_grid(x.bfloat16().float(), grid, 0, compat)
    with torch.autocast("cpu", torch.bfloat16):
        half = warp_by_grid(x.bfloat16(), grid, 0, compat)
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, exact.bfloat16())


def test_gradients_by_finite_differences():
    size = (4, 6)
    x = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    own_x, own_y = positions(size)
    # Away from the kinks: fractions of about 0.4 pixels at level 1, well inside the features.
    grid = grid_of(own_x * 0.3 + 0.9, own_y * 0.3 + 0.6).double().requires_grad_()
    flow = torch.stack((0.8 - 0.6 * own_x, 0.7 - 0.6 * own_y))[None].double().requires_grad_()
    validity = torch.rand(1, 1, *size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *given: double_feature_warp(*given, 1), (x, grid, flow, validity))


def test_what_cannot_be_warped_is_refused():
    x, flow = features_at(0), torch.zeros(1, 2, *SIZE)
    with pytest.raises(ValueError, match="neither"):
        double_feature_warp(x, None, None, None, 0)
    with pytest.raises(ValueError, match="go together"):
        double_feature_warp(x, None, flow, None, 0)
