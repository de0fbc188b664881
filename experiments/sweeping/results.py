"""The results of a sweep as files: tables and sheets, made anew from the records of the runs each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiments.sweeping.ablation_table import csv_of_runs, csv_table, markdown_table
from experiments.sweeping.one_run import checked_record
from experiments.sweeping.plan import Run
from experiments.sweeping.sheets import write_sheets
from experiments.sweeping.sweep_file import SweepFile
from lightning_modules.pipeline.atomic_files import atomic_path

TABLE: Final = "table.md"


def write_results(sweep: SweepFile, runs: Sequence[Run], out: Path) -> str:
    """Write ``table.md``, ``table.csv``, ``runs.csv`` and the sheets.

    Args:
        sweep: the sweep.
        runs: all runs of it.
        out: folder of the results.

    Returns:
        The table, as in ``table.md``.

    Raises:
        ConfigError: a run was made with other settings.
        OutputError: a file cannot be written, or a record is damaged.
    """
    results = [(run, checked_record(run)) for run in runs]
    text = markdown_table(sweep, results)
    files = {TABLE: text, "table.csv": csv_table(sweep, results), "runs.csv": csv_of_runs(results)}
    for name, content in files.items():
        with atomic_path(out / name) as aside:
            aside.write_text(content, encoding="utf-8")
    write_sheets(sweep, results, out)
    return text
