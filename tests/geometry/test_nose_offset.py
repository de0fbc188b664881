from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.geometry.nose_offset import nose_offset


def test_the_nose_beside_the_middle_of_the_eyes_by_hand():
    face = np.zeros((68, 3))
    face[36], face[45], face[30] = (10.0, 20.0, 3.0), (50.0, 20.0, -5.0), (38.0, 45.0, 9.0)
    assert nose_offset(face) == pytest.approx(8 / 40)
    assert nose_offset(face * [-1.0, 1.0, 1.0]) == pytest.approx(8 / 40)  # the corners are mirrored, too
    face[30, 0] = 22.0
    assert nose_offset(face) == pytest.approx(-8 / 40)


def test_turned_enlarged_and_moved_pictures_tell_the_same():
    faces = np.random.default_rng(3).normal(size=(5, 68, 2))
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    np.testing.assert_allclose(nose_offset(3.0 * faces @ turn + 7.0), nose_offset(faces), rtol=1e-9)
    np.testing.assert_allclose(nose_offset(torch.from_numpy(faces)).numpy(), nose_offset(faces), rtol=1e-12)


def test_eyes_in_one_place_give_a_number():
    assert nose_offset(np.zeros((68, 2))) == 0.0
