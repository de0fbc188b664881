"""Proposals of OpenCV's cascades, and the lattice of squares."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from experiments.demo import DEMO_PHOTO
from lightning_modules.errors import BackendError
from lightning_modules.faces import face_proposals
from lightning_modules.faces.face_proposals import (
    FRONTAL,
    FRONTAL_LENIENT,
    PROFILE,
    cascade_regions,
    lattice_regions,
)
from lightning_modules.faces.photo import read_photo

PHOTO = read_photo(DEMO_PHOTO).rgb
SIDES = (1.35, 0.68)


def best(regions, center, side):
    return min(
        abs(np.log(one.side / side)) + np.hypot(one.center_x - center[0], one.center_y - center[1]) / side
        for one in regions
    )


@pytest.mark.parametrize("border", [0.0, 0.2])
@pytest.mark.parametrize("cascade", [FRONTAL, FRONTAL_LENIENT])
def test_the_cascade_proposes_the_face_of_the_photo(analyzer, cascade, border):
    from lightning_modules.faces.landmark_region import region_of_landmarks

    (face,) = analyzer.find_faces(PHOTO)
    true = region_of_landmarks(face.landmarks)
    regions = cascade_regions(PHOTO, (cascade,), border=border)
    assert best(regions, (true.center_x, true.center_y), true.side) < 0.25


def test_proposals_move_and_grow_with_the_picture():
    plain = cascade_regions(PHOTO, (FRONTAL,), longest_side=PHOTO.shape[0])
    larger = np.kron(PHOTO, np.ones((2, 2, 1), np.uint8))
    again = cascade_regions(larger, (FRONTAL,), longest_side=PHOTO.shape[0])
    assert plain
    for region in plain:
        assert best(again, (2 * region.center_x + 0.5, 2 * region.center_y + 0.5), 2 * region.side) < 0.05


def test_profiles_are_looked_for_on_both_sides(monkeypatch):
    picture = np.zeros((100, 200, 3), np.uint8)
    monkeypatch.setattr(face_proposals, "_asked", lambda *_: np.array([[10, 20, 40, 40]]))
    regions = cascade_regions(picture, (PROFILE,), longest_side=200)
    down, factor = face_proposals.BOX_TO_REGION
    assert [one.center_x for one in regions] == pytest.approx([29.5, 199 - 29.5])
    assert [one.center_y for one in regions] == pytest.approx([20 + 20 + 40 * down - 0.5] * 2)
    assert [one.side for one in regions] == pytest.approx([40 * factor] * 2)


def test_opencv_without_cascades_is_named(monkeypatch):
    face_proposals._cascade.cache_clear()
    monkeypatch.setattr(cv2.data, "haarcascades", "/nowhere/")
    with pytest.raises(BackendError, match="no face cascade haarcascade_frontalface_alt2"):
        cascade_regions(PHOTO)
    face_proposals._cascade.cache_clear()


@pytest.mark.parametrize(("width", "height"), [(300, 300), (300, 480), (1000, 200)])
def test_every_face_lies_well_in_a_square_of_the_lattice(width, height):
    regions = lattice_regions(width, height, sides=SIDES)
    generator = np.random.default_rng(0)
    for share in SIDES:
        side = share * min(width, height)
        near = [one for one in regions if one.side == pytest.approx(side)]
        low = np.minimum(side / 6, np.array([width, height]) / 2)
        for _ in range(50):
            x, y = generator.uniform(low - 0.5, np.array([width, height]) - low - 0.5)
            step = min(max(abs(one.center_x - x), abs(one.center_y - y)) for one in near)
            assert step <= side / 8 + 1e-6


def test_the_lattice_is_symmetric_and_starts_with_the_largest():
    regions = lattice_regions(301, 200, sides=SIDES)
    xs = sorted({round(one.center_x, 6) for one in regions})
    assert xs == pytest.approx([300 - x for x in reversed(xs)])
    sides = [one.side for one in regions]
    assert sides == sorted(sides, reverse=True)
