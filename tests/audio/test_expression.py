"""Muscles and head in a face's own coordinates, checked by hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio.expression import (
    Expression,
    HeadPose,
    closing_of,
    displacements,
    keep_apart,
    rotation,
    turn_head,
)
from lightning_modules.audio.face_axes import average_face
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LID_PAIRS, LIPS, MIRROR

FLIP = np.array([-1.0, 1.0, 1.0])


def one(**values: float) -> Expression:
    rest = dict.fromkeys(("jaw", "width", "bare", "closing", "blink", "brows"), 0.0)
    return Expression(**{name: np.array([value]) for name, value in {**rest, **values}.items()})


def pose(**values: float) -> HeadPose:
    rest = dict.fromkeys(("pitch", "yaw", "roll", "right", "down"), 0.0)
    return HeadPose(**{name: np.array([value]) for name, value in {**rest, **values}.items()})


def moved(face=None, **values):
    return displacements(average_face() if face is None else face, one(**values), 0.0)[0]


def test_rest_moves_nothing():
    np.testing.assert_array_equal(moved(), 0.0)


def test_the_jaw_turns_about_its_hinge():
    jaw = moved(jaw=1.0)
    # chin (0, 1.29, -0.20), hinge (y 0.18, z -0.87), 0.2 rad
    y, z = 1.29 - 0.18, -0.20 + 0.87
    expected = [0, y * np.cos(0.2) + z * np.sin(0.2) - y, -y * np.sin(0.2) + z * np.cos(0.2) - z]
    np.testing.assert_allclose(jaw[8], expected, atol=1e-12)
    assert jaw[66, 1] - jaw[62, 1] == pytest.approx(0.2, abs=0.03)
    np.testing.assert_array_equal(jaw[[0, 16, *range(17, 48)]], 0.0)
    assert abs(jaw[54, 0]) > 0  # the corners come inward
    assert (average_face() + jaw)[54, 0] < average_face()[54, 0]


@pytest.mark.parametrize("muscle", ["jaw", "width", "bare", "closing", "blink", "brows"])
def test_every_muscle_is_symmetric_and_does_something(muscle):
    face = average_face()
    face[61:64, 1] -= 0.05  # something to close
    found = moved(face, **{muscle: 0.7})
    assert np.abs(found).max() > 0.01
    np.testing.assert_allclose(found[list(MIRROR)] * FLIP, found, atol=1e-12)


def test_rounding_narrows_protrudes_and_does_not_part_the_lips():
    rounded = moved(width=-1.0)
    assert rounded[48, 0] == pytest.approx(0.19 * 0.66)
    assert rounded[57, 2] == pytest.approx(0.09)
    for upper, lower in INNER_LIP_PAIRS:
        assert rounded[upper, 1] == rounded[lower, 1] == 0.0
    spread = moved(width=1.0)
    assert spread[48, 0] == pytest.approx(-0.10 * 0.66)
    assert spread[57, 2] == 0.0


def test_a_blink_closes_the_lids_four_fifths_from_above():
    closed = average_face() + moved(blink=1.0)
    for upper, lower in LID_PAIRS:
        np.testing.assert_allclose(closed[upper], closed[lower], atol=1e-12)
        rest_upper, rest_lower = average_face()[[upper, lower]]
        np.testing.assert_allclose(closed[upper], rest_upper + 0.8 * (rest_lower - rest_upper), atol=1e-12)
    left = displacements(average_face(), one(blink=1.0), 0.02)[0] + average_face()
    for upper, lower in LID_PAIRS:
        assert np.linalg.norm(left[lower] - left[upper]) == pytest.approx(0.02)


def test_a_smile_closes_by_the_lips_alone():
    smile = average_face()
    smile[61:64, 1] -= 0.04
    smile[65:68, 1] += 0.05
    closing = closing_of(smile)
    closed = smile + closing
    for upper, lower in INNER_LIP_PAIRS:
        assert closed[lower, 1] - closed[upper, 1] == pytest.approx(0.0, abs=1e-12)
        assert closed[upper, 1] == pytest.approx(0.77 - 0.04 + 0.4 * 0.09)
    assert closing[57, 1] == pytest.approx(-0.85 * 0.6 * 0.09)
    np.testing.assert_array_equal(closing[:48], 0.0)


def test_a_shout_closes_with_the_jaw():
    shout = average_face() + moved(jaw=2.0)
    closing = closing_of(shout)
    closed = shout + closing
    for upper, lower in INNER_LIP_PAIRS:
        assert abs(closed[lower, 1] - closed[upper, 1]) < 1e-9
    assert closing[8, 1] < -0.1
    assert np.abs(closed - average_face())[8, 1] < np.abs(shout - average_face())[8, 1]
    np.testing.assert_array_equal(closing[17:48], 0.0)


def test_closed_lips_need_no_closing():
    np.testing.assert_allclose(closing_of(average_face()), 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("turn", "vector", "expected"),
    [
        ({"yaw": np.pi / 2}, [0, 0, 1], [1, 0, 0]),  # the nose turns to the right of the picture
        ({"pitch": np.pi / 2}, [0, 0, 1], [0, 1, 0]),  # the nose nods down
        ({"roll": np.pi / 2}, [1, 0, 0], [0, 1, 0]),  # clockwise on screen
    ],
)
def test_directions_of_the_head(turn, vector, expected):
    np.testing.assert_allclose(rotation(pose(**turn))[0] @ vector, expected, atol=1e-12)


def test_the_head_turns_rigidly_about_the_neck():
    face = average_face()
    found = face + turn_head(face, np.zeros((1, 68, 3)), pose(pitch=0.1, yaw=-0.2, roll=0.05))[0]
    neck = face[2] + face[14] - face[33]
    before = np.linalg.norm(face[:, None] - face[None], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=-1), before, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found - neck, axis=1), np.linalg.norm(face - neck, axis=1), atol=1e-12)
    shifted = turn_head(face, np.zeros((1, 68, 3)), pose(right=0.1, down=-0.2))[0]
    np.testing.assert_allclose(shifted, np.broadcast_to([0.1, -0.2, 0.0], (68, 3)), atol=1e-12)


def test_the_expression_turns_with_the_head():
    face = average_face()
    smile = moved(width=0.5)[None]
    together = face + turn_head(face, smile, pose(yaw=0.3))[0]
    matrix = rotation(pose(yaw=0.3))[0]
    neck = face[2] + face[14] - face[33]
    np.testing.assert_allclose(together, (face + smile[0] - neck) @ matrix.T + neck, atol=1e-12)


def test_crossed_lips_are_held_apart():
    points = 100.0 * average_face()[None]
    points[0, 66, 1] -= 3.0
    middle = 0.5 * (points[0, 62] + points[0, 66])
    before = points.copy()
    keep_apart(points, np.array([[0.0, 1.0]]), 0.4)
    for upper, lower in INNER_LIP_PAIRS:
        assert points[0, lower, 1] - points[0, upper, 1] == pytest.approx(0.4)
    np.testing.assert_allclose(0.5 * (points[0, 62] + points[0, 66]), middle)
    others = [k for k in range(68) if k not in {61, 62, 63, 65, 66, 67}]
    np.testing.assert_array_equal(points[0, others], before[0, others])
    assert set(range(61, 68)) <= set(LIPS)
