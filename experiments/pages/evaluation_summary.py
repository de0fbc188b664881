"""The ``summary.json`` of an evaluation, read and checked: what the pages need of it, with types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from experiments.pages.page_parts import read_json
from lightning_modules.errors import ReportError

Better = Literal["lower", "higher", "none"]
FILE_NAME: Final = "summary.json"
_REMEDY: Final = "make it again with inkspeak evaluate clips"


@dataclass(frozen=True)
class MetricColumn:
    """One metric of the table.

    Attributes:
        name: key of its figures.
        title: how it is called in a table.
        unit: unit of its figures, may be empty.
        better: which way is better; ``"none"`` for figures that are only told.
        paper: method -> the figure that the paper prints.
    """

    name: str
    title: str
    unit: str = ""
    better: Better = "none"
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Average:
    """A figure over all clips with its interval; ``None`` where there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ClipResult:
    """What one method made of one clip.

    Attributes:
        video: the drawn video, ``None`` when none was made.
        figures: metric -> value; a metric that could not be measured is missing.
        failed: why the method failed, in one line.
    """

    video: Path | None
    figures: Mapping[str, float]
    failed: str | None = None


@dataclass(frozen=True)
class EvaluatedClip:
    """One clip: its name, the reference drawn frame by frame, and every method's result."""

    name: str
    reference: Path | None
    results: Mapping[str, ClipResult]


@dataclass(frozen=True)
class Summary:
    """An evaluation. Paths of videos are complete; whether the files are there is not checked here.

    Attributes:
        folder: where ``summary.json`` lies.
        made: date and time in ISO form.
        command: the command line that made it.
        hardware: facts about the machine.
        versions: package -> version.
        protocol: ``fps``, ``size``, ``frames_per_clip``, ``clips``.
        methods: names in the order of the table.
        metrics: columns in the order of the table.
        average: method -> metric -> figure.
        clips: in the order of the evaluation.
        noise: metric -> what the measurement adds by itself.
        remarks: sentences for the reader.
    """

    folder: Path
    made: str
    command: str
    hardware: Mapping[str, Any]
    versions: Mapping[str, Any]
    protocol: Mapping[str, Any]
    methods: tuple[str, ...]
    metrics: tuple[MetricColumn, ...]
    average: Mapping[str, Mapping[str, Average]]
    clips: tuple[EvaluatedClip, ...]
    noise: Mapping[str, float]
    remarks: tuple[str, ...]

    @property
    def fps(self) -> float:
        """Frames per second of the videos."""
        return float(self.protocol["fps"])

    def metric(self, name: str) -> MetricColumn:
        """The column of this name; ``KeyError`` where there is none."""
        return {metric.name: metric for metric in self.metrics}[name]


def read_summary(path: Path) -> Summary:
    """Read the summary of an evaluation.

    Args:
        path: the file, or the folder in which it lies as ``summary.json``.

    Raises:
        ReportError: it is missing, not JSON, lacks something, or names a file outside its folder.
    """
    path = path / FILE_NAME if path.is_dir() else path
    content = read_json(path)
    try:
        return _summary(path, content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
        raise ReportError(f"it is not the summary of an evaluation ({what})", _REMEDY, path) from error


def _summary(path: Path, content: Mapping[str, Any]) -> Summary:
    metrics = tuple(_metric(entry) for entry in content["metrics"])
    methods = tuple(str(name) for name in content["methods"])
    if not methods or not metrics or len(set(methods)) < len(methods):
        raise ValueError("it names no method, no metric or a method twice")
    fps = float(content["protocol"]["fps"])
    if not fps > 0:
        raise ValueError(f"{fps} frames a second")
    names = [str(entry["name"]) for entry in content["clips"]]
    if len(set(names)) < len(names):
        raise ValueError("two clips have the same name")
    averages = content["average"]
    return Summary(
        folder=path.parent,
        made=str(content["made"]),
        command=str(content["command"]),
        hardware=dict(content["hardware"]),
        versions=dict(content["versions"]),
        protocol=dict(content["protocol"]),
        methods=methods,
        metrics=metrics,
        average={
            method: {name: _average(entry) for name, entry in averages.get(method, {}).items()} for method in methods
        },
        clips=tuple(_clip(path, entry, methods) for entry in content["clips"]),
        noise=_finite(content.get("noise", {})),
        remarks=tuple(str(remark) for remark in content.get("remarks", [])),
    )


def _metric(entry: Mapping[str, Any]) -> MetricColumn:
    better = entry.get("better", "none")
    if better not in get_args(Better):
        raise ValueError(f"better is '{better}'")
    paper = _finite(entry.get("paper") or {})
    return MetricColumn(
        str(entry["name"]), str(entry.get("title", entry["name"])), entry.get("unit") or "", better, paper
    )


def _average(entry: Mapping[str, Any]) -> Average:
    known = _finite({key: entry.get(key) for key in ("value", "low", "high")})
    return Average(**known)


def _clip(path: Path, entry: Mapping[str, Any], methods: tuple[str, ...]) -> EvaluatedClip:
    results = {
        method: ClipResult(
            _video(path, found.get("video")),
            _finite(found.get("figures") or {}),
            None if found.get("failed") is None else str(found["failed"]),
        )
        for method, found in entry["methods"].items()
        if method in methods
    }
    return EvaluatedClip(str(entry["name"]), _video(path, entry.get("reference")), results)


def _video(path: Path, name: str | None) -> Path | None:
    """The path of a video, which must stay inside the folder: a page would publish whatever it names."""
    if name is None:
        return None
    folder = path.parent.resolve()
    video = (folder / name).resolve()
    if not video.is_relative_to(folder):
        raise ReportError(f"it names a video outside its own folder ({name})", _REMEDY, path)
    return video


def _finite(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are numbers; what is ``None`` or not finite was not measured."""
    return {str(name): float(value) for name, value in figures.items() if value is not None and math.isfinite(value)}


def worst_first(summary: Summary, metric: str, method: str) -> list[EvaluatedClip]:
    """The clips from worst to best for one method: failed ones, then by the figure, then those without a figure.

    Figures that are neither better low nor high go from the highest down. Equal clips keep their order.
    """
    sign = 1.0 if summary.metric(metric).better == "higher" else -1.0

    def key(clip: EvaluatedClip) -> tuple[int, float]:
        result = clip.results.get(method)
        if result is not None and result.failed is not None:
            return 0, 0.0
        if result is None or metric not in result.figures:
            return 2, 0.0
        return 1, sign * result.figures[metric]

    return sorted(summary.clips, key=key)
