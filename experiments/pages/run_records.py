"""What a training run left behind: curves from ``metrics.csv`` over images seen, its configuration, its previews."""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from experiments.pages.page_parts import MEDIA_TYPES, read_bytes
from lightning_modules.errors import ReportError

METRICS: Final = "metrics.csv"
CONFIG: Final = "config.yaml"
SEEN: Final = "seen/"
_NOT_CURVES: Final = {"step", "epoch"}
_NOT_MEDIA: Final = {"checkpoints", "wandb"}


@dataclass(frozen=True)
class Curve:
    """One column of the metrics.

    Attributes:
        steps: (N,) batches, not falling.
        seen: (N,) images (or windows, samples) seen at that time; the steps where the run did not count them.
        values: (N,) finite figures.
    """

    steps: NDArray[np.float64]
    seen: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Medium:
    """A picture or a video of a run.

    Attributes:
        path: the file.
        series: what it belongs to: its path in the run without the count, e.g. ``previews/photos*.png``.
        count: the number at the end of its name, images seen; ``None`` without one.
    """

    path: Path
    series: str
    count: int | None


@dataclass(frozen=True)
class Run:
    """A run, read.

    Attributes:
        name: what tells it from the other runs of the page.
        folder: where it lies.
        axis: the column that counts what was seen, e.g. ``seen/photos``; ``step`` without one.
        curves: column -> curve.
        config: settings as dotted names -> text; empty without ``config.yaml``.
        config_text: that file as it is.
        media: previews in order of series and count.
        remarks: what a reader should know, a sentence each.
    """

    name: str
    folder: Path
    axis: str
    curves: Mapping[str, Curve]
    config: Mapping[str, str]
    config_text: str
    media: tuple[Medium, ...]
    remarks: tuple[str, ...]


def find_runs(places: Sequence[Path]) -> list[Path]:
    """Folders that hold a ``metrics.csv``: those given, or those below them, in order and each once.

    Args:
        places: folders of runs, folders above them, or files ``metrics.csv``.

    Raises:
        ReportError: one is missing or holds no run.
    """
    found: list[Path] = []
    for place in places:
        folder = place.parent if place.name == METRICS else place
        if not folder.exists():
            raise ReportError("there is no such folder", "check the path", place)
        below = [folder] if (folder / METRICS).is_file() else [path.parent for path in folder.rglob(METRICS)]
        if not below:
            raise ReportError(
                f"no {METRICS} is in it or below it", "name the folder of a run that has logged something", place
            )
        found += sorted(below, key=lambda path: [_natural(part) for part in path.parts])
    return list({path.resolve(): path for path in found}.values())


def read_runs(places: Sequence[Path]) -> list[Run]:
    """Read every run of :func:`find_runs`, with names that tell them apart."""
    folders = find_runs(places)
    return [read_run(folder, name) for folder, name in zip(folders, short_names(folders), strict=True)]


def short_names(folders: Sequence[Path]) -> list[str]:
    """Names of folders without the parts that all of them share; of a single one its last two parts."""
    whole = [folder.resolve().parts for folder in folders]
    if len(whole) == 1:
        return ["/".join(whole[0][-2:])]
    if len({len(parts) for parts in whole}) > 1:
        shared = len(Path(os.path.commonpath([folder.resolve() for folder in folders])).parts)
        return ["/".join(parts[min(shared, len(parts) - 1) :]) for parts in whole]  # one may lie inside another
    telling = [place for place, parts in enumerate(zip(*whole, strict=True)) if len(set(parts)) > 1]
    return ["/".join(parts[place] for place in telling) for parts in whole]


def read_run(folder: Path, name: str) -> Run:
    """Read one run.

    Args:
        folder: holds ``metrics.csv`` and perhaps ``config.yaml`` and previews.
        name: its name on the page.

    Raises:
        ReportError: the metrics or the configuration cannot be read.
    """
    columns = _columns(folder / METRICS)
    axis = next((column for column in sorted(columns) if column.startswith(SEEN)), "step")
    steps = columns["step"]
    seen = steps if axis == "step" else _seen_at(steps, columns[axis])
    curves, remarks = {}, []
    if axis == "step":
        remarks.append(f"{name} does not count the images that it saw; its steps stand in their place.")
    for column, values in columns.items():
        if column in _NOT_CURVES or column.startswith(SEEN):
            continue
        told = np.isfinite(values) & np.isfinite(steps)
        if not_finite := int(np.isinf(values).sum()):
            values_are = "value is" if not_finite == 1 else "values are"
            remarks.append(f"{name}: {not_finite} {values_are} not finite in {column}, and not drawn.")
        if told.any():
            curves[column] = Curve(steps[told], seen[told], values[told])
    config_path = folder / CONFIG
    text = read_bytes(config_path).decode("utf-8", "replace") if config_path.is_file() else ""
    return Run(name, folder, axis, curves, flat_config(text, config_path), text, tuple(_media(folder)), tuple(remarks))


def _columns(path: Path) -> dict[str, NDArray[np.float64]]:
    """The table by columns: missing values are NaN; figures that are not finite, NaN among them, are infinite.

    A last line without an end is one that is just being written, and does not count.
    """
    text = read_bytes(path).decode("utf-8", "replace")
    rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    if len(rows) < 2 or "step" not in rows[0]:
        raise ReportError("it holds no logged step", "wait until the run has logged, or name another run", path)
    table = np.full((len(rows) - 1, len(rows[0])), np.nan)
    for place, row in enumerate(rows[1:]):
        if len(row) != len(rows[0]):
            raise ReportError(f"line {place + 2} has {len(row)} fields, not {len(rows[0])}", "repair the file", path)
        for column, cell in enumerate(row):
            if cell:
                table[place, column] = _number(cell, place + 2, path)
    return {name: table[:, column] for column, name in enumerate(rows[0])}


def _number(cell: str, line: int, path: Path) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise ReportError(f"line {line} holds '{cell[:40]}', which is no number", "repair the file", path) from error
    return value if math.isfinite(value) else math.inf


def _seen_at(steps: NDArray[np.float64], counted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Images seen at each row: as counted, in between in proportion to the steps, beyond the last count likewise."""
    known = np.isfinite(counted) & np.isfinite(steps)
    if not known.any():
        return steps
    places, counts = steps[known], counted[known]
    places, first = np.unique(places, return_index=True)
    counts = counts[first]
    seen = np.interp(steps, places, counts)
    if len(places) > 1:
        pace = (counts[-1] - counts[-2]) / (places[-1] - places[-2])
        seen = np.where(steps > places[-1], counts[-1] + pace * (steps - places[-1]), seen)
    return np.where(known, counted, seen)


def thinned(curve: Curve, most: int = 1000) -> Curve:
    """A curve of at most ``most`` points (an even number) that keeps every peak: lowest and highest of each stretch."""
    count = len(curve.values)
    if count <= most:
        return curve
    kept: set[int] = {0, count - 1}
    edges = np.linspace(0, count, (most - 2) // 2 + 1).astype(int)
    for begin, end in itertools.pairwise(edges):
        stretch = curve.values[begin:end]
        kept |= {begin + int(stretch.argmin()), begin + int(stretch.argmax())}
    chosen = sorted(kept)
    return Curve(curve.steps[chosen], curve.seen[chosen], curve.values[chosen])


def flat_config(text: str, path: Path) -> dict[str, str]:
    """A configuration as one list of settings.

    ``class_path`` and ``init_args`` do not show: ``trainer.callbacks[Throughput].warm_up`` is a name, and a class
    stands as the value of what it is given to.

    Args:
        text: YAML.
        path: named in the error.

    Raises:
        ReportError: it is not YAML, or not a mapping.
    """
    if not text.strip():
        return {}
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ReportError("it is not a YAML file", "repair it or move it away", path) from error
    if not isinstance(content, dict):
        raise ReportError("it holds no settings", "repair it or move it away", path)
    flat: dict[str, str] = {}
    _flatten("", content, flat)
    return flat


def _flatten(name: str, value: Any, flat: dict[str, str]) -> None:
    if isinstance(value, dict) and "class_path" in value:
        flat[name] = str(value["class_path"])
        _flatten(name, {**(value.get("init_args") or {}), **(value.get("dict_kwargs") or {})}, flat)
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            _flatten(f"{name}.{key}" if name else str(key), inner, flat)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for place, item in enumerate(value):
            path = item.get("class_path") if isinstance(item, dict) else None
            _flatten(f"{name}[{str(path).rpartition('.')[2] if path else place}]", item, flat)
    elif value != {} or not name:
        flat[name] = "" if value is None else str(value)


def config_differences(runs: Sequence[Run]) -> list[tuple[str, list[str | None]]]:
    """Settings in which the runs differ: name and the value in each run, ``None`` where it is not set.

    Runs without a configuration are not compared with the others; their values are ``None``.
    """
    names = sorted({name for run in runs for name in run.config})
    rows = [(name, [run.config.get(name) for run in runs]) for name in names]
    known = [bool(run.config) for run in runs]
    return [row for row in rows if len({value for value, has in zip(row[1], known, strict=True) if has}) > 1]


def _media(folder: Path) -> list[Medium]:
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() not in MEDIA_TYPES or any(part.startswith(".") or part in _NOT_MEDIA for part in parts):
            continue
        stem, count = re.fullmatch(r"(.*?)_?(\d*)", path.stem).groups()  # type: ignore[union-attr] # matches anything
        home = "/".join((*parts[:-1], stem))
        found.append(Medium(path, f"{home}*{path.suffix.lower()}", int(count) if count else None))
    return sorted(found, key=lambda medium: (medium.series, -1 if medium.count is None else medium.count))


def _natural(part: str) -> list[tuple[bool, int | str]]:
    """So that ``version_10`` comes after ``version_9``."""
    return [(piece.isdigit(), int(piece) if piece.isdigit() else piece) for piece in re.split(r"(\d+)", part)]
