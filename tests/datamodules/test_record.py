from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from made_up_face_tools import unit_face

from datamodules.prepare.record import PortraitFaces, PortraitSource, PreparedPortrait, read_record, write_portrait
from datamodules.prepare.record_folder import record_folders, remove_record, sweep_leftovers, write_record
from lightning_modules.errors import OutputError, PreparedSetError
from lightning_modules.faces.face import FaceBox
from lightning_modules.geometry.alignment import PortraitFrame

SIZE = 24


@pytest.fixture
def portrait():
    noise = np.random.default_rng(3)

    def picture(*shape):
        return noise.integers(0, 256, (SIZE, SIZE, *shape), dtype=np.uint8)

    return PreparedPortrait(
        id="someone-12345678",
        photo=picture(3),
        drawing=picture(),
        matte=picture(),
        part_masks=picture(3),
        landmarks=(unit_face() * 13 + [12, 13, 0] + noise.normal(size=(68, 3)) / 3).astype(np.float32),
        frame=PortraitFrame(-7, 12, 301),
        source=PortraitSource("a/größe.jpg", "ab" * 32, 640, 480, ("EXIF rotation applied",), "CC0 1.0", "A. Nobody"),
        faces=PortraitFaces((FaceBox(1.25, 2, 30, 40.5), FaceBox(100, 2.1, 130, 40)), 2, 0.987, ("cut off",)),
        tools={"size": SIZE, "landmarks": "made-up", "drawing": {"name": "grey", "strength": 0.5}},
        fingerprint="cd" * 32,
    )


def assert_equal(one, other):
    for field in dataclasses.fields(one):
        expected, found = getattr(one, field.name), getattr(other, field.name)
        if isinstance(expected, np.ndarray):
            assert found.dtype == expected.dtype
            assert np.array_equal(found, expected), field.name
        else:
            assert found == expected, field.name


def test_a_portrait_survives_writing_and_reading_bit_by_bit(tmp_path, portrait):
    folder = write_portrait(tmp_path, portrait)
    assert folder == tmp_path / "someone-12345678"
    assert sorted(path.name for path in folder.iterdir()) == [
        "drawing.png",
        "matte.png",
        "part_masks.png",
        "photo.png",
        "record.json",
    ]
    assert_equal(read_record(folder), portrait)
    assert read_record(folder).enlargement == SIZE / 301
    assert read_record(folder).faces.box == FaceBox(100, 2.1, 130, 40)


def test_a_portrait_without_a_drawing_has_none(tmp_path, portrait):
    portrait = dataclasses.replace(portrait, drawing=None)
    folder = write_portrait(tmp_path, portrait)
    assert not (folder / "drawing.png").exists()
    assert_equal(read_record(folder), portrait)


def test_equal_portraits_give_equal_bytes(tmp_path, portrait, tree):
    write_portrait(tmp_path / "one", portrait)
    write_portrait(tmp_path / "two", portrait)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    other = dataclasses.replace(portrait, landmarks=portrait.landmarks + np.float32(1e-5))
    write_portrait(tmp_path / "two", other)
    assert tree(tmp_path / "one") != tree(tmp_path / "two")


def test_writing_again_replaces_the_whole_record(tmp_path, portrait):
    write_portrait(tmp_path, portrait)
    write_portrait(tmp_path, dataclasses.replace(portrait, drawing=None, photo=255 - portrait.photo))
    assert np.array_equal(read_record(tmp_path / portrait.id).photo, 255 - portrait.photo)
    assert not (tmp_path / portrait.id / "drawing.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == [portrait.id]


def test_landmarks_that_are_not_finite_are_never_written(tmp_path, portrait):
    portrait.landmarks[5, 1] = np.nan
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_portrait(tmp_path, portrait)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["photo.png", "drawing.png", "matte.png", "part_masks.png", "record.json"])
@pytest.mark.parametrize("damage", ["gone", "truncated", "changed"])
def test_every_damage_is_a_typed_error_that_names_the_file(tmp_path, portrait, name, damage):
    path = write_portrait(tmp_path, portrait) / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    with pytest.raises(PreparedSetError) as caught:
        read_record(tmp_path / portrait.id)
    assert str(caught.value).startswith(str(path))
    assert caught.value.remedy


def rewrite(folder, change):
    path = folder / "record.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    change(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts.update(format=2), "has format 2, this version reads format 1"),
        (lambda facts: facts.update(kind="drawing"), "holds a 'drawing' where a 'portrait' is expected"),
        (lambda facts: facts.update(id="other"), "has the id 'other'"),
        (lambda facts: facts.pop("files"), "holds no facts of a record"),
        (lambda facts: facts.pop("frame"), "KeyError: 'frame'"),
        (lambda facts: facts["landmarks"].pop(), r"landmarks of shape \(67, 3\)"),
        (lambda facts: facts["landmarks"][4].__setitem__(0, None), "landmarks of shape"),
        (lambda facts: facts["faces"].update(chosen=3), "face 3 of 2 is chosen"),
        (lambda facts: facts["frame"].update(size=32), r"shape \(24, 24, 3\) where uint8 \(32, 32, 3\) belongs"),
        (lambda facts: facts["source"].pop("licence"), "KeyError: 'licence'"),
    ],
)
def test_facts_that_do_not_fit_are_typed_errors(tmp_path, portrait, change, words):
    folder = write_portrait(tmp_path, portrait)
    rewrite(folder, change)
    with pytest.raises(PreparedSetError, match=words):
        read_record(folder)


def test_a_folder_that_is_no_record_is_a_typed_error(tmp_path):
    with pytest.raises(PreparedSetError, match="this is no prepared record"):
        read_record(tmp_path / "nothing")


def test_a_failed_write_leaves_the_older_record(tmp_path, portrait, monkeypatch):
    folder = write_portrait(tmp_path, portrait)
    before = read_record(folder)

    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OutputError, match="no space is left"):
        write_portrait(tmp_path, dataclasses.replace(portrait, photo=255 - portrait.photo))
    assert_equal(read_record(folder), before)
    assert [path.name for path in tmp_path.iterdir()] == [portrait.id]


def test_leftovers_of_killed_runs_are_swept_and_nothing_else(tmp_path, portrait):
    write_portrait(tmp_path, portrait)
    (tmp_path / ".someone.tmp-0a1b2c3d").mkdir()
    (tmp_path / ".someone.tmp-0a1b2c3d" / "photo.png").write_bytes(b"half")
    (tmp_path / ".other").mkdir()
    assert sweep_leftovers(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other", portrait.id]
    assert [path.name for path in record_folders(tmp_path)] == [portrait.id]
    assert sweep_leftovers(tmp_path / "not there") == 0


def test_removing_a_record_takes_all_of_it(tmp_path, portrait):
    folder = write_portrait(tmp_path, portrait)
    remove_record(folder)
    remove_record(folder)
    assert list(tmp_path.iterdir()) == []


def test_records_of_other_kinds_can_hold_folders(tmp_path):
    folder = write_record(tmp_path, "clip", "film", {"frames/0001.png": b"one", "sound.flac": b"two"}, {"fps": 25})
    assert (folder / "frames" / "0001.png").read_bytes() == b"one"
    facts = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert (facts["kind"], facts["fps"], sorted(facts["files"])) == ("film", 25, ["frames/0001.png", "sound.flac"])
