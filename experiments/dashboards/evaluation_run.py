"""An evaluated set of clips on the dashboard: figures with intervals, one row for each clip and method, the videos.

What ``inkspeak evaluate clips`` wrote is read, nothing is measured again. In W&B, in a run of its own:

- the summary: ``evaluation/METHOD/METRIC``;
- ``evaluation/average``: a table, one row for each method, each figure with the ends of its interval;
- ``evaluation/clips``: a table, one row for each clip and method: figures, what failed, its video and the reference;
- the artifact ``evaluation-RUN``: ``summary.json``, ``figures.csv`` and ``table.md``.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

from callbacks.dashboard_artifacts import keep_files
from callbacks.dashboard_logger import Film, Medium, Rows, WandbDashboard
from experiments.pages.evaluation_summary import FILE_NAME, Average, Summary, read_summary

FILES: Final = (FILE_NAME, "figures.csv", "table.md")


def average_table(summary: Summary) -> Rows:
    """Methods by metrics, with the ends of the intervals; what is not known is empty."""
    names = [metric.name for metric in summary.metrics]
    columns = ["method", *(f"{name}{end}" for name in names for end in ("", " low", " high"))]
    rows = []
    for method in summary.methods:
        own = summary.average.get(method, {})
        rows.append([method, *(cell for name in names for cell in asdict(own.get(name, Average())).values())])
    return Rows(columns, rows)


def clip_table(summary: Summary) -> Rows:
    """One row for each clip and method; videos that are not there are left out."""
    names = [metric.name for metric in summary.metrics]
    rows = []
    for clip in summary.clips:
        reference = _film(clip.reference)
        for method, result in clip.results.items():
            figures = [result.figures.get(name) for name in names]
            rows.append([clip.name, method, *figures, result.failed or "", _film(result.video), reference])
    return Rows(["clip", "method", *names, "failed", "video", "reference"], rows)


def log_evaluation(dashboard: WandbDashboard, folder: Path) -> dict[str, float]:
    """Hand an evaluation to a dashboard, and end its run.

    Args:
        dashboard: where to; its run belongs to this evaluation.
        folder: what ``inkspeak evaluate clips`` wrote, or the ``summary.json`` in it.

    Returns:
        The figures of the summary, ``evaluation/METHOD/METRIC``.

    Raises:
        ReportError: there is no evaluation.
    """
    summary = read_summary(folder)
    figures = {
        f"evaluation/{method}/{name}": figure.value
        for method, own in summary.average.items()
        for name, figure in own.items()
        if figure.value is not None
    }
    facts = ("made", "command", "hardware", "versions", "protocol")
    dashboard.log_hyperparams({name: getattr(summary, name) for name in facts})
    tables: dict[str, Medium] = {
        "evaluation/average": average_table(summary),
        "evaluation/clips": clip_table(summary),
    }
    dashboard.show(tables)
    dashboard.summarise(figures)
    keep_files(dashboard, "evaluation", [summary.folder / name for name in FILES])
    dashboard.finalize("success")
    return figures


def _film(path: Path | None) -> Film | None:
    return Film(path) if path is not None and path.is_file() else None
