from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from lightning_modules.geometry import landmark_groups as groups


def test_groups_tile_the_68_points():
    parts = (groups.JAW, groups.RIGHT_BROW, groups.LEFT_BROW, groups.NOSE_BRIDGE, groups.NOSE_BASE, groups.RIGHT_EYE)
    parts += (groups.LEFT_EYE, groups.OUTER_LIP, groups.INNER_LIP)
    assert [point for part in parts for point in part] == list(range(groups.POINT_COUNT))
    assert [*groups.NOSE_BRIDGE, *groups.NOSE_BASE] == list(groups.NOSE)
    assert [*groups.OUTER_LIP, *groups.INNER_LIP] == list(groups.LIPS)


def test_mirror_is_the_published_permutation_and_its_own_inverse():
    mirror = np.array(groups.MIRROR)
    assert sorted(mirror) == list(range(68))
    assert (mirror[mirror] == np.arange(68)).all()
    assert [mirror[k] for k in (0, 8, 17, 27, 31, 36, 37, 41, 48, 51, 57, 59, 60, 62, 66, 67)] == [
        16, 8, 26, 27, 35, 45, 44, 46, 54, 51, 57, 55, 64, 62, 66, 65,
    ]  # fmt: skip


def test_mirror_of_a_symmetric_face_is_the_face(symmetric_face):
    assert np.array_equal(groups.mirror_landmarks(symmetric_face, 256), symmetric_face)
    shifted = symmetric_face + np.array((3.0, 0.0))
    assert not np.allclose(groups.mirror_landmarks(shifted, 256), shifted)


def test_mirror_agrees_between_numpy_and_torch_and_keeps_the_input(face):
    before = face.clone()
    mirrored = groups.mirror_landmarks(face, 256)
    assert torch.equal(face, before)
    assert np.array_equal(groups.mirror_landmarks(face.numpy(), 256), mirrored.numpy())
    assert torch.allclose(groups.mirror_landmarks(mirrored, 256), face, atol=1e-12, rtol=0)


def test_mirror_rejects_other_point_counts():
    with pytest.raises(ValueError, match="68"):
        groups.mirror_landmarks(np.zeros((5, 2)), 256)


def test_lip_segments_are_two_closed_loops():
    assert len(groups.LIP_SEGMENTS) == 20
    assert groups.LIP_SEGMENTS[11] == (59, 48)
    assert groups.LIP_SEGMENTS[19] == (67, 60)
    for loop, points in ((groups.LIP_SEGMENTS[:12], groups.OUTER_LIP), (groups.LIP_SEGMENTS[12:], groups.INNER_LIP)):
        assert [a for a, _ in loop] == list(points)
        assert all(end == loop[(k + 1) % len(loop)][0] for k, (_, end) in enumerate(loop))


def test_pairs_lie_above_each_other(symmetric_face):
    for upper, lower in (*groups.LID_PAIRS, *groups.INNER_LIP_PAIRS, *groups.OUTER_LIP_PAIRS):
        assert symmetric_face[upper, 1] < symmetric_face[lower, 1]
        assert abs(symmetric_face[upper, 0] - symmetric_face[lower, 0]) < 2


@pytest.mark.parametrize("module", ["landmark_groups", "alignment", "smoothing"])
def test_no_torch_is_imported(module):
    code = f"import sys, lightning_modules.geometry.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
