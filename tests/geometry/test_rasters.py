from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lightning_modules.geometry.rasters import landmark_discs, landmark_heat_maps


def drawn(points, height, width, radius):
    image = np.zeros((height, width), np.uint8)
    for x, y in np.rint(points).astype(int):
        cv2.circle(image, (int(x), int(y)), radius, 255, thickness=-1)
    return image // 255


@pytest.mark.parametrize("radius", [*range(13), 20, 33])
def test_discs_equal_opencv_everywhere(radius):
    points = np.random.default_rng(radius).uniform(-radius - 3, 64 + radius, (150, 2))
    points[:8] = [(0, 0), (63, 47), (-1, 5), (64, 5), (10.5, 11.5), (11.5, 12.5), (5.49, 47.4), (-0.5, -0.5)]
    layers = landmark_discs(torch.from_numpy(points)[None], (48, 64), radius, merged=False)
    assert layers.shape == (1, 150, 48, 64)
    for layer, point in zip(layers[0].numpy(), points, strict=True):
        assert np.array_equal(layer, drawn(point[None], 48, 64, radius))
    merged = landmark_discs(torch.from_numpy(points)[None], (48, 64), radius)
    assert np.array_equal(merged[0, 0].numpy(), drawn(points, 48, 64, radius))


def test_generator_form_is_29_pixels_in_minus_one_to_one():
    image = landmark_discs(torch.tensor([[[40.5, 30.5]]]), 256, value_range=(-1.0, 1.0))
    assert image.shape == (1, 1, 256, 256)
    assert image.dtype == torch.float32
    assert set(image.unique().tolist()) == {-1.0, 1.0}
    assert int((image == 1).sum()) == 29
    assert image[0, 0, 30, 40] == 1  # 40.5 and 30.5 go to the even neighbours
    assert image[0, 0, 30, 43] == 1
    assert image[0, 0, 30, 44] == -1


def test_heat_maps_fixture_is_exact(parity):
    fixture = parity("landmark_heatmaps")
    maps = landmark_heat_maps(torch.from_numpy(fixture["inputs/landmarks_224"]))
    assert np.array_equal(maps.numpy().astype(np.uint8), fixture["outputs/heatmaps"])


def test_heat_maps_equal_the_definition():
    points = np.random.default_rng(1).uniform(-8, 72, (2, 30, 2))
    rows, columns = np.mgrid[:48, :64]
    expected = (columns - points[..., :1, None]) ** 2 + (rows - points[..., 1:, None]) ** 2 <= 4.0**2
    maps = landmark_heat_maps(torch.from_numpy(points), (48, 64))
    assert np.array_equal(maps.numpy(), expected.astype(np.float32))
    assert maps.sum() > 0
    # unrounded: rounding the points first would give other maps
    assert not torch.equal(maps, landmark_heat_maps(torch.from_numpy(np.rint(points)), (48, 64)))


def test_missing_and_broken_points_leave_no_disc():
    points = torch.tensor([[[-1.0, 20.0], [20.0, -1.0], [float("nan"), 20.0], [1e30, 20.0], [20.0, -1e30], [20, 20]]])
    counts = landmark_heat_maps(points, 64).sum((2, 3))[0].tolist()
    assert counts[:5] == [0] * 5
    assert counts[5] == 49
    assert landmark_discs(points, 64, merged=False).sum((2, 3))[0, 2:5].tolist() == [0] * 3


def test_batch_is_a_stack_of_singles_and_z_is_ignored(talking):
    depth = torch.cat((talking, torch.randn(4, 68, 1)), dim=-1).float()
    for paint in (landmark_discs, landmark_heat_maps):
        together = paint(depth, 256)
        assert torch.equal(together, torch.cat([paint(one[None, :, :2], 256) for one in depth]))


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="B, N, 2"):
        landmark_discs(torch.zeros(68, 2))
    with pytest.raises(ValueError, match="radius"):
        landmark_discs(torch.zeros(1, 68, 2), radius=-1)
    with pytest.raises(ValueError, match="floating"):
        landmark_heat_maps(torch.zeros(1, 68, 2, dtype=torch.long))
