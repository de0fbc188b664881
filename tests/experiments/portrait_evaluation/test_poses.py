"""Which moments of a track are looked at, on tracks made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.portrait_evaluation.poses import (
    POSES,
    REST_FRAME,
    TITLES,
    TURNED_FRAME,
    Pose,
    chosen_poses,
    opening,
    turn_of,
    turned_head,
)
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import T_SHAPE, rigid_motion
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LID_PAIRS


def face():
    """Outer-eye distance 100, lips and lids 10 apart."""
    points = np.asarray(frontal_face(), np.float64) * 100
    for pairs in (INNER_LIP_PAIRS, LID_PAIRS):
        for upper, lower in pairs:
            points[lower] = points[upper] + (0, 10, 0)
    return points


def turned(points, degrees):
    angle = np.radians(degrees)
    matrix = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    return points @ np.array(matrix).T


def track(lips=(), lids=(), yaw=()):
    """A frame for each opening, in pixels, or angle; what is not given stays."""
    frames = []
    for number in range(max(len(lips), len(lids), len(yaw))):
        points = face()
        for pairs, values in ((INNER_LIP_PAIRS, lips), (LID_PAIRS, lids)):
            for upper, lower in pairs:
                points[lower, 1] = points[upper, 1] + (values[number] if values else 10)
        frames.append(turned(points, yaw[number] if yaw else 0))
    return np.stack(frames).astype(np.float32)


def test_every_moment_is_where_it_was_put():
    poses = chosen_poses(
        track(
            lips=[0, 2, 20, 24, 8, 1, 6, 3],
            lids=[3, 12, 12, 12, 5, 12, 2, 12],
            yaw=[0, 1, 2, 3, 2, -4, -1, 0],
        ),
        face(),
    )
    assert [pose.name for pose in poses] == list(POSES) == list(TITLES)
    assert [pose.frame for pose in poses] == [REST_FRAME, 3, 5, TURNED_FRAME, 6]
    # The eyes, 100 apart, are nearer to each other on the picture where the head is turned.
    assert poses[1].value == pytest.approx(24 / (100 * np.cos(np.radians(3))), rel=2e-3)
    assert poses[2].value == pytest.approx(1 / (100 * np.cos(np.radians(4))), rel=2e-3)
    assert poses[3].value == turn_of(face())
    assert poses[4].value == pytest.approx(20 / np.cos(np.radians(1)), rel=2e-3)  # 2 of 10 in the photo
    assert poses[2].caption == "closed lips"
    assert Pose("turned", TURNED_FRAME, -12.0).caption == "head turned -12°"
    assert poses[4].caption == "blink, lids 20 %"


def test_lips_that_are_closed_before_speech_do_not_count():
    # Narrowest at the beginning; half of the widest, 10, is reached in frame 2.
    assert chosen_poses(track(lips=[0, 1, 12, 20, 5, 9]), face())[2].frame == 4


def test_where_the_mouth_opens_last_the_narrowest_frame_of_all_is_taken():
    assert chosen_poses(track(lips=[1, 2, 0, 20]), face())[2].frame == 2


def test_the_first_of_equal_frames_is_taken():
    assert [pose.frame for pose in chosen_poses(track(lips=[4, 4, 4]), face())] == [
        REST_FRAME,
        0,
        1,
        TURNED_FRAME,
        0,
    ]


def test_strength_compares_utterances():
    assert Pose("open", 1, 0.3).strength > Pose("open", 1, 0.2).strength
    assert Pose("closed", 1, 0.01).strength > Pose("closed", 1, 0.02).strength
    assert Pose("blink", 1, 10.0).strength > Pose("blink", 1, 60.0).strength
    assert Pose("rest", REST_FRAME, 0.0).strength == 0


def test_the_measures():
    assert opening(face()[None], LID_PAIRS) == pytest.approx([0.1], rel=1e-6)


@pytest.mark.parametrize("tilt", [0.0, 15.0])
@pytest.mark.parametrize("degrees", [0.0, 12.0, -12.0])
def test_the_head_is_turned_as_a_whole(degrees, tilt):
    angle = np.radians(tilt)
    tilted = face() @ np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]).T
    moved = turned_head(tilted, degrees).astype(np.float64)
    stiff = list(T_SHAPE)
    rotation = rigid_motion(tilted[stiff], moved[stiff][None]).rotation[0]
    assert np.degrees(np.arccos(min((np.trace(rotation) - 1) / 2, 1.0))) == pytest.approx(abs(degrees), abs=1e-2)
    if degrees and not tilt:
        assert np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2])) == pytest.approx(degrees, abs=1e-2)
    apart = [np.linalg.norm(points[:, None] - points[None], axis=-1) for points in (tilted, moved)]
    assert np.abs(apart[0] - apart[1]).max() < 1e-2


def test_a_head_is_turned_away_from_where_it_looks():
    assert turn_of(turned(face(), 30)) == -12.0
    assert turn_of(turned(face(), -30)) == 12.0


@pytest.mark.parametrize("shape", [(1, 68, 3), (4, 68, 2), (4, 67, 3), (68, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="T of at least 2"):
        chosen_poses(np.zeros(shape, np.float32), face())
