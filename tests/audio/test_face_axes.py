"""The axes of a face: found again whatever its tilt, size and place."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio.expression import HeadPose, rotation
from lightning_modules.audio.face_axes import average_face, face_axes
from lightning_modules.geometry.landmark_groups import MIRROR


def turned(pitch, yaw, roll):
    angles = [np.array([np.radians(angle)]) for angle in (pitch, yaw, roll)]
    return rotation(HeadPose(*angles, np.zeros(1), np.zeros(1)))[0]


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, 35, 0), (0, 0, 170), (-15, 25, -40)])
@pytest.mark.parametrize("unit", [7.0, 800.0])
def test_rotation_scale_and_place_are_found_again(angles, unit):
    matrix = turned(*angles)
    axes = face_axes(unit * average_face() @ matrix.T + [300.0, -20.0, 5.0])
    np.testing.assert_allclose(axes.axes, matrix, atol=1e-9)
    assert axes.unit == pytest.approx(unit)
    np.testing.assert_allclose(axes.local, average_face(), atol=1e-9)
    np.testing.assert_allclose(axes.to_pixels(np.array([[0.0, 1.0, 0.0]])), unit * matrix[:, 1][None], atol=1e-9)


def test_the_average_face_is_symmetric_and_one_eye_distance_wide():
    face = average_face()
    assert face.shape == (68, 3)
    np.testing.assert_allclose(face[list(MIRROR)] * [-1, 1, 1], face, atol=1e-12)
    assert face[45, 0] - face[36, 0] == 1.0
    np.testing.assert_allclose(
        face[[8, 30, 48, 62]], [[0, 1.29, -0.2], [0, 0.43, 0.3], [-0.33, 0.77, -0.14], [0, 0.77, 0.065]]
    )


def test_a_face_without_depth_keeps_its_tilt_and_gets_average_depth():
    matrix = turned(0, 0, 25)
    flat = 100.0 * average_face() * [1, 1, 0] @ matrix.T
    axes = face_axes(flat)
    np.testing.assert_allclose(axes.axes, matrix, atol=1e-9)
    np.testing.assert_allclose(axes.local, average_face(), atol=1e-9)


def test_an_open_mouth_hardly_bends_the_axes():
    face = average_face()
    face[65:68, 1] += 0.4
    face[55:60, 1] += 0.35
    face[4:13, 1] += 0.3
    axes = face_axes(100.0 * face).axes
    assert np.degrees(np.arccos(axes[1, 1])) < 4.0


@pytest.mark.parametrize("face", [np.zeros((68, 3)), np.zeros((68, 2)), np.full((68, 3), np.nan)])
def test_what_is_no_face(face):
    with pytest.raises(ValueError, match="landmarks"):
        face_axes(face)
