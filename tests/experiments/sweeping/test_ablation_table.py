"""The table of a sweep against numbers worked out by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from sweeps import read, runs

from experiments.sweeping.ablation_table import csv_of_runs, csv_table, markdown_table
from experiments.sweeping.record import RunRecord
from experiments.sweeping.statistics import Summary, summarise

COLUMNS = {"loss": {"title": "loss", "unit": "px", "better": "lower", "digits": 2}, "fid": {"title": "FID"}}


def results(folder: Path, values: dict[str, list[float | None]], **changes: object) -> list:
    """Every run with a record: a value, or None for a failed run; NaN for one that is missing."""
    found = []
    for run in runs(folder, columns=COLUMNS, seeds=[0, 1, 2], **changes):
        value = values[run.overlay][run.seed]
        if value is None:
            record = RunRecord("failed", failed=("a", "out of memory"))
        elif math.isnan(value):
            record = RunRecord("started")
        else:
            record = RunRecord("finished", figures={"loss": value, "other": 1.0}, photos=1200)
        found.append((run, record))
    return found


def test_differences_are_taken_in_pairs_of_one_seed() -> None:
    found = summarise({0: 3.0, 1: 5.0, 2: 10.0}, {0: 1.0, 1: 2.0, 2: 6.0, 3: 99.0})
    assert found.mean == 6.0
    assert found.spread == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert found.difference == 3.0  # of 2, 3, 4
    assert found.difference_error == pytest.approx(1 / math.sqrt(3))
    assert found.clear
    assert not summarise({0: 3.0, 1: 5.0, 2: 1.0}, {0: 1.0, 1: 6.0, 2: 2.0}).clear
    assert not summarise({0: 3.0, 1: 3.1}, {0: 1.0, 1: 1.1}).clear  # two seeds say nothing
    assert summarise({}, {0: 1.0}) == Summary()
    assert summarise({0: 1.0}, {}) == Summary((1.0,), 1.0)


def test_the_markdown_table(tmp_path: Path) -> None:
    values = {"full": [2.0, 3.0, 4.0], "less": [1.0, 2.01, 2.99]}
    sweep = read(tmp_path, columns=COLUMNS, seeds=[0, 1, 2], remark="Trained on 300 photos.")
    lines = markdown_table(sweep, results(tmp_path, values)).splitlines()
    assert lines[:4] == [
        "| model | runs | loss (px) ↓ |",
        "| --- | --- | --- |",
        "| full model | 3 | 3.00 ± 1.00 |",
        "| w/o more | 3 | 2.00 ± 1.00 (**−1.00**) |",
    ]
    assert "over 3 seeds" in lines[5]
    assert lines[6:] == [
        "Each run saw 1,200 samples.",
        "Not measured by any finished run: FID.",
        "Trained on 300 photos.",
    ]


def test_failed_and_missing_runs_are_told(tmp_path: Path) -> None:
    values = {"full": [2.0, math.nan, 4.0], "less": [None, 2.0, 5.0]}
    sweep = read(tmp_path, columns=COLUMNS, seeds=[0, 1, 2])
    text = markdown_table(sweep, results(tmp_path, values))
    assert "| full model | 2 of 3 | 3.00 ± 1.41 |" in text
    assert "| w/o more | 2 of 3 | 3.50 ± 2.12 (+1.00) |" in text  # seed 2 alone is in both
    assert "Failed: less/seed_0 (out of memory)." in text
    nothing = {"full": [math.nan] * 3, "less": [None] * 3}
    assert "| full model | 0 of 3 |" in markdown_table(sweep, results(tmp_path, nothing))


def test_the_csv_files_hold_every_digit(tmp_path: Path) -> None:
    values = {"full": [0.1, 0.2, 0.4], "less": [1 / 3, 0.2, 0.5]}
    sweep = read(tmp_path, columns=COLUMNS, seeds=[0, 1, 2])
    full, less = csv.DictReader(csv_table(sweep, results(tmp_path, values)).splitlines())
    assert (full["overlay"], full["title"], full["runs"]) == ("full", "full model", "3")
    assert float(less["loss"]) == pytest.approx((1 / 3 + 0.7) / 3, rel=1e-15)
    assert float(less["loss:difference"]) == pytest.approx((1 / 3 - 0.1 + 0.1) / 3, rel=1e-12)
    assert (full["loss:difference"], full["fid"], less["fid:spread"]) == ("", "", "")
    rows = list(csv.DictReader(csv_of_runs(results(tmp_path, values)).splitlines()))
    assert [row["overlay"] + row["seed"] for row in rows] == ["full0", "less0", "full1", "less1", "full2", "less2"]
    assert float(rows[1]["loss"]) == 1 / 3
    assert (rows[1]["samples"], rows[1]["other"], rows[1]["state"]) == ("1200", "1.0", "finished")


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    sweep = read(tmp_path, seeds=[0])
    (full, _), (less, _) = [(run, None) for run in runs(tmp_path, seeds=[0])]
    done = [(full, RunRecord("finished", figures={"loss": 2.0})), (less, RunRecord("finished", figures={"loss": 1.5}))]
    text = markdown_table(sweep, done)
    assert "| w/o more | 1 | 1.50 (−0.50) |" in text
    assert "no spread is known" in text
