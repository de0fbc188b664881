"""The preparation with the real backends: MediaPipe's networks and the coherent-line drawer."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from datamodules.prepare.manifest import verify_manifest
from datamodules.prepare.photos import prepare_photos
from datamodules.prepare.record import read_record
from datamodules.prepare.sources import record_id

pytest.importorskip("mediapipe")


@pytest.fixture(scope="module")
def real_photos(tmp_path_factory, astronaut):
    folder = tmp_path_factory.mktemp("real")
    upright = Image.fromarray(astronaut)
    upright.save(folder / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: shown upright after a quarter turn clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "lying.png", exif=exif)
    two = Image.new("RGB", (1000, 512), "white")
    two.paste(upright, (0, 0))
    two.paste(upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((400, 400)), (560, 60))
    two.save(folder / "two.png")
    Image.new("RGB", (300, 300), "white").save(folder / "blank.png")
    (folder / "letter.jpg").write_text("not a picture", encoding="utf-8")
    (folder / "SOURCE.md").write_text("# NASA\nLicence: public domain\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def prepared(real_photos, tmp_path_factory):
    destination = tmp_path_factory.mktemp("prepared") / "set"
    return destination, prepare_photos(real_photos, destination, size=128, workers=0)


def read(destination, name):
    return read_record(destination / "records" / record_id(name))


def test_real_faces_are_accepted_and_the_rest_is_listed(prepared):
    destination, report = prepared
    assert (report.total, report.accepted) == (5, 3)
    reasons = {entry.source: entry.text for entry in report.rejected}
    assert set(reasons) == {"blank.png", "letter.jpg"}
    assert "no face found in 300×300 pixels" in reasons["blank.png"]
    assert report.licences == {"public domain": 3}
    assert verify_manifest(destination).ok
    assert (destination / "sheets" / "page_001.png").is_file()


def test_a_lying_photo_gives_the_record_of_the_upright_one(prepared):
    upright, lying = (read(prepared[0], name) for name in ("upright.png", "lying.png"))
    for name in ("photo", "drawing", "matte", "part_masks", "landmarks"):
        assert np.array_equal(getattr(upright, name), getattr(lying, name)), name
    assert lying.frame == upright.frame
    assert any("rotation" in note for note in lying.source.notes)
    assert upright.source.notes == ()


def test_the_record_shows_the_face_where_the_paper_has_it(prepared):
    record = read(prepared[0], "upright.png")
    eyes = record.landmarks[36:48, :2].mean(0)
    mouth = record.landmarks[48:, :2].mean(0)
    assert abs(eyes[0] / 128 - 0.5) < 0.1
    assert 0.35 < eyes[1] / 128 < 0.6 < mouth[1] / 128 < 0.8
    assert record.matte[round(float(mouth[1])), round(float(mouth[0]))] > 230
    assert record.part_masks[round(float(mouth[1])), round(float(mouth[0])), 2] == 255
    ink = 1 - record.drawing / 255
    assert 0.03 < ink.mean() < 0.5
    assert np.unique(record.drawing).size > 10


def test_both_faces_of_a_collage_are_listed_and_the_larger_is_taken(prepared):
    destination, report = prepared
    record = read(destination, "two.png")
    assert len(record.faces.boxes) == 2
    assert record.faces.chosen == 1
    (entry,) = report.findings["Several faces"]
    assert entry.text == f"took 1 of 1: {record.faces.boxes[0]}, 2: {record.faces.boxes[1]}"


@pytest.mark.slow
def test_real_records_do_not_depend_on_the_number_of_processes(prepared, real_photos, tmp_path, tree):
    for workers in (1, 2):
        prepare_photos(real_photos, tmp_path / f"{workers}", size=128, workers=workers)
        assert tree(tmp_path / f"{workers}" / "records") == tree(prepared[0] / "records")
