"""A dashboard of training runs as one HTML file: their curves over images seen, previews, settings, best figures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.pages.page_parts import data_uri, render
from experiments.pages.run_records import Curve, Medium, Run, config_differences, read_runs, thinned
from experiments.pages.run_sections import OVERVIEW, better, chart_of, section_of, sectioned

MEDIA_BYTES: Final = 60_000_000
"""So much of pictures and videos a page embeds unless told otherwise."""

_LARGE: Final = 300_000  # bytes; larger pictures are coded again
_LONGEST_SIDE: Final = 2000  # pixels of a picture that was coded again


def run_page(places: Sequence[Path], *, previews: int = 6, media_bytes: int = MEDIA_BYTES) -> str:
    """The page of some runs, complete in itself: nothing is fetched from anywhere.

    Args:
        places: folders of runs, or folders above several.
        previews: of each kind of preview so many of a run, evenly from first to last.
        media_bytes: at most so many bytes of pictures and videos; later runs show none when they are used up.

    Returns:
        HTML.

    Raises:
        ReportError: a place holds no run, or a run cannot be read.
    """
    runs = read_runs(places)
    media, remarks = _media(runs, previews, media_bytes)
    axes = sorted({run.axis.removeprefix("seen/") for run in runs if run.axis != "step"})
    differences = config_differences(runs)
    return render(
        "run_page.html",
        {
            "runs": runs,
            "title": runs[0].name if len(runs) == 1 else f"{len(runs)} runs",
            "best": _best(runs),
            "sections": sectioned(_columns(runs)),
            "media": media,
            "differences": differences,
            "compared": sum(bool(run.config) for run in runs),
            "remarks": [remark for run in runs for remark in run.remarks] + remarks,
            "data": {
                "runs": [run.name for run in runs],
                "axis": f"{' or '.join(axes)} seen" if axes else "step",
                "counted": bool(axes),
                "charts": _charts(runs),
            },
        },
    )


def best_value(curve: Curve, column: str) -> tuple[float, float] | None:
    """The best figure of a curve and the count of images at which it came first; ``None`` where no way is better."""
    way = better(column)
    if way == "none":
        return None
    place = int(curve.values.argmin() if way == "lower" else curve.values.argmax())
    return float(curve.values[place]), float(curve.seen[place])


def _columns(runs: Sequence[Run]) -> list[str]:
    return sorted({column for run in runs for column in run.curves})


def _best(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each column of the overview: best and last figure of every run, the best run marked."""
    rows = []
    for column in _columns(runs):
        if section_of(column) != OVERVIEW:
            continue
        cells = []
        for run in runs:
            curve = run.curves.get(column)
            best = best_value(curve, column) if curve is not None else None
            last = None if curve is None else float(curve.values[-1])
            cells.append({"best": best and best[0], "seen": best and best[1], "last": last, "first": False})
        found = [cell["best"] for cell in cells if cell["best"] is not None]
        if len(found) > 1:
            top = min(found) if better(column) == "lower" else max(found)
            for cell in cells:
                cell["first"] = cell["best"] == top
        rows.append({"column": column, "better": better(column), "cells": cells})
    return rows


def _charts(runs: Sequence[Run]) -> dict[str, list[dict[str, Any]]]:
    """Chart -> its curves as short lists of numbers."""
    charts: dict[str, list[dict[str, Any]]] = {}
    for index, run in enumerate(runs):
        for column in sorted(run.curves):
            chart, dashed = chart_of(column)
            curve = thinned(run.curves[column])
            charts.setdefault(chart, []).append(
                {
                    "run": index,
                    "dashed": dashed,
                    "step": _numbers(curve.steps),
                    "seen": _numbers(curve.seen),
                    "value": _numbers(curve.values),
                }
            )
    return charts


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Six digits are more than a screen shows."""
    return [int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.6g}") for value in values]


def _media(runs: Sequence[Run], previews: int, media_bytes: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Series -> runs -> pictures and videos as data URIs; and what was left out."""
    remarks: list[str] = []
    used, left_out = 0, 0
    rows: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        series: dict[str, list[Medium]] = {}
        for medium in run.media:
            series.setdefault(medium.series, []).append(medium)
        for name, found in series.items():
            shown = []
            for medium in evenly(found, previews):
                try:
                    path, content = embeddable(medium.path)
                except (OSError, ValueError) as error:
                    remarks.append(f"{run.name}: {medium.path.name} cannot be shown ({error}).")
                    continue
                if used + len(content) > media_bytes:
                    left_out += 1
                    continue
                used += len(content)
                kind = "video" if path.suffix.lower() == ".mp4" else "picture"
                shown.append({"kind": kind, "count": medium.count, "uri": data_uri(path, content)})
            if shown:
                rows.setdefault(name, []).append({"run": run.name, "shown": shown, "of": len(found)})
    if left_out:
        remarks.append(f"{left_out} previews are not embedded, to keep the page small.")
    return [{"series": name, "runs": rows[name]} for name in sorted(rows)], remarks


def evenly(media: Sequence[Medium], most: int) -> list[Medium]:
    """At most ``most`` of a series, evenly spaced, the first and the last among them (the last alone for 1)."""
    if len(media) <= most:
        return list(media)
    places = np.linspace(len(media) - 1, 0, most).round().astype(int)[::-1]
    return [media[place] for place in places]


def embeddable(path: Path) -> tuple[Path, bytes]:
    """A file as it is to be embedded: large pictures are coded as WebP, at most 2000 pixels wide or high.

    Returns:
        A path whose suffix says the kind, and the bytes.

    Raises:
        OSError: it cannot be read or is not a picture.
        ValueError: the picture is unreasonably large.
    """
    content = path.read_bytes()
    if path.suffix.lower() == ".mp4" or len(content) <= _LARGE:
        return path, content
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as stored:
            picture = stored.convert("RGB")
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
    coded = io.BytesIO()
    picture.save(coded, "WEBP", quality=85)
    return path.with_suffix(".webp"), coded.getvalue()
