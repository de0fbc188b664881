"""One HTML file about an evaluation: the table, videos of all methods side by side, every clip, how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments.pages.evaluation_summary import EvaluatedClip, MetricColumn, Summary, read_summary, worst_first
from experiments.pages.page_parts import data_uri, render

VIDEO_BYTES: Final = 80_000_000
"""So much video a page embeds unless told otherwise; a browser holds half as much again as text."""


def evaluation_page(summary: Path, *, video_bytes: int = VIDEO_BYTES) -> str:
    """The page of an evaluation, complete in itself: nothing is fetched from anywhere.

    Videos are embedded from the worst clip on (first method, first metric with a direction) until ``video_bytes``
    are used up; the page says how many clips show no video for that reason. A video that is not there is said to be
    missing in its place.

    Args:
        summary: ``summary.json`` of ``inkspeak evaluate clips``, or the folder in which it lies.
        video_bytes: at most so many bytes of video files.

    Returns:
        HTML.

    Raises:
        ReportError: the summary is missing, damaged or of another format.
    """
    found = read_summary(summary)
    embedded = _chosen_clips(found, video_bytes)
    remarks = list(found.remarks)
    if left := len(found.clips) - len(embedded):
        clips = "clip" if left == 1 else "clips"
        remarks.append(f"Videos of {left} {clips} are not embedded, to keep the page small; the folder has them.")
    return render(
        "evaluation_page.html",
        {
            "made": found.made,
            "command": found.command,
            "methods": found.methods,
            "metrics": found.metrics,
            "average": [{"method": method, "cells": _cells(found, method)} for method in found.methods],
            "noise": [found.noise.get(metric.name) for metric in found.metrics],
            "remarks": remarks,
            "clips": found.clips,
            "rows": _rows(found),
            "told": [
                ("Protocol", plain_facts(found.protocol)),
                ("Machine", plain_facts(found.hardware)),
                ("Versions", plain_facts(found.versions)),
            ],
            "data": _data(found, embedded),
        },
    )


def plain_facts(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as one list: ``{"cpu": {"cores": 2}}`` gives ``{"cpu cores": "2"}``; ``None`` becomes ``–``."""
    plain: dict[str, str] = {}
    for name, value in facts.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            plain |= plain_facts(value, f"{title} ")
        elif isinstance(value, list | tuple):
            plain[title] = ", ".join(map(str, value))
        else:
            plain[title] = "–" if value is None else str(value)
    return plain


def best_methods(summary: Summary, metric: MetricColumn) -> set[str]:
    """The methods whose average is the best of a metric; none where it has no direction or only one method counts."""
    averages = {method: summary.average[method].get(metric.name) for method in summary.methods}
    values = {method: found.value for method, found in averages.items() if found and found.value is not None}
    if metric.better == "none" or len(values) < 2:
        return set()
    best = min(values.values()) if metric.better == "lower" else max(values.values())
    return {method for method, value in values.items() if value == best}


def _cells(summary: Summary, method: str) -> list[dict[str, Any]]:
    cells = []
    for metric in summary.metrics:
        found = summary.average[method].get(metric.name)
        cells.append(
            {
                "value": found and found.value,
                "low": found and found.low,
                "high": found and found.high,
                "paper": metric.paper.get(method),
                "best": method in best_methods(summary, metric),
            }
        )
    return cells


def _rows(summary: Summary) -> list[dict[str, Any]]:
    return [
        {
            "clip": clip.name,
            "index": index,
            "method": method,
            "failed": clip.results[method].failed,
            "figures": [clip.results[method].figures.get(metric.name) for metric in summary.metrics],
        }
        for index, clip in enumerate(summary.clips)
        for method in summary.methods
        if method in clip.results
    ]


def _files(clip: EvaluatedClip) -> list[Path]:
    named = [clip.reference, *(result.video for result in clip.results.values())]
    return [path for path in named if path is not None and path.is_file()]


def _chosen_clips(summary: Summary, video_bytes: int) -> set[str]:
    """Names of the clips whose videos are embedded: the worst ones that fit together."""
    directed = [metric.name for metric in summary.metrics if metric.better != "none"]
    ranking = worst_first(summary, (directed or [summary.metrics[0].name])[0], summary.methods[0])
    chosen, used = set(), 0
    for clip in ranking:
        used += sum(path.stat().st_size for path in _files(clip))
        if used > video_bytes:
            break
        chosen.add(clip.name)
    return chosen


def _data(summary: Summary, embedded: set[str]) -> dict[str, Any]:
    """What the player needs."""

    def film(path: Path | None, clip: str) -> dict[str, str]:
        if path is None:
            return {"missing": "no video was made"}
        if not path.is_file():
            return {"missing": f"{path.name} is missing"}
        return {"video": data_uri(path)} if clip in embedded else {"missing": "not embedded, to keep the page small"}

    return {
        "fps": summary.fps,
        "metrics": [{"name": m.name, "title": m.title, "better": m.better} for m in summary.metrics],
        "clips": [
            {
                "name": clip.name,
                "reference": film(clip.reference, clip.name),
                "results": [
                    {
                        "method": method,
                        "figures": dict(clip.results[method].figures),
                        "failed": clip.results[method].failed,
                        **film(clip.results[method].video, clip.name),
                    }
                    for method in summary.methods
                    if method in clip.results
                ],
            }
            for clip in summary.clips
        ],
    }
