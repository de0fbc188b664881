"""An evaluated set of clips on the dashboard: figures with intervals, one row for each clip and method, the videos.

What ``inkspeak evaluate clips`` wrote is read, nothing is measured again. In W&B, in a run of its own:

- the summary: ``evaluation/METHOD/METRIC``;
- ``evaluation/average``: a table, one row for each method, each figure with the ends of its interval;
- ``evaluation/clips``: a table, one row for each clip and method: figures, what failed, its video and the reference;
- the artifact ``evaluation-RUN``: ``summary.json``, ``figures.csv`` and ``table.md``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from callbacks.dashboard_artifacts import keep_files
from callbacks.dashboard_logger import Film, Medium, Rows, WandbDashboard
from lightning_modules.errors import ConfigError

SUMMARY_NAME: Final = "summary.json"
FILES: Final = (SUMMARY_NAME, "figures.csv", "table.md")
_PARTS: Final = ("methods", "metrics", "average", "clips")


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of an evaluation.

    Args:
        folder: what ``inkspeak evaluate clips`` wrote, or the ``summary.json`` in it.

    Raises:
        ConfigError: there is none, or it is not one.
    """
    path = folder if folder.is_file() else folder / SUMMARY_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(
            "no evaluation is there", "give the folder that inkspeak evaluate clips wrote", path
        ) from error
    missing = [part for part in _PARTS if not isinstance(found, dict) or part not in found]
    if missing:
        remedy = "give the folder that inkspeak evaluate clips wrote"
        raise ConfigError(f"the summary lacks {', '.join(missing)}", remedy, path)
    return found  # type: ignore[no-any-return]


def average_table(summary: dict[str, Any]) -> Rows:
    """Methods by metrics, with the ends of the intervals; what is not known is empty."""
    metrics = [str(metric["name"]) for metric in summary["metrics"]]
    columns = ["method", *(f"{name}{end}" for name in metrics for end in ("", " low", " high"))]
    rows = []
    for method in summary["methods"]:
        own = summary["average"].get(method, {})
        cells = [own.get(name, {}).get(key) for name in metrics for key in ("value", "low", "high")]
        rows.append([method, *cells])
    return Rows(columns, rows)


def clip_table(summary: dict[str, Any], folder: Path) -> Rows:
    """One row for each clip and method; videos that are not there are left out.

    Args:
        summary: as :func:`read_summary` gives it.
        folder: that its paths start from.
    """
    metrics = [str(metric["name"]) for metric in summary["metrics"]]
    rows = []
    for clip in summary["clips"]:
        reference = _film(folder, clip.get("reference"))
        for method, found in clip["methods"].items():
            figures = [found.get("figures", {}).get(name) for name in metrics]
            failed = found.get("failed") or ""
            rows.append([clip["name"], method, *figures, failed, _film(folder, found.get("video")), reference])
    return Rows(["clip", "method", *metrics, "failed", "video", "reference"], rows)


def log_evaluation(dashboard: WandbDashboard, folder: Path) -> dict[str, float]:
    """Hand an evaluation to a dashboard, and end its run.

    Args:
        dashboard: where to; its run belongs to this evaluation.
        folder: what ``inkspeak evaluate clips`` wrote.

    Returns:
        The figures of the summary, ``evaluation/METHOD/METRIC``.

    Raises:
        ConfigError: there is no evaluation.
    """
    folder = folder.parent if folder.is_file() else folder
    summary = read_summary(folder)
    figures = {
        f"evaluation/{method}/{name}": float(figure["value"])
        for method, own in summary["average"].items()
        for name, figure in own.items()
        if figure.get("value") is not None
    }
    dashboard.log_hyperparams(
        {key: summary[key] for key in ("made", "command", "protocol", "hardware") if key in summary}
    )
    tables: dict[str, Medium] = {
        "evaluation/average": average_table(summary),
        "evaluation/clips": clip_table(summary, folder),
    }
    dashboard.show(tables)
    dashboard.summarise(figures)
    keep_files(dashboard, "evaluation", [folder / name for name in FILES])
    dashboard.finalize("success")
    return figures


def _film(folder: Path, path: str | None) -> Film | None:
    return Film(folder / path) if path and (folder / path).is_file() else None
