"""``inkspeak evaluate portraits``: all photos, utterances and methods, and the folder of results."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.benchmarks.environment import hardware, versions
from experiments.evaluation import method_names as names
from experiments.evaluation.measuring import Measurer
from experiments.evaluation.methods import make_method
from experiments.evaluation.scene import Tools
from experiments.portrait_evaluation.averages import averages, portrait_columns, with_flicker_ratio, worst_photos
from experiments.portrait_evaluation.pair_run import MOST_FRAMES, PairRun
from experiments.portrait_evaluation.sheets import PhotoRow, photo_row, write_sheets, write_worst
from experiments.portrait_evaluation.summary import (
    PAIRS,
    failures,
    plain_intervals,
    remarks_of,
    utterance_entries,
    why_worst,
)
from experiments.portrait_evaluation.tables import figures_csv, table_markdown
from experiments.tables import as_json
from lightning_modules.pipeline.atomic_files import atomic_path

if TYPE_CHECKING:
    from experiments.evaluation.method_names import MethodName
    from experiments.evaluation.metric_list import MetricColumn
    from experiments.evaluation.results import Result
    from experiments.evaluation.settings import EvaluationSettings
    from experiments.portrait_evaluation.inputs import NamedFile
    from lightning_modules.losses.identity import FaceFeatures
    from lightning_modules.pipeline.animation_job import Progress

MOST_DRAWINGS: Final = 200
"""Real drawings whose features are looked at, evenly from all."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of an evaluation.

    Attributes:
        summary: what ``summary.json`` holds.
        columns: its metrics.
        figures: method -> photo -> utterance -> metric -> value.
        rows: of the contact sheets.
    """

    summary: dict[str, Any]
    columns: list[MetricColumn]
    figures: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]]
    rows: list[PhotoRow]


def evaluate_all(
    photos: Sequence[NamedFile],
    utterances: Sequence[NamedFile],
    methods: Sequence[MethodName],
    settings: EvaluationSettings,
    output: Path,
    progress: Progress,
    *,
    command: str,
    drawings: Path | None = None,
    tools: Tools | None = None,
) -> Outcome:
    """Evaluate methods on photos that speak; what is finished in the folder already is not done again.

    Args:
        photos: names are distinct.
        utterances: names are distinct.
        methods: in the order of the tables.
        settings: of the evaluation; ``frames`` are those that are measured.
        output: folder for the results of each pair; tables and sheets are written by :func:`write_files`.
        progress: told of every photo and method.
        command: how this was asked for.
        drawings: prepared set with which frames are compared; None: no distance.
        tools: networks to work with; None for those of the settings.

    Raises:
        InkspeakError: a method cannot be set up, a file or a set cannot be used, or a result cannot be written.
    """
    tools = tools or Tools(settings)
    measurer = Measurer(settings, tools.finder)
    ready = [make_method(asked, settings) for asked in methods]
    measurer.load()
    features = _identity_features()
    real = None if drawings is None else drawing_features(drawings, settings.size, measurer)
    marks = settings.marks()
    results: dict[str, dict[str, dict[str, Result]]] = {method.name: {} for method in ready}
    progress.start("photos", len(photos))
    with tempfile.TemporaryDirectory() as cache:
        for photo in photos:
            for speech in utterances:
                folder = output / PAIRS / photo.name / speech.name
                run = PairRun(
                    photo,
                    speech,
                    folder,
                    tools=tools,
                    measurer=measurer,
                    features=features,
                    marks=marks,
                    cache=Path(cache),
                )
                for name, result in run.run(ready, _watcher(progress, photo, speech)).items():
                    results[name].setdefault(photo.name, {})[speech.name] = result
            progress.advance()
    columns = portrait_columns(measurer.network, drawings=drawings is not None, csim=settings.face_weights is not None)
    figures = with_flicker_ratio(results)
    table = averages(columns, figures, _features_of(results), drawings=real, seed=settings.seed)
    shown = next((name for name in (names.OURS, *results) if name in results), names.OURS)
    rows = [photo_row(photo.name, {name: results[name][photo.name] for name in results}) for photo in photos]
    summary = {
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": command,
        "hardware": hardware(),
        "versions": versions(),
        "protocol": {
            "fps": settings.fps,
            "size": settings.size,
            "frames": settings.frames or MOST_FRAMES,
            "photos": len(photos),
            "utterances": len(utterances),
        },
        "methods": list(results),
        "metrics": [column.as_plain() for column in columns],
        "average": {name: plain_intervals(found) for name, found in table.items()},
        "photos": [
            {"name": photo.name, "utterances": utterance_entries(photo, utterances, results, figures)}
            for photo in photos
        ],
        "worst_of": shown,
        "worst": [
            {"photo": photo, "score": score, "why": why_worst(figures[shown][photo], score)}
            for photo, score in worst_photos(figures[shown])
        ],
        "failed": failures(results),
        "remarks": remarks_of(ready, measurer, settings, drawings=drawings is not None),
    }
    return Outcome(summary, columns, figures, [row for row in rows if row is not None])


def write_files(outcome: Outcome, output: Path) -> str:
    """Write tables and sheets.

    Args:
        outcome: of the evaluation.
        output: its folder.

    Returns:
        The table in Markdown.

    Raises:
        OutputError: a file cannot be written.
    """
    table = table_markdown(outcome.summary, outcome.columns)
    texts = {
        "figures.csv": figures_csv(outcome.figures, outcome.columns),
        "table.md": table,
        "summary.json": as_json(outcome.summary) + "\n",
    }
    for name, text in texts.items():
        with atomic_path(output / name) as aside:
            aside.write_text(text, encoding="utf-8")
    write_sheets(outcome.rows, output)
    by_name = {row.name: row for row in outcome.rows}
    write_worst(
        [(by_name[one["photo"]], f"{one['photo']}: {one['why']}") for one in outcome.summary["worst"]],
        output / "worst.png",
    )
    return table


def drawing_features(folder: Path, size: int, measurer: Measurer) -> NDArray[np.float32]:
    """Features (N, D) of the drawings of a prepared set, evenly chosen.

    Args:
        folder: the set.
        size: to which they are brought, pixels.
        measurer: whose network looks at them.

    Raises:
        PreparedSetError: there is no such set, or it is none of drawings.
    """
    from datamodules.datasets.pixels import loaded_planes
    from datamodules.prepare.drawing_record import read_drawing
    from datamodules.prepare.manifest import RECORDS_NAME, read_manifest
    from datamodules.prepare.prepared_set import read_set
    from lightning_modules.errors import PreparedSetError
    from lightning_modules.pipeline.contact_sheet import evenly_spaced

    if read_set(folder).get("kind") != "drawings":
        raise PreparedSetError("holds no prepared drawings", "give a folder of inkspeak prepare drawings", folder)
    rows = read_manifest(folder)
    if len(rows) < 3:
        raise PreparedSetError(f"holds {len(rows)} drawings", "give three or more", folder)
    found = []
    for number in evenly_spaced(len(rows), MOST_DRAWINGS):
        picture = read_drawing(folder / RECORDS_NAME / rows[number]["id"]).drawing
        planes = loaded_planes(picture, size, 1 if picture.ndim == 2 else 3)
        found.append(measurer.features(np.moveaxis(planes, 0, -1)[None]))
    return np.concatenate(found)


def _identity_features() -> FaceFeatures:
    from lightning_modules.losses.identity import FaceFeatures
    from lightning_modules.weights.from_file import STARTER, NetworkFromFile

    return FaceFeatures(NetworkFromFile("sphereface", STARTER), window="landmarks")


def _watcher(progress: Progress, photo: NamedFile, speech: NamedFile) -> Any:
    return lambda what: progress.note(f"{photo.name}, {speech.name}: {what}")


def _features_of(results: Mapping[str, Mapping[str, Mapping[str, Result]]]) -> dict[str, list[NDArray[np.float32]]]:
    found: dict[str, list[NDArray[np.float32]]] = {}
    for name, photos in results.items():
        good = ([one.arrays["features"] for one in of.values() if one.failed is None] for of in photos.values())
        found[name] = [np.concatenate(parts) for parts in good if parts]
    return found
