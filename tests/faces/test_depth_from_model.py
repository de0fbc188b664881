"""Depth for flat landmarks: exact where the face is the average face, in any pose."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio.face_axes import average_face
from lightning_modules.faces.depth_from_model import with_depth
from lightning_modules.faces.face import head_turn


def pose(yaw: float, pitch: float, tilt: float) -> np.ndarray:
    y, p, t = np.radians([yaw, pitch, tilt])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-45, 10, 5), (60, -15, 20), (0, 0, 170)])
def test_depth_of_the_average_face_is_found_in_any_pose(angles):
    face = 70 * average_face() @ pose(*angles).T + [300, 200, 0]
    expected = face[:, 2] - (face[36, 2] + face[45, 2]) / 2
    found = with_depth(face[:, :2])
    assert np.array_equal(found[:, :2], face[:, :2].astype(np.float32))
    assert found[:, 2] == pytest.approx(expected, abs=1e-3)


def test_depth_of_a_real_face_agrees_with_the_mesh(portrait_face):
    points = portrait_face.landmarks
    found = with_depth(points[:, :2])
    assert np.corrcoef(found[:, 2], points[:, 2])[0, 1] > 0.9
    assert head_turn(found) == pytest.approx(head_turn(points), abs=4)


def test_refused():
    with pytest.raises(ValueError, match="68, 2"):
        with_depth(np.zeros((67, 2)))
    with pytest.raises(ValueError, match="one line"):
        with_depth(np.stack([np.arange(68.0), np.arange(68.0)], axis=1))
    with pytest.raises(ValueError, match="one place"):
        with_depth(np.ones((68, 2)))
