"""Boxes, the order of faces, the choice of one, and the messages when there is none or no such one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_modules.audio.face_axes import average_face
from lightning_modules.errors import ConfigError, FaceChoiceError, NoFaceError, PhotoError
from lightning_modules.faces.face import (
    Face,
    FaceBox,
    FaceList,
    choose_face,
    describe_faces,
    face_box,
    face_notes,
    head_turn,
    make_face,
)
from lightning_modules.faces.face_analyzers import make_face_analyzer
from lightning_modules.faces.photo import photo_from_pixels

PHOTO = photo_from_pixels(np.zeros((300, 400, 3), np.uint8), path=Path("party.jpg"))


def face_at(x: float, y: float, eye_distance: float = 40.0, confidence: float = 0.9) -> Face:
    return make_face(average_face() * eye_distance + [x, y, 5.0], confidence)


def test_box_arithmetic():
    box = FaceBox(120.2, 79.6, 300, 290)
    assert (box.width, box.height) == (pytest.approx(179.8), pytest.approx(210.4))
    assert box.area == pytest.approx(179.8 * 210.4)
    assert box.center == (pytest.approx(210.1), pytest.approx(184.8))
    assert str(box) == "120,80–300,290 (180×210)"


def test_overlap():
    box = FaceBox(0, 0, 10, 10)
    assert box.overlap(box) == 1
    assert box.overlap(FaceBox(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert box.overlap(FaceBox(10, 0, 20, 10)) == 0
    assert box.overlap(FaceBox(20, 20, 30, 30)) == 0


def test_face_box_holds_landmarks_and_forehead():
    face = face_at(200, 100)
    points = face.landmarks
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    assert face.box.left == pytest.approx(low[0], abs=1e-3)
    assert face.box.right == pytest.approx(high[0], abs=1e-3)
    assert face.box.bottom == pytest.approx(high[1], abs=1e-3)
    brows = points[17:27, 1]
    assert face.box.top == pytest.approx(brows.min() - 0.25 * (points[8, 1] - brows.mean()), abs=1e-3)


def test_face_box_follows_a_lying_face():
    upright = average_face()[:, :2] * 40
    lying = upright @ np.array([[0, 1], [-1, 0]])  # x' = -y, y' = x: a quarter turn clockwise
    box, turned = face_box(upright), face_box(lying)
    assert (turned.left, turned.top) == (pytest.approx(-box.bottom), pytest.approx(box.left))
    assert (turned.right, turned.bottom) == (pytest.approx(-box.top), pytest.approx(box.right))


def test_z_is_zero_between_the_eyes_and_toward_the_viewer_at_the_nose():
    points = face_at(200, 100).landmarks
    assert points[36, 2] + points[45, 2] == pytest.approx(0, abs=1e-4)
    assert points[30, 2] > 10
    assert points[0, 2] < -20


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((67, 3), np.float32),
        np.zeros((68, 2), np.float32),
        np.zeros((68, 3)),
        np.full((68, 3), np.nan, np.float32),
    ],
)
def test_a_face_checks_its_landmarks(bad):
    with pytest.raises(ValueError, match="landmarks"):
        Face(FaceBox(0, 0, 1, 1), bad, 0.5)


def test_faces_come_left_to_right():
    faces = FaceList([face_at(300, 100), face_at(60, 200), face_at(180, 50)])
    assert [round(face.box.center[0]) for face in faces] == [60, 180, 300]


def test_choice():
    faces = FaceList([face_at(300, 100, 40), face_at(60, 200, 30), face_at(180, 50, 60)])
    assert choose_face(faces, "largest", PHOTO) is faces[1]
    for number in (1, 2, 3):
        assert choose_face(faces, number, PHOTO) is faces[number - 1]


@pytest.mark.parametrize("number", [0, 3, -1])
def test_no_such_face(number):
    faces = FaceList([face_at(100, 100), face_at(300, 100)])
    with pytest.raises(FaceChoiceError) as caught:
        choose_face(faces, number, PHOTO)
    message = str(caught.value)
    assert message.startswith("party.jpg: ")
    assert f"face {number} was asked for, but 2 faces found in 400×300 pixels" in message
    assert describe_faces(faces) in message
    assert "choose a number from 1 to 2" in message


@pytest.mark.parametrize("choice", ["smallest", True, 1.0])
def test_not_a_choice(choice):
    with pytest.raises(FaceChoiceError, match="is not a choice"):
        choose_face([face_at(100, 100)], choice, PHOTO)


def test_no_face_says_what_was_tried():
    with pytest.raises(NoFaceError) as caught:
        choose_face(FaceList(tried=("the whole photo", "enlarged parts")), "largest", PHOTO)
    assert str(caught.value) == (
        "party.jpg: no face found in 400×300 pixels (tried: the whole photo, enlarged parts); use a photo that shows a"
        " whole face from the front; look for drawn faces with --landmarks mediapipe+starter; or give the 68 landmarks"
        " of the face in a file"
    )
    assert isinstance(caught.value, PhotoError)
    with pytest.raises(NoFaceError, match="from the front, or give the 68 landmarks"):  # it was looked for already
        choose_face(FaceList(tried=("mediapipe: a look", "starter: a look")), "largest", PHOTO)
    with pytest.raises(NoFaceError, match="turn the photo"):
        choose_face(FaceList(hint="turn the photo"), 2, PHOTO)
    with pytest.raises(NoFaceError, match="no face found in 400×300 pixels; "):
        choose_face([], "largest", PHOTO)


def test_head_turn():
    for angle in (-50, 0, 35):
        sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        turned = average_face() @ np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]).T
        assert head_turn(turned) == pytest.approx(angle, abs=1e-6)
        assert np.sign(turned[30, 0]) == np.sign(angle)  # the nose points to where the head looks


def test_notes():
    assert face_notes(face_at(200, 100), PHOTO) == ()
    assert "only 49 pixels wide" in face_notes(face_at(200, 100, 30), PHOTO)[0]
    assert "cut off by the border" in face_notes(face_at(395, 100, 60), PHOTO)[0]
    sine, cosine = np.sin(np.radians(50)), np.cos(np.radians(50))
    turned = average_face() @ np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]).T * 50 + [200, 100, 0]
    assert face_notes(make_face(turned, 1.0), PHOTO) == (
        "the head is turned by about 50°: the far side of the face is a guess",
    )


def test_unknown_analyzers_and_options():
    with pytest.raises(
        ConfigError, match=r"choose one of mediapipe, starter, mediapipe\+starter, face-alignment, file"
    ):
        make_face_analyzer("dlib")
    with pytest.raises(ConfigError, match="its options are: presence"):
        make_face_analyzer("mediapipe", speed=3)
    with pytest.raises(ConfigError, match="its options are: path"):
        make_face_analyzer("file")
    with pytest.raises(ConfigError, match="presence threshold"):
        make_face_analyzer("mediapipe", presence=1.5)
