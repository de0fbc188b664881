"""Faces in drawings that are found once and not again, or that lean where only melted hatching shows them."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.prepare.drawing_record import read_drawing
from datamodules.prepare.drawings import prepare_drawings
from datamodules.prepare.drawn_faces import SECOND_LOOKS, SHOWINGS, face_is_doubtful, find_drawn_faces
from datamodules.prepare.report import Entry
from lightning_modules.audio.face_axes import average_face
from lightning_modules.faces.face import FaceList, make_face

LOOKS = len(SECOND_LOOKS)


class Blob:
    """Takes a dark disc for a face that fills it, in the first so many pictures it is shown."""

    name = "blob"

    def __init__(self, times: int, lean: float = 0.0) -> None:
        self.left, self.lean = times, np.radians(lean)

    def find_faces(self, rgb):
        self.left -= 1
        if self.left < 0:
            return FaceList()
        y, x = np.nonzero(rgb.mean(2) < 128)
        size = np.sqrt(len(x) / np.pi)
        points = average_face() * size
        cosine, sine = np.cos(self.lean), np.sin(self.lean)
        points[:, :2] = points[:, :2] @ np.array([[cosine, sine], [-sine, cosine]])
        return FaceList([make_face(points + np.array([x.mean(), y.mean(), 0.0]), 0.9)])


@pytest.fixture
def disc():
    rows, columns = np.mgrid[:240, :200]
    return np.where(np.hypot(rows - 130, columns - 90) < 60, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


@pytest.mark.parametrize("showing", SHOWINGS, ids=lambda showing: showing.name)
def test_a_face_must_be_found_again(disc, showing):
    wanted = 3 if showing.blur else 2
    (face,) = Blob(1).find_faces(disc)
    assert face_is_doubtful(disc, face, showing.name, Blob(LOOKS)) == ""
    assert face_is_doubtful(disc, face, showing.name, Blob(wanted)) == ""
    doubt = face_is_doubtful(disc, face, showing.name, Blob(wanted - 1))
    assert doubt == f"it is found again in {wanted - 1} of 4 other looks, wanted {wanted}"


def test_another_face_does_not_count(disc):
    (face,) = Blob(1).find_faces(disc)
    aside = make_face(face.landmarks + np.array([0.3 * 60, 0, 0]), 0.9)
    assert "again in 0 of 4" in face_is_doubtful(disc, aside, "as it is", Blob(LOOKS))


def test_a_leaning_face_is_trusted_only_with_its_lines(disc):
    (face,) = Blob(1, lean=40).find_faces(disc)
    assert face_is_doubtful(disc, face, "as it is", Blob(LOOKS, lean=40)) == ""
    assert face_is_doubtful(disc, face, "hatching melted", Blob(LOOKS, lean=40)).startswith("it leans by 40°")
    (face,) = Blob(1, lean=25).find_faces(disc)
    assert face_is_doubtful(disc, face, "hatching melted", Blob(LOOKS, lean=25)) == ""


def test_doubtful_faces_are_rejected_with_the_reason(disc, tmp_path):
    from PIL import Image

    (tmp_path / "drawings").mkdir()
    Image.fromarray(disc).save(tmp_path / "drawings" / "blob.png")
    report = prepare_drawings(
        tmp_path / "drawings",
        tmp_path / "set",
        size=64,
        workers=0,
        contact_sheets=False,
        make_analyzer=lambda _: Blob(2),
    )
    text = (
        "what looks like a face is none: it is found again in 1 of 4 other looks, wanted 2; "
        "leave it out, or crop it to one head"
    )
    assert report.rejected == (Entry("blob.png", text),)


class KnowsDrawings(Blob):
    """An analyzer with a search of its own for drawings, which answers for itself."""

    name = "draughtsman"

    def find_drawn_faces(self, rgb):
        return self.find_faces(rgb)


def test_an_analyzer_that_knows_drawings_is_shown_it_once(disc):
    draughtsman = KnowsDrawings(1)
    faces, showing = find_drawn_faces(disc, draughtsman)
    assert (len(faces), showing, draughtsman.left) == (1, "as it is", 0)
    assert face_is_doubtful(disc, faces[0], showing, draughtsman) == ""
    assert find_drawn_faces(disc, draughtsman) == ([], "")


@pytest.mark.parametrize(
    ("sees", "finder"),
    [(LOOKS + 1, "blob"), (2, "draughtsman"), (0, "draughtsman")],
    ids=["the first is sure", "the first doubts", "the first finds nothing"],
)
def test_the_record_says_who_found_the_face(disc, tmp_path, sees, finder):
    from PIL import Image

    class Both:
        name = "blob+draughtsman"

        def __init__(self):
            self.parts = (Blob(sees), KnowsDrawings(1))

    (tmp_path / "drawings").mkdir()
    Image.fromarray(disc).save(tmp_path / "drawings" / "blob.png")
    options = {"size": 64, "workers": 0, "contact_sheets": False, "make_analyzer": lambda _: Both()}
    report = prepare_drawings(tmp_path / "drawings", tmp_path / "set", landmarks="both", **options)
    assert report.accepted == 1
    (record,) = (tmp_path / "set" / "records").iterdir()
    assert read_drawing(record).tools == {"landmarks": finder}


def test_when_no_analyzer_is_sure_the_last_doubt_is_reported(disc, tmp_path):
    from PIL import Image

    class Both:
        name = "blob+draughtsman"

        def __init__(self):
            self.parts = (Blob(2), KnowsDrawings(0))

    (tmp_path / "drawings").mkdir()
    Image.fromarray(disc).save(tmp_path / "drawings" / "blob.png")
    options = {"size": 64, "workers": 0, "contact_sheets": False, "make_analyzer": lambda _: Both()}
    report = prepare_drawings(tmp_path / "drawings", tmp_path / "set", landmarks="both", **options)
    assert report.accepted == 0
    assert "found again in 1 of 4 other looks" in report.rejected[0].text
