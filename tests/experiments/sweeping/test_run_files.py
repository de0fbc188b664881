"""Checkpoints and numbers, found in what several attempts left."""

from __future__ import annotations

import os
from pathlib import Path

from experiments.sweeping.run_files import attempts, finite_or_none, last_values, newest_checkpoint


def place(path: Path, age: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("weights")
    os.utime(path, (1000 - age, 1000 - age))
    return path


def test_attempts_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("attempt_10", "attempt_2", "attempt_x", "other"):
        (tmp_path / name).mkdir()
    assert [path.name for path in attempts(tmp_path)] == ["attempt_2", "attempt_10"]


def test_the_latest_attempt_that_has_a_checkpoint_gives_it(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    place(tmp_path / "attempt_0" / "a" / "old.ckpt", age=50)
    young = place(tmp_path / "attempt_0" / "b" / "young.ckpt", age=10)
    (tmp_path / "attempt_1").mkdir()
    assert newest_checkpoint(tmp_path) == young
    pointed = place(tmp_path / "attempt_1" / "photos_1.ckpt", age=99)
    place(tmp_path / "attempt_1" / "photos_2.ckpt")
    (tmp_path / "attempt_1" / "last.ckpt").symlink_to("photos_1.ckpt")
    assert newest_checkpoint(tmp_path) == pointed  # what last.ckpt points at, not the youngest
    pointed.unlink()  # a name that points nowhere is no checkpoint
    assert newest_checkpoint(tmp_path) == tmp_path / "attempt_1" / "photos_2.ckpt"


def test_the_last_number_of_each_column_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "metrics.csv", tmp_path / "b" / "metrics.csv"
    for path, text, age in (
        (first, "epoch,step,loss,lmd\n0,0,3,\n0,1,,7\n1,2,2,\n", 5),
        (second, "epoch,loss\n2,nan\n", 1),
    ):
        place(path, age)
        path.write_text(text)
        os.utime(path, (1000 - age, 1000 - age))
    values = last_values(tmp_path)
    assert values["lmd"] == 7
    assert list(values) == ["loss", "lmd"]
    assert finite_or_none(values) == {"loss": None, "lmd": 7.0}
    assert last_values(tmp_path / "nothing") == {}
