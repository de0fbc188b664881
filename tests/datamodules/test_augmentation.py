from __future__ import annotations

import numpy as np
import pytest

from datamodules.augmentation import CropFlip, face_window, landmark_window, loading_size, offset_range
from lightning_modules.geometry.landmark_groups import MIRROR


def marked_picture(points, size):
    """One plane a landmark, the pixel under it set: what a landmark must still lie on after crop and flip."""
    planes = np.zeros((len(points), size, size), np.uint8)
    for number, (x, y) in enumerate(points.astype(int)):
        planes[number, y, x] = 255
    return planes


def whole_points(size=286):
    generator = np.random.default_rng(4)
    left, top, right, bottom = (int(edge) for edge in face_window(size))
    return np.stack([generator.integers(left, right, 68), generator.integers(top, bottom, 68)], 1).astype(np.float32)


def test_the_published_numbers():
    assert loading_size(256) == 286
    assert loading_size(128) == 143
    assert face_window(286) == (43, 57, 243, 257)
    assert offset_range(286, 256, 57, 257) == (1, 30)
    assert offset_range(286, 256, 43, 243) == (0, 30)


def test_crops_reach_all_published_offsets_and_keep_the_face():
    generator = np.random.default_rng(0)
    crops = [CropFlip.random(generator, 286, 256) for _ in range(3000)]
    assert {crop.left for crop in crops} == set(range(31))
    assert {crop.top for crop in crops} == set(range(1, 31))
    assert np.mean([crop.flip for crop in crops]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("flip", [False, True])
def test_landmarks_stay_on_their_features(flip):
    points = whole_points()
    crop = CropFlip(17, 9, 256, flip)
    planes = crop.pictures(marked_picture(points, 286))
    moved = crop.landmarks(points)
    for number in range(68):
        plane = planes[MIRROR[number] if flip else number]  # where the feature of this name was before
        x, y = moved[number]
        assert plane[int(y), int(x)] == 255
        assert plane.sum() == 255
    if flip:  # the published 256 - x misses by one pixel, and the check sees it
        x, y = moved[30] + [1, 0]
        assert planes[30, int(y), int(x)] == 0


def test_two_flips_are_none():
    points = whole_points()
    once = CropFlip(0, 0, 256, flip=True)
    assert np.array_equal(once.landmarks(once.landmarks(points)), points)
    picture = np.random.default_rng(0).integers(0, 255, (3, 256, 256), np.uint8)
    assert np.array_equal(once.pictures(once.pictures(picture)), picture)


def test_a_window_too_large_for_the_crop_is_centred():
    assert offset_range(286, 256, 0, 286) == (15, 15)
    assert offset_range(286, 256, -40, 250) == (0, 0)
    assert offset_range(286, 256, 100, 400) == (30, 30)


def test_the_window_of_landmarks_holds_their_pixels():
    points = np.array([[10.4, 20.6], [30.5, 41.2], [29.0, 22.0]])
    assert landmark_window(points) == (10, 21, 32, 42)


def test_the_middle_crop_is_a_possible_crop():
    crop = CropFlip.middle(286, 256)
    assert (crop.left, crop.top, crop.flip) == (15, 15, False)
