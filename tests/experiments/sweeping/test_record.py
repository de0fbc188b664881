"""Records of runs, and the hold on their folders."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.sweeping.record import RunRecord, differences, held, read_record, write_record
from lightning_modules.errors import OutputError


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path) == RunRecord()
    record = RunRecord("failed", {"a": [1, None]}, 2, 1.5, "x.ckpt", {"loss": 0.1, "nan": None}, 12, ("one", "two"))
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"state": "new"}', '{"failed": [], "colour": 1}'])
def test_a_damaged_record_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(OutputError, match=r"run\.json: it cannot be read"):
        read_record(tmp_path)


def test_differences_are_named_by_their_place() -> None:
    before = {"a": {"b": [1, {"c": 2}], "d": "x" * 99}, "e": 1}
    now = {"a": {"b": [1, {"c": 3}], "d": "x" * 99}, "f": 2}
    assert differences(before, now) == ["a.b.1.c was 2, is 3", "e was 1, is null", "f was null, is 2"]
    assert differences({"a": [1]}, {"a": [1, 2]}) == ["a was [1], is [1, 2]"]
    assert differences(before, before) == []


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    with held(tmp_path / "run"):
        begun = time.monotonic()
        with pytest.raises(OutputError, match="another process"), held(tmp_path / "run", wait=0.4):
            pass
        assert 0.3 < time.monotonic() - begun < 5
    with held(tmp_path / "run"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="children do not inherit the hold there")
def test_a_child_that_inherits_the_hold_keeps_it(tmp_path: Path) -> None:
    with held(tmp_path) as descriptor:
        child = subprocess.Popen(["sleep", "30"], pass_fds=(descriptor,))
    try:
        with pytest.raises(OutputError), held(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()
    with held(tmp_path, wait=5):
        pass
