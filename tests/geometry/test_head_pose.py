from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lightning_modules.audio.face_axes import average_face
from lightning_modules.geometry.head_pose import (
    T_SHAPE,
    apply_pose,
    face_frame,
    quaternion_of,
    register,
    remove_pose,
    rigid_motion,
    rotation_of,
)


@pytest.fixture
def random():
    return np.random.default_rng(5)


def test_a_known_motion_is_found(random):
    rotation = Rotation.random(7, rng=random).as_matrix()
    shift = random.standard_normal((7, 3))
    points = random.standard_normal((9, 3))
    found = rigid_motion(points, points @ rotation.swapaxes(1, 2) + shift[:, None])
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, shift, atol=1e-12)


def test_noisy_points_give_scipys_rotation(random):
    first, second = random.standard_normal((2, 9, 3))
    found = rigid_motion(first, second).rotation
    expected = Rotation.align_vectors(second - second.mean(axis=0), first - first.mean(axis=0))[0]
    np.testing.assert_allclose(found, expected.as_matrix(), atol=1e-9)


def test_a_mirrored_face_is_turned_not_mirrored(random):
    points = random.standard_normal((4, 9, 3))
    rotation = rigid_motion(points, points * [-1.0, 1.0, 1.0]).rotation
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    np.testing.assert_allclose(rotation @ rotation.swapaxes(1, 2), np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-12)


def test_scale_is_no_part_of_the_motion(random):
    points = random.standard_normal((9, 3))
    found = rigid_motion(points, 2.0 * points)
    np.testing.assert_allclose(found.rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.translation, points.mean(axis=0), atol=1e-12)


def moving_track(random, frames=40):
    """A speaking average face that turns, with the pose that turns it."""
    face = np.repeat(average_face()[None], frames, axis=0)
    face[:, 48:] += 0.05 * random.standard_normal((frames, 20, 3))
    turn = Rotation.from_euler("yxz", random.uniform(-30, 30, 3) * np.linspace(0, 1, frames)[:, None], degrees=True)
    shift = 0.1 * random.standard_normal((frames, 3))
    return face, turn, shift


def test_registration_takes_out_exactly_the_heads_movement(random):
    face, turn, shift = moving_track(random)
    full = face @ turn.as_matrix().swapaxes(1, 2) + shift[:, None]
    found = register(full, average_face())
    np.testing.assert_allclose(found.registered, face, atol=1e-12)
    np.testing.assert_allclose(rotation_of(found.pose[:, :4]), turn.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(found.pose[:, 4:], shift, atol=1e-12)
    np.testing.assert_allclose(apply_pose(found.registered, found.pose), full, atol=1e-12)
    np.testing.assert_allclose(remove_pose(full, found.pose), face, atol=1e-12)


def test_single_precision_keeps_the_round_trip(random):
    face, turn, shift = moving_track(random)
    full = face @ turn.as_matrix().swapaxes(1, 2) + shift[:, None]
    registered, pose = (values.astype(np.float32) for values in register(full, average_face()))
    np.testing.assert_allclose(apply_pose(registered, pose), full, atol=1e-6)


def test_only_the_t_shape_decides(random):
    face, _, _ = moving_track(random)
    others = [point for point in range(68) if point not in T_SHAPE]
    face[:, others] += random.standard_normal((len(face), len(others), 3))
    pose = register(face, average_face()).pose
    np.testing.assert_allclose(pose, np.broadcast_to([0, 0, 0, 1, 0, 0, 0], pose.shape), atol=1e-12)


def test_quaternions_of_a_full_turn_do_not_jump():
    angles = np.linspace(0.0, 4.0 * np.pi, 200)
    quaternions = quaternion_of(Rotation.from_rotvec(angles[:, None] * [0.0, 1.0, 0.0]).as_matrix())
    assert np.abs(np.diff(quaternions, axis=0)).max() < 0.05
    np.testing.assert_allclose(
        quaternions[100], [0.0, np.sin(angles[100] / 2), 0.0, np.cos(angles[100] / 2)], atol=1e-9
    )
    assert quaternions[0, 3] > 0


def test_rotations_and_quaternions_are_scipys(random):
    given = random.standard_normal((3, 20, 4)) * 5.0
    expected = Rotation.from_quat(given.reshape(-1, 4))
    np.testing.assert_allclose(rotation_of(given).reshape(-1, 3, 3), expected.as_matrix(), atol=1e-14)
    turns = np.concatenate([expected.as_matrix(), np.eye(3)[None], [np.diag(d) for d in ((1, -1, -1), (-1, -1, 1))]])
    theirs = Rotation.from_matrix(turns).as_quat()
    np.testing.assert_allclose(np.abs((quaternion_of(turns) * theirs).sum(axis=1)), 1.0, atol=1e-14)
    np.testing.assert_allclose(rotation_of(quaternion_of(turns)), turns, atol=1e-14)


def test_a_zero_quaternion_is_refused():
    with pytest.raises(ValueError, match="zero"):
        rotation_of(np.zeros((2, 4)))


def test_the_frame_of_a_face(random):
    turn = Rotation.from_euler("yxz", [20, -10, 15], degrees=True).as_matrix()
    static = 80.0 * average_face() @ turn.T + [200.0, 150.0, 30.0]
    frame = face_frame(static, average_face())
    assert frame.unit == pytest.approx(80.0)
    np.testing.assert_allclose(frame.to_face_units(static), average_face(), atol=1e-12)
    np.testing.assert_allclose(frame.from_face_units(frame.to_face_units(static)), static, atol=1e-10)
    as_it_is = face_frame(static).to_face_units(static)
    np.testing.assert_allclose(as_it_is[[36, 45]].mean(axis=0), 0.0, atol=1e-12)
    assert np.linalg.norm(as_it_is[45] - as_it_is[36]) == pytest.approx(1.0)
    np.testing.assert_allclose(as_it_is, average_face() @ turn.T, atol=1e-12)


def test_what_is_no_face_is_refused():
    with pytest.raises(ValueError, match="at least 3"):
        rigid_motion(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="not finite"):
        rigid_motion(np.full((9, 3), np.nan), np.zeros((9, 3)))
    with pytest.raises(ValueError, match="expected a track"):
        register(np.zeros((68, 3)), np.zeros((68, 3)))
    with pytest.raises(ValueError, match="coincide"):
        face_frame(np.zeros((68, 3)))
    with pytest.raises(ValueError, match="quaternions"):
        rotation_of(np.zeros((3, 3)))
