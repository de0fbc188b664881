"""Crops of faces: where they lie, and that points go where their pixels go, whatever warps both."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from datamodules.face_crops import CROP_SIDE, STILL, CropSettings, FaceCrop, crop_matrix
from datamodules.mouth_opening import MouthOpening
from datamodules.synthetic.faces import in_crop, random_face
from lightning_modules.geometry.landmark_groups import JAW, MIRROR

SIZE = 192
WARPS = {
    "put wrong": CropSettings(warp=0, features=0, opening=0),
    "lost": CropSettings(lost=1, warp=0, features=0, opening=0),
    "warped": CropSettings(features=0, opening=0),
    "stretched": CropSettings(features=1, opening=0),
}


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return in_crop(random_face(np.random.default_rng(3)), SIZE)


@pytest.fixture(scope="module")
def coordinates() -> np.ndarray:
    """A picture whose first plane is every pixel's column, and whose second is its row."""
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    return np.stack([columns, rows]).astype(np.uint8)


def looked_up(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values of a picture (H, W, K) at positions (N, 2)."""
    return cv2.remap(picture.astype(np.float32), points[None, :, 0], points[None, :, 1], cv2.INTER_LINEAR)[0]


def test_a_still_crop_holds_the_landmarks_in_its_middle(face):
    points = FaceCrop.random(np.random.default_rng(0), face, STILL).landmarks(face)
    low, high = points.min(0), points.max(0)
    assert np.allclose((low + high) / 2, (CROP_SIDE - 1) / 2, atol=1e-3)
    assert (high - low).max() == pytest.approx(CROP_SIDE / 1.3, abs=1e-3)


def test_a_matrix_by_hand(face):
    low, high = face[:, :2].min(0), face[:, :2].max(0)
    side = (high - low).max() * 1.3 * 1.5
    matrix = crop_matrix(face, 1.5, np.array((0.1, -0.2)), 0.0, mirrored=False)
    assert np.allclose(matrix[:, :2], np.eye(2) * side / CROP_SIDE)
    middle = (low + high) / 2 + side * np.array((0.1, -0.2))
    assert np.allclose(matrix @ (55.5, 55.5, 1), middle)
    turned = crop_matrix(face, 1.0, np.zeros(2), np.pi / 2, mirrored=False)
    assert np.allclose(turned @ (56.5, 55.5, 1) - turned @ (55.5, 55.5, 1), (0, side / 1.5 / CROP_SIDE))


@pytest.mark.parametrize("name", WARPS)
def test_points_go_with_their_pixels(face, coordinates, name):
    for seed in range(12):
        crop = FaceCrop.random(np.random.default_rng(seed), face, WARPS[name])
        points = crop.landmarks(face)
        cut = crop.pictures(coordinates, (0, 0))
        inside = ((points > 1) & (points < CROP_SIDE - 2)).all(1)
        wanted = face[list(MIRROR)] if crop.mirrored else face
        # Within the picture: outside of it there is no column and no row.
        inside &= ((wanted[:, :2] > 4) & (wanted[:, :2] < SIZE - 5)).all(1)
        assert inside.sum() > 15
        assert np.abs(looked_up(cut, points)[inside] - wanted[inside, :2]).max() < 1.1, seed


def test_that_comparison_can_fail(face, coordinates):
    crop = FaceCrop.random(np.random.default_rng(1), face, WARPS["stretched"])
    straight = FaceCrop(crop.matrix, crop.mirrored).landmarks(face)
    wanted = face[list(MIRROR)] if crop.mirrored else face
    assert np.abs(looked_up(crop.pictures(coordinates, (0, 0)), straight) - wanted[:, :2]).max() > 2


def test_a_mirrored_crop_is_renumbered(face):
    one, other = (FaceCrop(crop_matrix(face, 1.0, np.zeros(2), 0.0, mirrored=it), it) for it in (False, True))
    points = one.landmarks(face)[list(MIRROR)]
    points[:, 0] = CROP_SIDE - 1 - points[:, 0]
    assert np.allclose(other.landmarks(face), points, atol=1e-4)


def test_lips_part_and_the_rest_follows(face):
    points = FaceCrop.random(np.random.default_rng(0), face, STILL).landmarks(face)
    opening = MouthOpening.random(np.random.default_rng(4), points, CROP_SIDE)
    opened = opening.landmarks(points)
    gap = opened[66, 1] - opened[62, 1] - (points[66, 1] - points[62, 1])
    assert gap == pytest.approx(opening.amount, rel=0.05)
    assert opened[57, 1] > points[57, 1]
    assert opened[51, 1] < points[51, 1]
    assert np.allclose(opened[[48, 54, *JAW[:4], 36, 45]], points[[48, 54, *JAW[:4], 36, 45]], atol=0.15)
    # What is not between the lips comes from where it was before.
    others = [point for point in range(60) if point not in (48, 54)]
    assert np.abs(opening.map(opened[others]) - points[others]).max() < 0.2
    inside, teeth = opening.inside(0.4)
    middle = np.rint((opened[62] + opened[66]) / 2).astype(int)
    assert inside[middle[1], middle[0]]
    assert 0 < teeth.sum() < inside.sum()
    assert not inside[int(points[8, 1]), int(points[8, 0])]


def test_the_same_numbers_give_the_same_crop(face):
    one, other = (FaceCrop.random(np.random.default_rng(7), face, CropSettings()) for _ in range(2))
    assert np.array_equal(one.map(), other.map())
    assert np.array_equal(one.landmarks(face), other.landmarks(face))
