"""``inkspeak evaluate clips``: all clips, all methods, and the folder of results."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.evaluation import method_names as names
from experiments.evaluation.averages import averages, noise_floor
from experiments.evaluation.clip_run import ClipRun
from experiments.evaluation.clips import Clip
from experiments.evaluation.measuring import Measurer
from experiments.evaluation.method_names import MethodName
from experiments.evaluation.methods import Method, make_method
from experiments.evaluation.metric_list import MetricColumn, metric_columns
from experiments.evaluation.results import REFERENCE, Result
from experiments.evaluation.scene import Tools
from lightning_modules.errors import InkspeakError

if TYPE_CHECKING:
    from experiments.evaluation.settings import EvaluationSettings
    from lightning_modules.metrics.bootstrap import Interval
    from lightning_modules.pipeline.animation_job import Progress

CLIPS = "clips"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of an evaluation.

    Attributes:
        summary: what ``summary.json`` holds.
        columns: its metrics.
        refused: methods that could not be set up, with the reason.
    """

    summary: dict[str, Any]
    columns: list[MetricColumn]
    refused: dict[str, str]

    @property
    def failures(self) -> list[str]:
        """One line for each method that was refused and each clip and method that failed."""
        lines = [f"{name}: {reason}" for name, reason in self.refused.items()]
        for clip in self.summary["clips"]:
            reasons = {method: one["failed"] for method, one in clip["methods"].items() if one["failed"]}
            if reasons and len(reasons) == len(clip["methods"]) and len(set(reasons.values())) == 1:
                lines.append(f"{clip['name']}: {next(iter(reasons.values()))}")
            else:
                lines += [f"{clip['name']}, {method}: {reason}" for method, reason in reasons.items()]
        return lines


def evaluate(
    clips: Sequence[Clip],
    methods: Sequence[MethodName],
    settings: EvaluationSettings,
    output: Path,
    progress: Progress,
    *,
    command: str,
    tools: Tools | None = None,
) -> Outcome:
    """Evaluate methods on clips; what is finished in the folder already is not done again.

    Args:
        clips: names are distinct.
        methods: in the order of the table.
        settings: of the evaluation.
        output: folder for the videos and figures of each clip; tables are written by the caller.
        progress: told of every clip and method.
        command: how this was asked for.
        tools: networks to work with; None for those of the settings.

    Raises:
        InkspeakError: no method can be set up, a file of weights cannot be used, or a result cannot be written.
    """
    tools = tools or Tools(settings)
    measurer = Measurer(settings, tools.finder)
    ready, refused = _set_up(methods, settings, progress)
    measurer.load()
    columns = metric_columns(
        measurer.network, csim=settings.face_weights is not None, sync=settings.sync_weights is not None
    )
    drawings = None if settings.drawings is None else _features_of(settings.drawings, settings.size, measurer)
    marks = settings.marks()
    references: dict[str, Result] = {}
    results: dict[str, dict[str, Result]] = {method.name: {} for method in ready}
    progress.start("clips", len(clips))
    for clip in clips:
        watch = _watcher(progress, clip)
        run = ClipRun(clip, output / CLIPS / clip.name, tools, measurer, marks, watch)
        references[clip.name], found = run.run(ready)
        for name, result in found.items():
            results[name][clip.name] = result
            if result.failed and result is not references[clip.name]:
                progress.note(f"{clip.name}, {name}: {result.failed}")
        if references[clip.name].failed:
            progress.note(f"{clip.name}: {references[clip.name].failed}")
        progress.advance()
    table = {
        name: averages(columns, references, of_clips, drawings=drawings, seed=settings.seed)
        for name, of_clips in results.items()
    }
    summary = {
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": command,
        **_machine(),
        "protocol": {
            "fps": settings.fps,
            "size": settings.size,
            "frames_per_clip": settings.frames,
            "clips": len(clips),
        },
        "methods": list(results),
        "metrics": [column.as_plain() for column in columns],
        "average": {name: _plain(found) for name, found in table.items()},
        "clips": [_clip_entry(clip, references, results) for clip in clips],
        "noise": noise_floor(references),
        "remarks": _remarks(settings, ready, refused, measurer, references),
    }
    return Outcome(summary, columns, refused)


def _set_up(
    methods: Sequence[MethodName], settings: EvaluationSettings, progress: Progress
) -> tuple[list[Method], dict[str, str]]:
    ready: list[Method] = []
    errors: dict[str, InkspeakError] = {}
    for asked in methods:
        try:
            ready.append(make_method(asked, settings))
        except InkspeakError as error:
            errors[asked.name] = error
    if not ready:
        raise next(iter(errors.values()))
    for name, reason in errors.items():
        progress.note(f"{name}: left out, {reason}")
    return ready, {name: str(error) for name, error in errors.items()}


def _features_of(folder: Path, size: int, measurer: Measurer) -> NDArray[np.float32]:
    """Features (N, D) of all real drawings in a folder."""
    from experiments.evaluation.real_drawings import read_drawings

    return np.concatenate([measurer.features(picture[None]) for picture in read_drawings(folder, size)])


def _watcher(progress: Progress, clip: Clip) -> Any:
    return lambda what: progress.note(f"{clip.name}: {what}")


def _machine() -> dict[str, Any]:
    from experiments.benchmarks.environment import hardware, versions

    return {"hardware": hardware(), "versions": versions()}


def _plain(found: dict[str, Interval]) -> dict[str, Any]:
    return {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in found.items()}


def _clip_entry(clip: Clip, references: dict[str, Result], results: dict[str, dict[str, Result]]) -> dict[str, Any]:
    folder = f"{CLIPS}/{clip.name}"
    reference = None if references[clip.name].failed else f"{folder}/{REFERENCE}.mp4"

    def video(name: str, result: Result) -> str | None:
        if result.failed:
            return None
        return reference if name == names.DRAWN_FRAMES else f"{folder}/{name}.mp4"

    return {
        "name": clip.name,
        "reference": reference,
        "methods": {
            name: {
                "video": video(name, of_clips[clip.name]),
                "figures": {key: value for key, value in of_clips[clip.name].figures.items() if value is not None},
                "failed": of_clips[clip.name].failed,
            }
            for name, of_clips in results.items()
        },
    }


def _remarks(
    settings: EvaluationSettings,
    ready: Sequence[Method],
    refused: dict[str, str],
    measurer: Measurer,
    references: dict[str, Result],
) -> list[str]:
    against = "the clips themselves, drawn frame by frame" if settings.drawings is None else "a folder of real drawings"
    remarks = [method.remark for method in ready if method.remark]
    remarks += [f"{name}: not run ({reason})" for name, reason in refused.items()]
    remarks.append(f"distances: features of {measurer.network.description}, against {against}")
    known = [one.figures.get("lmd") for one in references.values()]
    floor = [value for value in known if value is not None]
    if floor:
        remarks.append(
            f"LMD of the film itself, drawn frame by frame: {np.mean(floor):.2f} px; no method can be told to be better"
        )
    remarks.append("figures are of the frames as they were drawn, before they were compressed into videos")
    if settings.face_weights is None:
        remarks.append("CSIM: left out, it needs a face recognition network that no loss here uses (--face-weights)")
    elif settings.face_weights == "dlib":
        remarks.append("CSIM: by dlib's network, which no loss here uses")
    if settings.sync_weights is None:
        remarks.append("LSE-C and LSE-D: left out, they need SyncNet's weights (--sync-weights)")
    return remarks
