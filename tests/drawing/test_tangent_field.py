from __future__ import annotations

import torch

from lightning_modules.drawing.streamlines import Streamlines
from lightning_modules.drawing.tangent_field import (
    field_of_tensor,
    flow_bilateral,
    structure_tensor,
    tangent_field,
)


def rings(size=160, period=12.0):
    """Concentric waves around the middle, distance from it, and the analytic tangent of every circle."""
    middle = (size - 1) / 2
    y, x = torch.meshgrid(torch.arange(size) - middle, torch.arange(size) - middle, indexing="ij")
    radius = torch.sqrt(x * x + y * y)
    picture = 0.5 + 0.4 * torch.cos(radius * (2 * torch.pi / period))
    tangent = torch.stack((-y, x), dim=-1) / radius[..., None].clamp_min(1e-6)
    return picture[None, None], radius, tangent[None]


def direction_error(found, expected):
    """Angle between undirected unit vectors, degrees."""
    return torch.rad2deg(torch.acos((found * expected).sum(-1).abs().clamp(max=1.0)))


def test_tangents_of_circles():
    picture, radius, expected = rings()
    field = tangent_field(picture, 2.0)
    ring = ((radius > 15) & (radius < 70))[None]
    error = direction_error(field.tangent, expected)[ring]
    assert error.mean() < 0.3
    assert error.max() < 2.0
    assert field.coherence[0][ring].min() > 0.8
    assert direction_error(field.normal, expected)[ring].min() > 88.0


def test_tangents_of_circles_survive_noise():
    picture, radius, expected = rings()
    field = tangent_field(picture + 0.1 * torch.randn(picture.shape), 3.0)
    ring = ((radius > 15) & (radius < 70))[None]
    assert direction_error(field.tangent, expected)[ring].mean() < 3.0


def test_no_direction_without_gradient():
    field = tangent_field(torch.full((1, 1, 16, 16), 0.3), 2.0)
    assert field.coherence.abs().max() == 0
    torch.testing.assert_close(field.tangent.norm(dim=-1), torch.ones(1, 16, 16))


def test_field_turns_with_the_picture():
    picture = torch.rand(1, 1, 40, 40)
    plain = tangent_field(picture, 2.0).tangent
    turned = tangent_field(torch.rot90(picture, 1, (2, 3)), 2.0).tangent
    # A quarter turn against the clock takes (x, y) to (y, -x), y down.
    expected = torch.rot90(plain, 1, (1, 2))
    expected = torch.stack((expected[..., 1], -expected[..., 0]), dim=-1)
    clear = torch.rot90(tangent_field(picture, 2.0).coherence, 1, (2, 3))[:, 0] > 0.05
    assert direction_error(turned, expected)[clear].max() < 0.5


def test_tensor_of_a_slanted_plane():
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    tensor = structure_tensor((0.3 * x + 0.4 * y)[None, None])[..., 2:-2, 2:-2]
    torch.testing.assert_close(tensor[0, :, 0, 0], torch.tensor([0.09, 0.12, 0.16]))
    normal = field_of_tensor(tensor).normal[0, 0, 0]
    torch.testing.assert_close(normal.abs(), torch.tensor([0.6, 0.8]))


def test_bilateral_removes_texture_and_keeps_an_edge():
    step = torch.full((1, 1, 64, 64), 0.2)
    step[..., 32:] = 0.8
    noisy = step + 0.02 * torch.randn(step.shape)
    smooth = flow_bilateral(noisy, tangent_field(noisy, 3.0), 2.5, 0.1, 2)
    assert (smooth - step)[..., :28].std() < 0.25 * (noisy - step)[..., :28].std()
    assert (smooth[..., 33] - smooth[..., 30]).mean() > 0.58


def test_streamlines_follow_circles():
    picture, radius, expected = rings()
    lines = Streamlines(expected, reach=20.0, step=1.0)
    assert lines.count == 20
    size = picture.shape[-1]
    end = (lines.forward[-1][0] + 1) * (size - 1) / 2 - (size - 1) / 2
    ring = (radius > 25) & (radius < 55)
    drift = (end.norm(dim=-1) - radius)[ring]
    # Euler steps of length s leave a circle of radius r by s² n / 2r: at most 0.4 pixels here.
    assert drift.min() > -0.05
    assert drift.max() < 0.45


def test_smoothing_along_circles_keeps_them_and_averages_what_crosses_them():
    picture, radius, expected = rings()
    lines = Streamlines(expected, reach=16.0)
    ring = (radius > 25) & (radius < 55)
    noise = torch.randn(picture.shape)
    kept, averaged = lines.smoothed(torch.cat((picture, noise), 1), [6.0, 6.0]).unbind(1)
    assert (kept[0] - picture[0, 0])[ring].abs().mean() < 0.03
    # The mean over a Gaussian of sigma 6 has a variance of 1 / (2 √π 6); bilinear reading lowers it further.
    assert averaged[0][ring].std() < (1 / (2 * 3.1416**0.5 * 6)) ** 0.5 * 1.05


def test_smoothing_keeps_a_constant():
    _, _, expected = rings(64)
    lines = Streamlines(expected, reach=8.0)
    constant = torch.full((1, 2, 64, 64), 0.7)
    torch.testing.assert_close(lines.smoothed(constant, [2.0, 9.0]), constant, atol=1e-6, rtol=0)


def test_run_length_of_a_straight_segment():
    field = torch.zeros(1, 64, 64, 2)
    field[..., 0] = 1.0
    support = torch.zeros(1, 1, 64, 64)
    support[..., 30, 20:32] = 1.0
    length = Streamlines(field, reach=30.0).run_length(support)
    torch.testing.assert_close(length[0, 0, 30, 20:32], torch.full((12,), 12.0), atol=1e-3, rtol=0)
    assert length[0, 0, 28].abs().max() < 1e-4
    # What is longer than the reach on both sides shows as twice the reach and the pixel itself.
    assert Streamlines(field, reach=10.0).run_length(torch.ones(1, 1, 64, 64))[0, 0, 30, 30] == 21.0
