"""The figures as pictures: a panel for each metric, a bar with its interval for each method, a dot for each clip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_COLUMNS = 3


def draw_plots(summary: Mapping[str, Any], path: Path) -> None:
    """Draw all metrics into one PNG.

    Args:
        summary: what ``summary.json`` holds.
        path: the PNG.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from lightning_modules.pipeline.atomic_files import atomic_path

    methods = summary["methods"]
    shown = [
        metric for metric in summary["metrics"] if any(metric["name"] in summary["average"][one] for one in methods)
    ]
    rows = max(1, -(-len(shown) // _COLUMNS))
    figure = Figure(figsize=(4.6 * _COLUMNS, 0.6 * rows * (len(methods) + 2.2)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for panel, metric in zip(panels, shown, strict=False):
        _draw(panel, metric, summary)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    with atomic_path(path) as aside:
        figure.savefig(aside, dpi=110)


def _draw(panel: Any, metric: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    name = metric["name"]
    arrow = {"lower": " (lower is better)", "higher": " (higher is better)", "none": ""}[metric["better"]]
    unit = f", {metric['unit']}" if metric["unit"] else ""
    panel.set_title(f"{metric['title']}{unit}{arrow}", fontsize=8)
    methods = summary["methods"]
    for row, method in enumerate(methods):
        found = summary["average"][method].get(name)
        if found is None:
            continue
        reach = None
        if found["low"] is not None:
            reach = [[max(found["value"] - found["low"], 0)], [max(found["high"] - found["value"], 0)]]
        panel.barh(row, found["value"], xerr=reach, height=0.6, color="0.8", error_kw={"elinewidth": 1, "capsize": 3})
        values = [clip["methods"][method]["figures"].get(name) for clip in summary["clips"]]
        known = [value for value in values if value is not None]
        panel.plot(known, [row] * len(known), "o", color="0.25", markersize=2.5, alpha=0.7)
        if method in metric["paper"]:
            panel.plot([metric["paper"][method]], [row], "|", color="tab:red", markersize=14)
    panel.set_yticks(range(len(methods)), methods, fontsize=8)
    panel.invert_yaxis()
    panel.tick_params(axis="x", labelsize=7)
