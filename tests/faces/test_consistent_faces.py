"""Refinement, merging and consistency, with a network that reads the truth from the picture."""

from __future__ import annotations

import numpy as np
import pytest
from legible_picture import Oracle, frontal_face, legible_picture

from lightning_modules.faces.consistent_faces import (
    MOST_AT_ONCE,
    MOST_JUDGED,
    NUDGES,
    Candidate,
    candidate_of,
    judged,
    merged,
    refined,
    seen_in,
)
from lightning_modules.faces.face_proposals import lattice_regions
from lightning_modules.faces.face_region import FaceRegion
from lightning_modules.faces.landmark_region import View, region_of_landmarks
from lightning_modules.geometry.landmark_groups import MIRROR

PICTURE = legible_picture()
FACE = frontal_face(90, 100, 40, lean=15)
OTHER = frontal_face(190, 180, 30, lean=-10)


@pytest.mark.parametrize("shift", [(0, 0), (12, -8), (-10, 10)])
@pytest.mark.parametrize("scale", [0.75, 1.5])
def test_a_proposal_beside_a_face_is_led_to_it(shift, scale):
    true = region_of_landmarks(FACE)
    start = FaceRegion(true.center_x + shift[0], true.center_y + shift[1], true.side * scale, 0.0)
    (found,) = refined(PICTURE, [start], Oracle([FACE]))
    assert found.landmarks == pytest.approx(FACE, abs=0.15)
    assert found.support == 1


def test_settled_proposals_are_not_looked_at_again():
    oracle = Oracle([FACE])
    (found,) = refined(PICTURE, [region_of_landmarks(FACE)], oracle)
    assert oracle.batches == [1, 1]  # the second look tells that it stays
    assert found.settled


def test_all_squares_about_a_face_lead_to_it_and_count():
    squares = lattice_regions(256, 256, sides=(0.48, 0.36))
    found = refined(PICTURE, squares, Oracle([FACE, OTHER]), least_support=2)
    assert sum(one.support > 2 for one in found) == 2
    for true in (FACE, OTHER):
        (one,) = [one for one in found if np.abs(one.landmarks - true).max() < 0.15]
        assert one.support >= 4


def test_where_nothing_is_neighbours_do_not_agree():
    squares = lattice_regions(256, 256, sides=(0.48,))
    oracle = Oracle([])
    assert refined(PICTURE, squares, oracle, least_support=2) == []
    assert sum(oracle.batches) == len(squares)  # none was followed
    alone = refined(PICTURE, squares, oracle)
    assert len(alone) > 0.5 * len(squares)


def test_implausible_landmarks_are_given_up():
    region = region_of_landmarks(FACE)
    collapsed = Oracle([])
    collapsed.shape = np.full((68, 2), 0.5)
    assert refined(PICTURE, [region], collapsed) == []
    wandering = Oracle([])
    wandering.shape = wandering.shape + np.array([0.8, 0])
    assert refined(PICTURE, [region], wandering) == []


def test_merging_adds_support_and_keeps_the_best_supported():
    size = 40.0
    near = [
        Candidate(FACE + np.array([0.19 * size, 0]), 1),
        Candidate(FACE, 3),
        Candidate(FACE - np.array([0, 0.15 * size]), 2),
    ]
    far = Candidate(FACE + np.array([0.5 * size, 0]), 7)
    found = merged([*near, far])
    assert [one.support for one in found] == [7, 6]
    assert found[1].landmarks is near[1].landmarks
    assert merged([]) == []


def test_consistency_of_a_face_known_exactly():
    (one,) = judged(PICTURE, [candidate_of(FACE)], Oracle([FACE]))
    assert one.spread < 0.005
    assert one.landmarks == pytest.approx(FACE, abs=0.1)


def test_consistency_of_nothing_follows_the_square():
    """The same answer for every square: its shifts come back in full, as computed from the nudges by hand."""
    oracle = Oracle([])
    region = FaceRegion(128, 128, 80, 0.0)
    start = seen_in(PICTURE, [View(region)], oracle)[0]
    (one,) = judged(PICTURE, [candidate_of(start)], oracle)
    side = region_of_landmarks(start).side
    away = []
    for nudge in NUDGES:
        shape = oracle.shape[list(MIRROR)] * [-1, 1] + [1, 0] if nudge.mirrored else oracle.shape
        turn = np.radians(nudge.turn)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        away.append((shape - 0.5) * nudge.scale @ rotation + [nudge.right, nudge.down])
    expected = (
        np.linalg.norm(np.stack(away) - np.mean(away, 0), axis=2).mean() * side / np.linalg.norm(start[45] - start[36])
    )
    assert one.spread == pytest.approx(expected, rel=0.05)
    assert one.spread > 0.15


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_spread_measures_the_noise_and_the_mean_takes_it_out(noise):
    (one,) = judged(PICTURE, [candidate_of(FACE)], Oracle([FACE], noise))
    scales = np.array([nudge.scale for nudge in NUDGES])
    deviation = noise * region_of_landmarks(FACE).side * np.sqrt((scales**2).mean())
    # mean length of a normal vector in the plane, less what the mean of eight takes with it
    expected = deviation * np.sqrt(np.pi / 2) * np.sqrt(7 / 8) / 40
    assert one.spread == pytest.approx(expected, rel=0.12)
    error = np.linalg.norm(one.landmarks - FACE, axis=1).mean()
    assert error == pytest.approx(deviation * np.sqrt(np.pi / 2 / 8), rel=0.25)


def test_batches_are_small_and_candidates_few():
    oracle = Oracle([FACE])
    seen_in(PICTURE, [View(region_of_landmarks(FACE))] * (MOST_AT_ONCE + 3), oracle)
    assert oracle.batches == [MOST_AT_ONCE, 3]
    assert len(judged(PICTURE, [candidate_of(FACE)] * (MOST_JUDGED + 2), oracle)) == MOST_JUDGED
    assert seen_in(PICTURE, [], oracle).shape == (0, 68, 2)
    assert judged(PICTURE, [], oracle) == []
