"""``inkspeak sweep`` from the command line: what it says, what it leaves, and how it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sweeps import pretend_processes, write_sweep

from experiments.__main__ import main
from experiments.sweeping.sheets import sheet_picture

SHEETS = {"figure": {"title": "A sheet", "overlays": ["full", "less"]}}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def sweep(tmp_path: Path, out: Path) -> list[str]:
    return ["sweep", str(write_sweep(tmp_path)), "--out", str(out)]


def test_a_sweep_ends_in_its_table(sweep, out, monkeypatch, capsys) -> None:
    said = pretend_processes(monkeypatch)
    assert main(sweep) == 0
    captured = capsys.readouterr()
    assert "| full model | 2 | 2.05 ± 0.07 |" in captured.out
    assert "| w/o more | 2 | 1.05 ± 0.07 (−1.00) |" in captured.out
    assert (out / "table.md").read_text() == captured.out
    assert captured.err.count("finished after") == 4
    assert len(said) == 8
    before = {name: (out / name).read_bytes() for name in ("table.md", "table.csv", "runs.csv")}

    assert main(sweep) == 0
    assert "4 of 4 runs are finished already" in capsys.readouterr().err
    assert len(said) == 8
    assert {name: (out / name).read_bytes() for name in before} == before


def test_failed_runs_are_recorded_told_and_tried_again(sweep, out, monkeypatch, capsys) -> None:
    with monkeypatch.context() as patch:
        pretend_processes(patch, lambda words: "--seed_everything=1" in words and any("less" in word for word in words))
        assert main(sweep) == 2
    captured = capsys.readouterr()
    assert "| w/o more | 1 of 2 |" in captured.out
    assert "Failed: less/seed_1 (ended as told)." in captured.out
    assert "1 of 4 runs failed: less/seed_1; see log.txt" in captured.err
    assert "less/seed_1 failed: ended as told" in captured.err
    pretend_processes(monkeypatch)
    assert main(sweep) == 0
    assert "| w/o more | 2 |" in capsys.readouterr().out


def test_other_settings_are_refused_before_anything_runs(sweep, monkeypatch, capsys) -> None:
    said = pretend_processes(monkeypatch)
    assert main([*sweep, "--overlay", "less", "--seed", "1"]) == 0
    capsys.readouterr()
    assert main([*sweep, "--set", "trainer.max_epochs=5"]) == 2
    assert "trainer.max_epochs was 3, is 5" in capsys.readouterr().err
    assert len(said) == 2
    assert main([*sweep, "--set", "trainer.max_epochs=5", "--redo"]) == 0
    assert len(said) == 2 + 8


def test_chosen_runs_alone_are_made_and_the_table_shows_what_is_there(sweep, out, monkeypatch, capsys) -> None:
    said = pretend_processes(monkeypatch)
    assert main([*sweep, "--overlay", "less", "--seed", "0"]) == 0
    assert [words[0] for words in said] == ["fit", "validate"]
    said_of_one = capsys.readouterr().out
    assert "| full model | 0 of 2 | – |" in said_of_one
    assert "One seed finished: no spread is known" in said_of_one
    assert main([*sweep, "--table"]) == 0
    assert len(said) == 2
    assert main([*sweep, "--overlay", "more"]) == 2
    assert "no overlay more; give one of full, less" in capsys.readouterr().err


def test_settings_given_several_times_all_count(sweep, capsys) -> None:
    assert (
        main([*sweep, "--set", "a.b=1", "--set", "a.c=2", "d=3", "--dry-run", "--seed", "1", "--overlay", "full"]) == 0
    )
    first = capsys.readouterr().out
    assert main([*sweep, "--set", "a.b=1", "a.c=2", "d=3", "--dry-run", "--seed", "1", "--overlay", "full"]) == 0
    assert capsys.readouterr().out == first
    assert main([*sweep, "--set", "a.c=2", "d=3", "--dry-run", "--seed", "1", "--overlay", "full"]) == 0
    assert capsys.readouterr().out != first


def test_a_dry_run_leaves_nothing(sweep, out, capsys) -> None:
    assert main([*sweep, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[::2]] == ["full/seed_0", "less/seed_0", "full/seed_1", "less/seed_1"]
    assert not out.exists()


def test_clips_are_looked_for_before_hours_of_training(tmp_path, out, monkeypatch, capsys) -> None:
    said = pretend_processes(monkeypatch)
    path = write_sweep(tmp_path, evaluate={"clips": [str(tmp_path / "none.mp4")]})
    assert main(["sweep", str(path), "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not said


def test_a_wrong_number_is_told(sweep, capsys) -> None:
    assert main([*sweep, "--processes", "0"]) == 2
    assert "--processes is 0; give 1 or more" in capsys.readouterr().err


def pictures(folder: Path, level: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(2):
        for name in ("photo", "landmarks", "drawing", "change"):
            Image.new("RGB", (160, 160), (level + number,) * 3).save(folder / f"{number:03d}_{name}.png")
    return folder


def test_a_sheet_shows_the_same_faces_of_every_overlay(tmp_path: Path) -> None:
    folders = {"full": pictures(tmp_path / "a", 40), "less": pictures(tmp_path / "b", 90)}
    titles = {"full": "full model", "more": "w/o all", "less": "w/o more"}
    sheet = sheet_picture(folders, titles)
    both = sheet_picture(folders, titles, ("drawing", "change"))
    assert both.shape[1] == sheet.shape[1]
    assert both.shape[0] > 1.9 * sheet.shape[0]
    for level, cells in ((40, 3), (41, 3), (90, 1), (91, 1)):  # photo and target of the first overlay, and its drawing
        assert (sheet == level).all(-1).sum() // 160**2 == cells
    assert np.where((sheet == 90).all(-1).sum(0) > 100)[0].min() > 4 * 160  # the last of five columns


def test_the_command_writes_the_sheets(tmp_path, out, monkeypatch, capsys) -> None:
    pretend_processes(monkeypatch)
    path = write_sweep(tmp_path, sheets=SHEETS)
    for name, level in (("full", 40), ("less", 90)):
        pictures(out / "runs" / name / "seed_0" / "drawings", level)
    assert main(["sweep", str(path), "--out", str(out)]) == 0
    with Image.open(out / "figure.png") as sheet:
        assert sheet.width > 4 * 160
