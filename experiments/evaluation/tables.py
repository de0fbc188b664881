"""Figures as CSV, one row a clip and method, and as Markdown in the order of the paper's Table 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.evaluation.metric_list import MetricColumn, paper_columns

_NOTHING = "—"


def figures_csv(summary: Mapping[str, Any]) -> str:
    """Every figure of every clip and method: columns clip, method, failed, and one for each metric; empty for none."""
    names = [metric["name"] for metric in summary["metrics"] if metric["name"] in _measured_by_clip(summary)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["clip", "method", "failed", *names])
    for clip in summary["clips"]:
        for method in summary["methods"]:
            result = clip["methods"][method]
            values = ["" if (value := result["figures"].get(name)) is None else repr(value) for name in names]
            writer.writerow([clip["name"], method, result["failed"] or "", *values])
    return stream.getvalue()


def _measured_by_clip(summary: Mapping[str, Any]) -> set[str]:
    results = [result for clip in summary["clips"] for result in clip["methods"].values()]
    return {name for result in results for name in result["figures"]}


def table_markdown(summary: Mapping[str, Any], columns: Sequence[MetricColumn]) -> str:
    """The paper's three figures with those it prints beside them, all other figures, failures and remarks."""
    protocol, methods = summary["protocol"], summary["methods"]
    length = f"the first {most} frames" if (most := protocol["frames_per_clip"]) else "all frames"
    facts = f"{protocol['clips']} clips, {length} of each, {protocol['fps']:g} fps, {protocol['size']} pixels"
    lines = [f"# Table 1 on {facts}", ""]
    lines += _paper_table(summary, columns)
    others = [column for column in columns if column not in paper_columns(columns)]
    lines += ["", "## Other figures", ""]
    lines.append(_row(["method", *(_heading(column) for column in others)]))
    lines.append(_row(["---"] * (len(others) + 1)))
    for method in methods:
        lines.append(_row([method, *(_cell(summary, method, column) for column in others)]))
    lines += ["", "Mean over clips with 95 % intervals over clips. ↓ lower is better, ↑ higher is better."]
    if summary["noise"]:
        floor = ", ".join(
            f"{column.title} {_number(summary['noise'][column.name], column)} {column.unit}"
            for column in columns
            if column.name in summary["noise"]
        )
        lines += ["", f"Noise floor of the landmark detector on drawings: {floor}."]
    failed = [
        f"- {clip['name']}, {method}: {result['failed']}"
        for clip in summary["clips"]
        for method, result in clip["methods"].items()
        if result["failed"]
    ]
    if failed:
        lines += ["", "## Failed", "", *failed]
    lines += ["", "## Remarks", "", *(f"- {remark}" for remark in summary["remarks"])]
    lines += ["", f"Made {summary['made']} by `{summary['command']}`.", ""]
    return "\n".join(lines)


def _paper_table(summary: Mapping[str, Any], columns: Sequence[MetricColumn]) -> list[str]:
    chosen = paper_columns(columns)
    heads, lines = ["method"], []
    for column in chosen:
        heads += [_heading(column), "paper"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for method in summary["methods"]:
        cells = [method]
        for column in chosen:
            printed = column.paper.get(method)
            cells += [_cell(summary, method, column), _NOTHING if printed is None else f"{printed:g}"]
        lines.append(_row(cells))
    return lines


def _heading(column: MetricColumn) -> str:
    arrow = {"lower": " ↓", "higher": " ↑", "none": ""}[column.better]
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.title}{unit}{arrow}"


def _cell(summary: Mapping[str, Any], method: str, column: MetricColumn) -> str:
    found = summary["average"].get(method, {}).get(column.name)
    if found is None:
        return _NOTHING
    value = _number(found["value"], column)
    if found["low"] is None:
        return value
    return f"{value} [{_number(found['low'], column)}, {_number(found['high'], column)}]"


def _number(value: float, column: MetricColumn) -> str:
    return f"{value:.{column.digits}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
