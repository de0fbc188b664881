"""The figures as CSV, one row a figure, and the averages as Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.evaluation.metric_list import MetricColumn

Figures = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]]
"""Method -> photo -> utterance -> metric -> value."""

_NOTHING = "—"


def figures_csv(figures: Figures, columns: Sequence[MetricColumn]) -> str:
    """Every figure: photo, utterance, method, metric, value; what could not be measured is left out."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["photo", "utterance", "method", "metric", "value"])
    photos = dict.fromkeys(photo for by_photo in figures.values() for photo in by_photo)
    for photo in photos:
        for method, by_photo in figures.items():
            for utterance, values in by_photo.get(photo, {}).items():
                for column in columns:
                    value = values.get(column.name)
                    if value is not None:
                        writer.writerow([photo, utterance, method, column.name, repr(value)])
    return stream.getvalue()


def table_markdown(summary: Mapping[str, Any], columns: Sequence[MetricColumn]) -> str:
    """The averages, a metric a row and a method a column; the worst photos, failures and remarks.

    Args:
        summary: what ``summary.json`` holds.
        columns: its metrics.
    """
    protocol, methods = summary["protocol"], summary["methods"]
    facts = (
        f"{protocol['photos']} photos × {protocol['utterances']} utterances, {protocol['frames']} frames of each, "
        f"{protocol['fps']:g} fps, {protocol['size']} pixels"
    )
    lines = [f"# {facts}", "", _row(["", *methods]), _row(["---"] * (len(methods) + 1))]
    for column in columns:
        cells = [_cell(summary["average"].get(method, {}).get(column.name), column) for method in methods]
        if any(cell != _NOTHING for cell in cells):
            lines.append(_row([_heading(column), *cells]))
    lines += ["", "Mean over photos with 95 % intervals over photos. ↓ lower is better, ↑ higher is better."]
    if summary["worst"]:
        lines += ["", f"## Worst photos of {summary['worst_of']}", ""]
        lines += [f"- {one['photo']}: {one['why']}" for one in summary["worst"]]
    if summary["failed"]:
        lines += ["", "## Failed", "", *(f"- {line}" for line in summary["failed"])]
    lines += ["", "## Remarks", "", *(f"- {remark}" for remark in summary["remarks"])]
    lines += ["", f"Made {summary['made']} by `{summary['command']}`.", ""]
    return "\n".join(lines)


def _heading(column: MetricColumn) -> str:
    arrow = {"lower": " ↓", "higher": " ↑", "none": ""}[column.better]
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.title}{unit}{arrow}"


def _cell(found: Mapping[str, float | None] | None, column: MetricColumn) -> str:
    if found is None or found["value"] is None:
        return _NOTHING
    value = f"{found['value']:.{column.digits}f}"
    if found["low"] is None:
        return value
    return f"{value} [{found['low']:.{column.digits}f}, {found['high']:.{column.digits}f}]"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
