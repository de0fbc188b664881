"""The starter analyzer around a network that knows the truth, and with the weights of the package where they are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from legible_picture import Oracle, frontal_face, legible_picture

from experiments.demo import DEMO_PHOTO
from lightning_modules.errors import ConfigError
from lightning_modules.faces import starter_analyzer
from lightning_modules.faces.consistent_faces import Judged
from lightning_modules.faces.face import head_turn
from lightning_modules.faces.face_analyzers import make_face_analyzer
from lightning_modules.faces.landmark_region import region_of_landmarks
from lightning_modules.faces.photo import read_photo
from lightning_modules.faces.starter_analyzer import StarterAnalyzer, confidence_of
from lightning_modules.faces.starter_network import WEIGHT_NAME
from lightning_modules.weights.registry import load_manifest, locate

PICTURE = legible_picture()
FACE = frontal_face(90, 100, 40, lean=15)
OTHER = frontal_face(185, 175, 46, lean=-10)
SHIPPED = any(weight.name == WEIGHT_NAME and locate(weight) for weight in load_manifest())


def analyzer_of(*faces, noise=0.0, **options):
    return make_face_analyzer("starter", network=Oracle(faces, noise), **options)


@pytest.mark.parametrize("method", ["find_faces", "find_drawn_faces"])
def test_faces_that_no_cascade_knows_are_found_by_squares(method):
    faces = getattr(analyzer_of(FACE, OTHER, noise=0.005), method)(PICTURE)
    assert len(faces) == 2
    for face, true in zip(faces, (FACE, OTHER), strict=True):  # left to right
        assert np.linalg.norm(face.landmarks[:, :2] - true, axis=1).mean() < 0.5
        assert face.confidence > 0.9
        assert abs(head_turn(face.landmarks)) < 3
    assert "squares all over" in faces.tried[-1]


def test_a_picture_without_a_face_says_what_was_tried():
    analyzer = analyzer_of()
    assert analyzer.find_faces(PICTURE) == []
    assert len(analyzer.find_faces(PICTURE).tried) == 3
    assert analyzer.find_drawn_faces(PICTURE) == []


def test_a_proposal_of_the_cascade_needs_no_squares(monkeypatch):
    near = region_of_landmarks(FACE + 4)
    steps = (("near", lambda _: [near], 1), ("never", lambda _: pytest.fail("asked"), 1))
    monkeypatch.setattr(starter_analyzer, "PHOTO_STEPS", steps)
    (face,) = analyzer_of(FACE).find_faces(PICTURE)
    assert np.abs(face.landmarks[:, :2] - FACE).max() < 0.15


def test_unsure_faces_do_not_count():
    noisy = Oracle([FACE], noise=0.02)
    assert StarterAnalyzer(network=noisy, certainty=0.999).find_drawn_faces(PICTURE) == []
    assert StarterAnalyzer(network=noisy, certainty=0.05).find_drawn_faces(PICTURE) != []
    with pytest.raises(ConfigError, match=r"a certainty of 1\.5"):
        StarterAnalyzer(network=noisy, certainty=1.5)


def test_confidence_falls_with_movement_and_rises_with_support():
    def confidence(spread, support):
        return confidence_of(Judged(FACE, support, spread))

    spreads = [confidence(spread, 5) for spread in (0.0, 0.03, 0.06, 0.1, 0.2, 1.0)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 0.95
    assert spreads[-1] < 0.01
    # by hand: one proposal may move by 0.042 + 0.0015, twenty and more by 0.042 + 0.03
    assert confidence(0.0435, 1) == pytest.approx(0.5)
    assert confidence(0.072, 20) == confidence(0.072, 70) == pytest.approx(0.5)
    assert confidence(0.0435 + 0.008, 1) == pytest.approx(1 / (1 + np.e))


def test_a_face_is_followed_through_frames_without_a_search(monkeypatch):
    analyzer = analyzer_of(FACE)
    first = analyzer.find_faces(PICTURE)
    monkeypatch.setattr(analyzer, "find_faces", lambda _: first)
    followed = list(analyzer.find_faces_in_frames([PICTURE] * 3))
    assert [faces.tried for faces in followed[1:]] == [("following the last frame",)] * 2
    assert all(np.abs(faces[0].landmarks[:, :2] - FACE).max() < 0.15 for faces in followed)


def test_other_arrays_are_refused():
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        analyzer_of().find_faces(PICTURE.astype(np.float32))


def test_torch_waits_until_it_is_needed():
    code = (
        "import sys\n"
        "import lightning_modules.faces.starter_analyzer, lightning_modules.faces.combined_analyzer\n"
        "assert 'torch' not in sys.modules and 'mediapipe' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not SHIPPED, reason="the package came without the landmark network")
def test_the_shipped_network_agrees_with_mediapipe_on_the_photo_of_the_package(analyzer):
    rgb = read_photo(DEMO_PHOTO).rgb
    (known,) = analyzer.find_faces(rgb)
    eyes = np.linalg.norm(known.landmarks[45, :2] - known.landmarks[36, :2])
    starter = make_face_analyzer("starter")
    for found in (starter.find_faces(rgb), starter.find_drawn_faces(rgb)):
        (face,) = found
        error = np.linalg.norm(face.landmarks[:, :2] - known.landmarks[:, :2], axis=1).mean() / eyes
        assert error < 0.06
        assert face.confidence > 0.8
    # moving the picture moves the landmarks
    moved = np.pad(rgb, ((31, 0), (17, 0), (0, 0)), mode="edge")
    (face,) = starter.find_faces(moved)
    shift = (face.landmarks - starter.find_faces(rgb)[0].landmarks)[:, :2].mean(0)
    assert shift == pytest.approx([17, 31], abs=float(0.02 * eyes))
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    assert starter.find_faces(noise) == []
