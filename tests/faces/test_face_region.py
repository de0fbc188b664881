"""The turned square around a face: cutting it out and going back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lightning_modules.faces.face_region import FaceRegion, cut_region, region_of_detection, region_of_mesh, to_photo
from lightning_modules.faces.mediapipe_graphs import Detection


def ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x / 4, y / 4, (x + y) / 8], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("side", [100.0, 640.0, 900.0])
def test_cut_and_way_back_agree(angle, side):
    """Brightness is position (a quarter of it): what lies at a pixel of the cut-out is where ``to_photo`` says."""
    photo = ramp(1000, 1000)
    region = FaceRegion(510.3, 470.8, side, angle)
    cut = cut_region(photo, region, 64)
    pixels = np.array([[8, 5, 0], [40, 20, 0], [31, 60, 0], [55, 33, 0]], dtype=np.float32)
    places = to_photo(pixels, region, 64)
    inside = ((places[:, :2] > 20) & (places[:, :2] < 980)).all(1)
    assert inside.sum() >= 2
    for (x, y, _), (place_x, place_y, _) in zip(pixels[inside].astype(int), places[inside], strict=True):
        assert 4 * (cut[y, x, 0] + 0.4) == pytest.approx(place_x, abs=4)
        assert 4 * (cut[y, x, 1] + 0.4) == pytest.approx(place_y, abs=4)


def test_identity():
    photo = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    region = FaceRegion(31.5, 31.5, 64.0, 0.0)
    assert np.array_equal(cut_region(photo, region, 64), photo)
    points = np.random.default_rng(1).uniform(0, 63, (5, 3)).astype(np.float32)
    assert np.allclose(to_photo(points, region, 64), points, atol=1e-5)


def test_depth_is_scaled_with_the_square():
    points = np.array([[0, 0, 10]], dtype=np.float32)
    assert to_photo(points, FaceRegion(0, 0, 96.0, 1.0), 192)[0, 2] == pytest.approx(5)


def test_outside_is_filled_or_repeated():
    photo = np.full((40, 40, 3), 77, np.uint8)
    region = FaceRegion(0.0, 0.0, 60.0, 0.0)
    assert np.all(cut_region(photo, region, 30) == 77)
    filled = cut_region(photo, region, 30, fill=255)
    assert filled[0, 0, 0] == 255
    assert filled[29, 29, 0] == 77


def test_region_of_a_detection():
    region = region_of_detection(Detection((10, 20, 50, 80), (20, 40), (40, 60), 0.9))
    assert (region.center_x, region.center_y, region.side) == (30, 50, 90)
    assert region.angle == pytest.approx(math.pi / 4)


def test_region_of_a_mesh_turns_with_it():
    rng = np.random.default_rng(0)
    mesh = (rng.normal(size=(478, 3)) * [20, 30, 10]).astype(np.float32)
    mesh[33, :2], mesh[263, :2] = (-15, -10), (15, -10)
    upright = region_of_mesh(mesh)
    assert upright.angle == 0
    assert upright.side == pytest.approx(1.5 * np.ptp(mesh[:, 1]), rel=1e-5)
    angle = 0.7
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned = mesh.copy()
    turned[:, :2] = mesh[:, :2] @ turn
    region = region_of_mesh(turned)
    assert region.angle == pytest.approx(angle, abs=1e-5)
    assert region.side == pytest.approx(upright.side, rel=1e-4)
    center = np.array([upright.center_x, upright.center_y]) @ turn
    assert (region.center_x, region.center_y) == (
        pytest.approx(center[0], abs=1e-3),
        pytest.approx(center[1], abs=1e-3),
    )
