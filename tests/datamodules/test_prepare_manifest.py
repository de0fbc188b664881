"""The manifest of a prepared set: what it says, and that its check can fail."""

from __future__ import annotations

import pytest

from datamodules.prepare.manifest import read_manifest, verify_manifest, write_manifest
from datamodules.prepare.record import read_record
from datamodules.prepare.record_folder import record_folders
from datamodules.prepare.sources import record_id
from lightning_modules.errors import PreparedSetError

ALL = 7


def test_the_manifest_check_can_fail(prepare, tmp_path):
    prepare()
    destination = tmp_path / "set"
    first, second, third = record_folders(destination / "records")[:3]
    content = bytearray((first / "photo.png").read_bytes())
    content[40] ^= 1
    (first / "photo.png").write_bytes(content)
    (second / "matte.png").unlink()
    third.rename(third.with_name("renamed"))
    problems = verify_manifest(destination).problems
    assert f"{first / 'photo.png'}: has changed since the manifest was written" in problems
    assert f"{second / 'matte.png'}: cannot be read (No such file or directory)" in problems
    assert f"{destination / 'records' / 'renamed'}: has no row in the manifest" in problems
    assert len(problems) == 1 + 1 + 5 + 1


def test_a_missing_or_damaged_manifest_is_a_typed_error(prepare, tmp_path):
    with pytest.raises(PreparedSetError, match="this is no prepared set"):
        verify_manifest(tmp_path)
    prepare()
    path = tmp_path / "set" / "manifest.jsonl"
    before = path.read_bytes()
    path.write_bytes(before[:-30])
    with pytest.raises(PreparedSetError, match=f"line {ALL} is no row of a manifest"):
        read_manifest(tmp_path / "set")
    write_manifest(tmp_path / "set")
    assert path.read_bytes() == before


def test_the_manifest_summarises_landmarks(prepare, tmp_path):
    prepare()
    row = next(row for row in read_manifest(tmp_path / "set") if row["source"]["name"] == "studio/still 0.png")
    # The made-up face is 64 px wide in the photo; its eyes lie 0.48 of that apart.
    frame = read_record(tmp_path / "set" / "records" / record_id("studio/still 0.png")).frame
    unit = 64 * 64 / frame.side
    assert row["landmarks"]["eye_distance"] == pytest.approx(0.48 * unit, abs=0.01)
    assert row["landmarks"]["mouth_opening"] == pytest.approx(0.06 * unit, abs=0.01)
    assert row["landmarks"]["tilt"] == 0
    assert row["licence"] == "CC0 1.0"
    assert set(row["files"]) == {"photo.png", "drawing.png", "matte.png", "part_masks.png", "record.json"}
