from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.strokes import (
    opened,
    profiles,
    region_coverage,
    stroke_coverage,
    swollen,
    valley,
    without_islands,
)


def normals(size, angle=0.0):
    direction = torch.tensor([torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))])
    return direction.expand(1, size, size, 2)


def trough(size, position, sigma=3.0):
    """A vertical valley of unit depth."""
    x = torch.arange(size, dtype=torch.float32)
    return (-torch.exp(-((x - position) ** 2) / (2 * sigma * sigma))).expand(1, 1, size, size)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_profiles_of_a_plane_and_of_a_wave(sigma):
    x = torch.arange(64, dtype=torch.float32)
    wave = torch.cos(0.3 * x).expand(1, 1, 64, 64).contiguous()
    mean = profiles(wave, normals(64), [sigma])[0, 0, 32, 16:48]
    ratio = (mean / wave[0, 0, 32, 16:48]).median()
    # Fourier transform of a Gaussian: exp(-(0.3 sigma)² / 2), a little more where the tails are cut.
    expected = torch.exp(torch.tensor(-0.5 * (0.3 * sigma) ** 2))
    assert abs(float(ratio - expected)) < 0.02
    across = profiles(wave, normals(64, torch.pi / 2), [sigma])
    torch.testing.assert_close(across[..., 16:48, 16:48], wave[..., 16:48, 16:48], atol=1e-4, rtol=0)


@pytest.mark.parametrize("position", [31.0, 31.3, 31.5])
@pytest.mark.parametrize("width", [1.5, 3.0])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_stroke_lies_on_the_valley_with_its_width(position, width, scale):
    found = valley(trough(64, position), normals(64))
    near_line = ((torch.arange(64) - position).abs() < 7).float().expand(1, 1, 64, 64)
    ink = stroke_coverage(found, width * near_line, (64 * scale, 64 * scale))[0, 0, 32 * scale]
    x = (torch.arange(64 * scale) + 0.5) / scale - 0.5
    assert 0.75 * width < float(ink.sum()) / scale < 1.03 * width
    assert float((ink * x).sum() / ink.sum()) == pytest.approx(position, abs=0.15)
    assert ink[(x - position).abs() > width / 2 + 1].sum() == 0


def test_stroke_does_not_depend_on_the_sign_of_the_normals():
    response = trough(48, 20.4)
    signs = torch.where(torch.rand(1, 48, 48, 1) < 0.5, -1.0, 1.0)
    wide = torch.full((1, 1, 48, 48), 2.0)
    torch.testing.assert_close(
        stroke_coverage(valley(response, normals(48) * signs), wide, (96, 96)),
        stroke_coverage(valley(response, normals(48)), wide, (96, 96)),
        atol=1e-4,
        rtol=0,
    )


def test_no_stroke_on_ridges_or_flat_ground():
    wide = torch.full((1, 1, 48, 48), 2.0)
    assert stroke_coverage(valley(-trough(48, 24.0), normals(48)), wide, (48, 48))[..., 20:28].sum() == 0
    assert stroke_coverage(valley(torch.zeros(1, 1, 48, 48), normals(48)), wide, (48, 48)).sum() == 0


def test_region_has_a_crisp_rim_at_the_right_place():
    x = torch.arange(64, dtype=torch.float32)
    height = (0.01 * (20.0 - x)).expand(1, 1, 64, 64).contiguous()
    ink = region_coverage(height, (256, 256))[0, 0, 128]
    # The zero at x = 20 of the board is at 4 · 20.5 - 0.5 = 81.5 of the picture: 82 pixels are inked.
    assert float(ink.sum()) == pytest.approx(82.0, abs=0.1)
    assert int(((ink > 0.01) & (ink < 0.99)).sum()) <= 2


def test_swelling_grows_by_the_radius_on_all_sides():
    ink = torch.zeros(1, 1, 31, 31)
    ink[..., 15, :] = 1.0
    assert float(swollen(ink, 3.0)[0, 0, :, 15].sum()) == 7.0
    assert float(swollen(ink, 1.25)[0, 0, :, 15].sum()) == pytest.approx(3.5)
    assert torch.equal(swollen(ink, 0.0), ink)
    assert torch.equal(swollen(ink, -1.0), ink)
    dot = torch.zeros(1, 1, 31, 31)
    dot[..., 15, 15] = 1.0
    y, x = torch.meshgrid(torch.arange(31) - 15, torch.arange(31) - 15, indexing="ij")
    disc = swollen(dot, 5.0)[0, 0] > 0
    assert bool(disc[(x * x + y * y) <= 4.4**2].all())
    assert not bool(disc[(x * x + y * y) > 5.9**2].any())


def test_islands_go_and_the_main_land_stays_with_its_peninsulas():
    height = torch.full((1, 1, 60, 60), -1.0)
    height[..., 10:30, 10:30] = 1.0
    height[..., 18:20, 30:40] = 1.0
    height[..., 50:53, 50:53] = 1.0
    kept = without_islands(height, radius=3, reach=20)
    assert bool((kept <= height).all())
    assert bool((kept[..., 10:30, 10:30] > 0).all())
    assert bool((kept[..., 18:20, 30:40] > 0).all())
    assert bool((kept[..., 45:, 45:] < 0).all())


def test_opening_keeps_only_broad_parts():
    height = torch.full((1, 1, 60, 60), -1.0)
    height[..., 10:31, 10:31] = 1.0
    height[..., 40:44, :] = 1.0
    broad = opened(height, 5) > 0
    assert bool(broad[..., 10:31, 10:31].all())
    assert not bool(broad[..., 38:50, :].any())
