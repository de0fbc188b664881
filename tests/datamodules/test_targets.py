from __future__ import annotations

import numpy as np
import pytest

from datamodules.synthetic.faces import in_crop, moved_face, random_face, template
from datamodules.targets import (
    TargetSettings,
    changed,
    face_at_rest,
    jitter,
    motion,
    similarity_between,
    talking,
)
from lightning_modules.errors import ConfigError


def test_procrustes_by_hand():
    # A unit square onto the same one turned by 90 degrees (x to y), twice as large, shifted by (10, 20).
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    goal = np.array([[10, 20], [10, 22], [8, 22], [8, 20]], float)
    found = similarity_between(square, goal)
    assert np.allclose(found.linear, [[0, -2], [2, 0]], atol=1e-12)
    assert np.allclose(found.shift, [10, 20], atol=1e-12)
    assert np.allclose(found.points(square), goal, atol=1e-6)


def test_procrustes_is_the_least_squares_answer():
    generator = np.random.default_rng(1)
    source, target = generator.normal(size=(68, 2)), generator.normal(size=(68, 2))
    # Independent: linear least squares in (a, b, tx, ty) of x' = a x - b y + tx, y' = b x + a y + ty.
    x, y, one, zero = source[:, 0], source[:, 1], np.ones(68), np.zeros(68)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, tx, ty = np.linalg.lstsq(rows, np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    found = similarity_between(source, target)
    assert np.allclose(found.linear, [[a, -b], [b, a]], atol=1e-10)
    assert np.allclose(found.shift, [tx, ty], atol=1e-10)


def test_a_mirrored_face_is_not_mirrored_back():
    face = in_crop(template(), 256)[:, :2]
    found = similarity_between(face * [-1, 1], face)
    assert np.linalg.det(found.linear) > 0


def test_planes_move_with_points():
    face, other = (in_crop(random_face(np.random.default_rng(seed)), 128)[:, :2] for seed in (1, 2))
    found = similarity_between(face, other)
    spot = np.zeros((1, 128, 128), np.float32)
    spot[0, 60:64, 40:44] = 1
    moved = found.planes(spot)[0]
    weights = moved / moved.sum()
    center = [(weights * np.arange(128)).sum(), (weights * np.arange(128)[:, None]).sum()]
    assert np.allclose(center, found.points(np.array([[41.5, 61.5]]))[0], atol=0.05)


@pytest.mark.parametrize("size", [256, 128])
def test_published_change_is_positive_and_moves_the_lips_as_one(size):
    offsets = np.stack([jitter(np.random.default_rng(s), size, most_change=3.0, symmetric=False) for s in range(400)])
    limit = 3 * size / 256
    assert offsets.min() >= 0
    assert offsets.max() < limit
    assert offsets.mean() == pytest.approx(limit / 2, rel=0.03)
    assert np.ptp(offsets[:, 48:], axis=1).max() == 0
    assert (np.ptp(offsets[:, :48], axis=1) > 0).all()


def test_symmetric_change_has_no_drift():
    offsets = np.stack([jitter(np.random.default_rng(s), 256, most_change=3.0, symmetric=True) for s in range(400)])
    assert offsets.min() >= -1.5
    assert offsets.max() < 1.5
    assert abs(offsets[:, :48].mean()) < 0.02
    assert np.ptp(offsets[:, 48:], axis=1).max() == 0


def test_real_motion_takes_the_size_and_posture_of_the_face():
    face = random_face(np.random.default_rng(0))
    track = np.stack([face, moved_face(face, mouth=0.1)])[:, :, :2].astype(np.float32) * 50
    turned = track[0] @ np.array([[0.0, 2.0], [-2.0, 0.0]], np.float32) + 7  # by 90 degrees, twice as large
    offsets = motion(np.random.default_rng(0), [track], turned)
    expected = (track[1] - track[0]) @ np.array([[0.0, 2.0], [-2.0, 0.0]])
    assert np.allclose(offsets, expected, atol=1e-3)
    assert np.abs(offsets[57]).max() == pytest.approx(0.1 * 50 * 2, rel=1e-3)  # the lower lip goes down


def test_every_pair_of_neighbours_of_every_track_is_used():
    steps = [np.cumsum(np.full((count, 68, 2), start), axis=0) for count, start in ((3, 1.0), (4, 8.0))]
    face = np.random.default_rng(9).normal(size=(68, 2))
    for number in range(2):  # a step of its own size for each pair
        squares = np.arange(len(steps[number]))[:, None, None] ** 2
        steps[number] = steps[number] + 0.125 * (number + 1) * squares + face
    seen = {
        round(float(motion(np.random.default_rng(s), steps, steps[0][0].astype(np.float32))[0, 0]), 2)
        for s in range(200)
    }
    assert len(seen) == 5


def test_settings_out_of_range_are_refused():
    for wrong in ({"own_share": 1.5}, {"change": "violent"}, {"most_change": -1.0}):
        with pytest.raises(ConfigError):
            TargetSettings(**wrong)
    with pytest.raises(ValueError, match="coincide"):
        similarity_between(np.zeros((3, 2)), np.ones((3, 2)))


def test_changed_follows_the_settings():
    face = in_crop(template(), 256)[:, :2]
    published = changed(np.random.default_rng(3), face, 256, TargetSettings(change="published"), ())
    assert np.array_equal(published - face >= 0, np.ones((68, 2), bool))
    still = changed(np.random.default_rng(3), face, 256, TargetSettings(most_change=0.0), ())
    assert np.array_equal(still, face)


def test_a_face_that_talks_moves_as_the_track_does_in_its_own_size():
    rest = in_crop(template(), 128)[:, :2].astype(np.float32)
    opened = rest.copy()
    opened[[65, 66, 67], 1] += 4.0
    wide = rest.copy()
    wide[[65, 66, 67], 1] += 9.0
    track = np.stack([rest, rest, rest, opened, wide, opened, rest, rest])
    assert np.allclose(face_at_rest(track), rest)
    face = rest * 2 + 5  # twice as large
    moves = set()
    for seed in range(60):
        first, second = talking(np.random.default_rng(seed), [track], [face_at_rest(track)], face)
        assert np.allclose((first - face)[:65], 0, atol=1e-3)
        moves.add((round(float((first - face)[66, 1])), round(float((second - face)[66, 1]))))
    assert moves == {(0, 0), (0, 8), (8, 18), (18, 8), (8, 0)}


def test_shares_of_own_and_talking_faces_add_up_to_one_at_most():
    assert not TargetSettings().needs_tracks
    assert TargetSettings(talking_share=0.5).needs_tracks
    with pytest.raises(ConfigError, match=r"talking_share is 0\.7, beside an own_share of 0\.4"):
        TargetSettings(own_share=0.4, talking_share=0.7)
