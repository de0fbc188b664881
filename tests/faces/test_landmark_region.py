"""Squares around landmarks, the nudged ones, and the way from their fractions to the picture."""

from __future__ import annotations

import numpy as np
import pytest
from legible_picture import Oracle, frontal_face, legible_picture

from lightning_modules.faces.face_region import FaceRegion
from lightning_modules.faces.landmark_region import (
    Nudge,
    View,
    cut_views,
    face_size,
    region_of_landmarks,
    to_picture,
)


def test_the_region_is_the_box_times_1_3_with_the_eyes_level():
    points = frontal_face(100, 120, 40)
    low, high = points.min(0), points.max(0)
    region = region_of_landmarks(points)
    assert (region.center_x, region.center_y) == pytest.approx((low + high) / 2, abs=0.2)
    assert region.side == pytest.approx(1.3 * (high - low).max(), rel=0.01)
    assert region.angle == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("lean", [-75, -20, 30, 120])
def test_the_region_turns_and_grows_with_the_face(lean):
    upright, leaning = region_of_landmarks(frontal_face(0, 0, 40)), region_of_landmarks(frontal_face(5, 9, 80, lean))
    assert np.degrees(leaning.angle - upright.angle) == pytest.approx(lean)
    assert leaning.side == pytest.approx(2 * upright.side)
    cosine, sine = np.cos(np.radians(lean)), np.sin(np.radians(lean))
    moved = np.array([[cosine, -sine], [sine, cosine]]) @ [2 * upright.center_x, 2 * upright.center_y] + [5, 9]
    assert (leaning.center_x, leaning.center_y) == pytest.approx(moved)


def test_a_nudge_is_along_the_axes_of_the_square():
    region = FaceRegion(50, 60, 40, np.pi / 2)
    view = Nudge(right=0.1, down=0.25, scale=1.5, turn=90, mirrored=True).applied_to(region)
    # turned by a quarter clockwise, its right is down in the picture and its down is left
    assert (view.region.center_x, view.region.center_y) == pytest.approx((40, 64))
    assert (view.region.side, view.region.angle, view.mirrored) == pytest.approx((60, np.pi, True))


def test_corners_of_a_crop_are_the_outer_edges_of_its_pixels():
    region = FaceRegion(9.5, 19.5, 10, 0.0)  # columns 5 to 14, rows 15 to 24
    corners = np.zeros((1, 68, 2))
    corners[0, 1] = 1
    points = to_picture(corners, [View(region)])[0]
    assert points[0] == pytest.approx([4.5, 14.5])
    assert points[1] == pytest.approx([14.5, 24.5])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("side", "angle"), [(112, 0.0), (60, 0.5), (560, -0.3), (112, 2.0)])
def test_what_a_view_shows_comes_back_to_its_place(mirrored, side, angle):
    face = frontal_face(128, 120, side * 0.4)
    view = View(FaceRegion(120.5, 130.5, side, angle), mirrored)
    crops = cut_views(legible_picture(), [view])
    assert crops.shape == (1, 112, 112, 3)
    assert crops.dtype == np.float32
    # a picture's colours are whole numbers, so a place is known to a small part of a pixel only
    assert to_picture(Oracle([face])(crops), [view])[0] == pytest.approx(face, abs=0.05 * side / 112 + 0.05)


def test_outside_of_the_picture_is_white():
    crop = cut_views(np.zeros((20, 20, 3), np.uint8), [View(FaceRegion(9.5, 9.5, 40, 0.0))])[0]
    assert crop[:27].min() == 1
    assert crop[30:80, 30:80].max() == 0


def test_a_turned_face_is_measured_from_eyes_to_mouth():
    points = frontal_face(0, 0, 100)
    assert face_size(points) == pytest.approx(100, rel=0.02)
    down = points[48:68].mean(0) - points[36:48].mean(0)
    assert face_size(points * [0.2, 1]) == pytest.approx(abs(down[1]), rel=0.01)
    assert face_size(np.zeros((68, 3))) > 0
