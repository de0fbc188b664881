from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from datamodules.datasets.photos import decoded_photo
from datamodules.prepare.manifest import read_manifest, verify_manifest
from datamodules.prepare.photos import DEFAULT_LOOK, SMALLEST_FRAME, PhotoSettings
from datamodules.prepare.prepared_set import exclusive, read_set
from datamodules.prepare.record import read_record
from datamodules.prepare.record_folder import record_folders
from datamodules.prepare.sources import record_id
from lightning_modules.errors import BackendError, ConfigError, OutputError, PhotoError, PreparedSetError
from lightning_modules.geometry.alignment import crop, portrait_frame, to_crop

ALL = 7


def read(destination, name):
    return read_record(destination / "records" / record_id(name))


def without_reports(files):
    """What must be equal between runs that did the same in another way."""
    return {name: content for name, content in files.items() if not name.startswith(("report.", ".lock"))}


def test_everything_is_accepted_and_accounted_for(prepare, tmp_path):
    report = prepare()
    assert (report.total, report.accepted, report.prepared, report.kept) == (ALL, ALL, ALL, 0)
    assert report.rejected == ()
    assert report.licences == {"CC BY 4.0": 3, "CC0 1.0": 3, "unknown": 1}
    assert report.notes == ("3 passed over: 1 .csv, 2 .md",)
    assert not report.interrupted
    rows = read_manifest(tmp_path / "set")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert len(rows) == ALL
    check = verify_manifest(tmp_path / "set")
    assert (check.ok, check.rows, check.files) == (True, ALL, 5 * ALL)


def test_a_record_holds_what_the_parts_of_the_house_give(prepare, tmp_path, photo_folder):
    from made_up_face_tools import MadeUpAnalyzer, MadeUpMatter

    prepare()
    name = "studio/still 1.png"
    record = read(tmp_path / "set", name)
    with Image.open(photo_folder / name) as image:
        rgb = np.asarray(image)
    (face,) = MadeUpAnalyzer().find_faces(rgb)
    frame = portrait_frame(face.landmarks)
    assert record.frame == frame
    assert np.array_equal(record.photo, crop(rgb, frame, 64))
    assert np.array_equal(record.landmarks, to_crop(face.landmarks, frame, 64))
    assert np.abs(record.matte / 255.0 - MadeUpMatter().matte(record.photo)).max() <= 0.5 / 255 + 1e-6
    assert np.abs(record.drawing - record.photo.mean(-1)).max() <= 0.5 + 1e-3
    assert record.source.licence == "CC0 1.0"
    assert record.source.attribution == "Studio. Origin: a camera. Taken by nobody"
    assert (record.source.name, record.source.width, record.source.height) == (name, 160, 160)
    assert record.tools == {
        "size": 64,
        "face": "largest",
        "landmarks": "made-up",
        "matte": "made-up oval",
        "drawing": {"name": "made-up grey", "strength": 1.0},
    }


def test_part_masks_lie_on_their_parts(prepare, tmp_path):
    prepare()
    record = read(tmp_path / "set", "studio/still 0.png")
    for channel, points in enumerate([range(30, 36), range(36, 48), range(48, 60)]):
        x, y = record.landmarks[list(points), :2].mean(0) if channel != 1 else record.landmarks[36:42, :2].mean(0)
        assert record.part_masks[round(float(y)), round(float(x)), channel] == 255
        assert 0.005 < (record.part_masks[..., channel] > 127).mean() < 0.15


def test_what_lies_outside_of_the_photo_is_white_blank_and_background(prepare, tmp_path, photo_folder, small_astronaut):
    aside = small_astronaut.copy()
    aside[0, 0] = (255, 255, 0)  # puts the made-up face into the upper left corner
    Image.fromarray(aside).save(photo_folder / "aside.png")
    report = prepare()
    record = read(tmp_path / "set", "aside.png")
    assert record.frame.left < -20
    outside = crop(np.full((160, 160), 255, np.uint8), record.frame, 64, fill=0) == 0
    assert 0.1 < outside.mean() < 0.5
    (entry,) = report.findings["Crop sticks out of the photo"]
    assert entry.source == "aside.png"
    assert abs(float(entry.text.split(" %")[0]) / 100 - outside.mean()) < 0.02
    assert (record.photo[outside] == 255).all()
    assert (record.matte[outside] == 0).all()
    assert (record.drawing[outside] == 255).all()
    assert (record.drawing[~outside] < 255).any()


def test_a_second_run_does_nothing_and_changes_nothing(prepare, calls, tmp_path, tree):
    prepare()
    assert calls() == ALL
    before = tree(tmp_path / "set")
    report = prepare()
    assert calls() == ALL
    assert (report.prepared, report.kept, report.accepted) == (0, ALL, ALL)
    assert report.seconds_per_item is None
    assert report.licences == {"CC BY 4.0": 3, "CC0 1.0": 3, "unknown": 1}
    assert without_reports(tree(tmp_path / "set")) == without_reports(before)


def test_a_limit_and_later_the_rest_equal_one_run(prepare, calls, tmp_path, tree):
    assert prepare(limit=3).accepted == 3
    assert calls() == 3
    report = prepare()
    assert (report.prepared, report.kept, calls()) == (ALL - 3, 3, ALL)
    prepare(name="at once")
    assert without_reports(tree(tmp_path / "set")) == without_reports(tree(tmp_path / "at once"))


def test_only_what_changed_is_done_again(prepare, calls, tmp_path, photo_folder, small_astronaut):
    prepare()
    Image.fromarray(small_astronaut[:, ::-1]).save(photo_folder / "studio" / "still 2.png")
    assert prepare().prepared == 1
    assert calls() == ALL + 1
    damaged = tmp_path / "set" / "records" / record_id("street/two.png") / "matte.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    assert prepare().prepared == 1
    assert calls() == ALL + 2
    (photo_folder / "street" / "SOURCE.md").write_text("Licence: CC0 1.0\n", encoding="utf-8")
    assert prepare().licences == {"CC0 1.0": 6, "unknown": 1}
    assert calls() == ALL + 5
    assert verify_manifest(tmp_path / "set").ok


def test_bad_photos_are_listed_with_reasons_and_the_rest_goes_on(prepare, tmp_path, photo_folder, small_astronaut):
    Image.new("RGB", (200, 150), "white").save(photo_folder / "blank.png")
    (photo_folder / "text.jpg").write_text("I am a letter.", encoding="utf-8")
    (photo_folder / "empty.jpg").touch()
    Image.fromarray(small_astronaut).resize((50, 50)).save(photo_folder / "tiny.png")
    odd = small_astronaut.copy()
    odd[0, 0] = (0, 255, 0)
    Image.fromarray(odd).save(photo_folder / "odd.png")
    report = prepare()
    assert (report.total, report.accepted) == (ALL + 5, ALL)
    reasons = {entry.source: entry.text for entry in report.rejected}
    assert set(reasons) == {"blank.png", "empty.jpg", "odd.png", "text.jpg", "tiny.png"}
    assert "no face found in 200×150 pixels (tried: looking hard)" in reasons["blank.png"]
    assert reasons["tiny.png"].startswith("the face is only 20 px wide")
    assert reasons["odd.png"].startswith("unexpected ZeroDivisionError in find_faces, made_up_face_tools.py")
    assert not any(str(photo_folder) in text for text in reasons.values())
    assert verify_manifest(tmp_path / "set").rows == ALL
    text = (tmp_path / "set" / "report.md").read_text(encoding="utf-8")
    assert "## Rejected (5)" in text
    assert "| tiny.png | the face is only 20 px wide" in text
    stored = json.loads((tmp_path / "set" / "report.json").read_text(encoding="utf-8"))
    assert stored["accepted"] == ALL
    assert {entry["source"] for entry in stored["rejected"]} == set(reasons)
    assert f"{ALL} of {ALL + 5} photos prepared (58.3 %)" in stored["summary"]


def test_a_photo_that_turns_bad_loses_its_record(prepare, tmp_path, photo_folder):
    prepare()
    Image.new("RGB", (90, 120), "grey").save(photo_folder / "street" / "größe.webp")
    report = prepare()
    assert [entry.source for entry in report.rejected] == ["street/größe.webp"]
    assert record_id("street/größe.webp") not in {
        folder.name for folder in record_folders(tmp_path / "set" / "records")
    }
    assert verify_manifest(tmp_path / "set").rows == ALL - 1


def test_photos_with_several_faces_are_listed_with_boxes(prepare, tmp_path):
    report = prepare()
    (entry,) = report.findings["Several faces"]
    assert entry.source == "street/two.png"
    assert entry.text.startswith("took 1 of 1: ")
    assert ", 2: " in entry.text
    left = read(tmp_path / "set", "street/two.png")
    assert len(left.faces.boxes) == 2
    assert left.frame.left + left.frame.side / 2 == pytest.approx(80, abs=1)
    report = prepare(name="second", face=2)
    right = read(tmp_path / "second", "street/two.png")
    assert right.faces.chosen == 2
    assert right.frame.left + right.frame.side / 2 == pytest.approx(240, abs=1)
    assert len(report.rejected) == ALL - 1
    assert "face 2 was asked for, but 1 face found" in report.rejected[0].text


def test_exif_rotation_is_applied_and_reported(prepare, tmp_path, photo_folder, small_astronaut):
    lying = Image.fromarray(small_astronaut).crop((0, 0, 160, 120)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(photo_folder / "lying.jpg", exif=exif, quality=95)
    report = prepare()
    record = read(tmp_path / "set", "lying.jpg")
    assert (record.source.width, record.source.height) == (160, 120)
    assert "lying.jpg" in {entry.source for entry in report.findings["Changed while reading"]}


def test_identical_files_and_withdrawn_photos_are_pointed_out(prepare, photo_folder):
    shutil.copy(photo_folder / "loose.PNG", photo_folder / "zwilling.png")
    (entry,) = prepare().findings["Identical files"]
    assert (entry.source, entry.text) == ("zwilling.png", "the same bytes as loose.PNG")
    (photo_folder / "zwilling.png").unlink()
    report = prepare()
    (entry,) = report.findings["Records without a file in the source"]
    assert entry.source == f"records/{record_id('zwilling.png')}"
    assert report.total == ALL


def test_a_set_without_drawings_has_none(prepare, tmp_path):
    prepare(drawing=False)
    assert read(tmp_path / "set", "loose.PNG").drawing is None
    assert verify_manifest(tmp_path / "set").files == 4 * ALL


@pytest.mark.parametrize("where", ["{source}", "{source}/street/prepared", "{source}/../photos with spaces/x"])
def test_the_source_is_never_written_to(prepare, photo_folder, tree, where):
    before = tree(photo_folder)
    with pytest.raises(OutputError, match=r"source .*; choose a folder outside|is the source itself"):
        prepare(name=where.format(source=photo_folder))
    assert tree(photo_folder) == before


def test_a_link_into_the_source_is_seen_through(prepare, photo_folder, tmp_path):
    (tmp_path / "link").symlink_to(photo_folder / "street", target_is_directory=True)
    with pytest.raises(OutputError, match="lies inside the source"):
        prepare(name="link")


def test_a_destination_around_the_source_is_refused(prepare, photo_folder):
    with pytest.raises(OutputError, match="has the source"):
        prepare(source=photo_folder / "street", name=photo_folder)


def test_a_folder_with_other_things_is_left_alone(prepare, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "diary.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"is not empty and no prepared set \(it holds 'diary.txt'\); name an empty"):
        prepare()
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["diary.txt"]


def test_other_settings_need_another_folder(prepare, tmp_path, tree):
    prepare()
    before = tree(tmp_path / "set")
    with pytest.raises(
        PreparedSetError, match=r"size 64 there, 96 now; give the earlier settings, or prepare into a new"
    ):
        prepare(size=96)
    with pytest.raises(PreparedSetError, match="look 'ink' there, None now"):
        prepare(drawing=False)
    assert tree(tmp_path / "set") == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 2}', "has format 2, this version writes format 1; prepare into a new folder"),
        ('{"format": 1, "kind": "film", "settings": {}}', "holds prepared film, not photos"),
        ("{half", "cannot be read"),
        ("[]", "cannot be read"),
    ],
)
def test_another_or_a_damaged_set_is_a_typed_error(prepare, tmp_path, text, words):
    prepare()
    (tmp_path / "set" / "set.json").write_text(text, encoding="utf-8")
    with pytest.raises(PreparedSetError, match=words):
        prepare()


@pytest.mark.parametrize("folder", ["missing", "other"])
def test_where_no_set_is_the_error_says_how_to_make_one(tmp_path, folder):
    (tmp_path / "other").mkdir()
    with pytest.raises(PreparedSetError, match=rf"{folder}: no prepared set is there; make one with inkspeak prepare"):
        read_set(tmp_path / folder)


def test_two_preparations_do_not_share_a_folder(prepare, tmp_path):
    with exclusive(tmp_path / "set"), pytest.raises(OutputError, match="being written by another preparation"):
        prepare()
    assert prepare().accepted == ALL


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"size": 63}, ConfigError, "size 63"),
        ({"face": 0}, ConfigError, "face 0"),
        ({"limit": 0}, ConfigError, "limit of 0"),
        ({"landmarks": "file"}, ConfigError, "landmarks from a file belong to one photo"),
        ({"workers": -1}, ConfigError, "-1 workers"),
        ({"landmarks": "missing"}, BackendError, "made-up weights are missing"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(prepare, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        prepare(**options)
    assert not (tmp_path / "set").exists()


def test_a_missing_source_is_refused_before_anything_is_written(prepare, tmp_path):
    with pytest.raises(PhotoError, match="no such file or folder"):
        prepare(source=tmp_path / "nowhere")
    assert not (tmp_path / "set").exists()


def test_a_drawing_in_colour_is_kept_in_colour(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr("made_up_face_tools.MadeUpDrawer.channels", 3)
    monkeypatch.setattr("made_up_face_tools.MadeUpDrawer.draw", lambda _, photo, **_known: photo)
    prepare(limit=2)
    records = [read_record(folder) for folder in sorted((tmp_path / "set" / "records").iterdir())]
    assert [record.drawing.shape for record in records] == [(64, 64, 3)] * len(records)
    inside = records[0].drawing.min(axis=2) < 250
    assert (records[0].drawing[inside] == records[0].photo[inside]).mean() > 0.9
    planes = decoded_photo(records[0], 64, 3).planes[0]
    assert (planes[3:6] == np.moveaxis(records[0].drawing, -1, 0)).all()
    gray = decoded_photo(records[0], 64, 1).planes[0, 3].astype(int)
    assert abs(gray - records[0].drawing.astype(float) @ [0.299, 0.587, 0.114]).max() <= 0.51


def test_the_default_look_is_the_drawers():
    from lightning_modules.drawing.drawer import DEFAULT_LOOK as DRAWERS_DEFAULT

    assert DEFAULT_LOOK == DRAWERS_DEFAULT
    assert PhotoSettings().look == DRAWERS_DEFAULT
    assert SMALLEST_FRAME < 64


def test_an_interrupted_run_leaves_a_valid_set_and_goes_on_later(prepare, calls, tmp_path, tree):
    def interrupt(done, total, note):
        if done == 3:
            raise KeyboardInterrupt

    report = prepare(progress=interrupt)
    assert report.interrupted
    assert report.accepted == 3
    assert "interrupted; run it again to go on" in report.summary()
    check = verify_manifest(tmp_path / "set")
    assert (check.ok, check.rows) == (True, 3)
    report = prepare()
    assert (report.kept, report.prepared, calls()) == (3, ALL - 3, ALL)
    prepare(name="at once")
    assert without_reports(tree(tmp_path / "set")) == without_reports(tree(tmp_path / "at once"))


def test_ctrl_c_among_the_sheets_is_told_and_leaves_the_set_whole(prepare, tmp_path):
    told = []

    def interrupt_the_sheets(done, total, note):
        told.append(note)
        if note.startswith("contact sheet"):
            raise KeyboardInterrupt

    report = prepare(contact_sheets=True, progress=interrupt_the_sheets)
    assert report.interrupted
    assert report.accepted == ALL
    assert json.loads((tmp_path / "set" / "report.json").read_text(encoding="utf-8"))["interrupted"]
    assert verify_manifest(tmp_path / "set").rows == ALL
    report = prepare(contact_sheets=True)
    assert (report.interrupted, report.kept) == (False, ALL)
    assert (tmp_path / "set" / "sheets" / "page_001.png").is_file()


def test_other_settings_are_refused_before_any_backend_is_built(prepare):
    prepare()

    def explode(settings):
        raise AssertionError

    with pytest.raises(PreparedSetError, match="size 64 there, 96 now"):
        prepare(size=96, make_tools=explode)


def test_other_backends_need_another_folder(prepare, tools, monkeypatch):
    prepare()
    monkeypatch.setattr("made_up_face_tools.MadeUpDrawer.settings", lambda _: {"strength": 2.0})
    with pytest.raises(PreparedSetError, match=r"other settings: tools.drawing.strength 1.0 there, 2.0 now"):
        prepare()
