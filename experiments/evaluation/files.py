"""The folder that an evaluation leaves: summary.json, tables, plots, the worst clip, and a page with the videos."""

from __future__ import annotations

from pathlib import Path

from experiments.evaluation import method_names as names
from experiments.evaluation.plots import draw_plots
from experiments.evaluation.run import Outcome
from experiments.evaluation.tables import figures_csv, table_markdown
from experiments.evaluation.worst_sheet import write_worst_sheet
from experiments.tables import as_json
from lightning_modules.pipeline.atomic_files import atomic_path


def write_files(outcome: Outcome, output: Path) -> str:
    """Write everything but the videos, which are there already.

    Args:
        outcome: of the evaluation.
        output: its folder.

    Returns:
        The table in Markdown.

    Raises:
        OutputError: a file cannot be written.
    """
    summary = outcome.summary
    table = table_markdown(summary, outcome.columns)
    _write(output / "figures.csv", figures_csv(summary))
    _write(output / "table.md", table)
    _write(output / "summary.json", as_json(summary) + "\n")
    draw_plots(summary, output / "plots" / "figures.png")
    first = [names.OURS] if names.OURS in summary["methods"] else []
    write_worst_sheet(summary, output, output / "worst.png", [*first, *summary["methods"]])
    return table


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as aside:
        aside.write_text(text, encoding="utf-8")
